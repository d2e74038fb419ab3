--- Fourier transforms and operations based on them. Complex tensors are pairs of a real and an
-- imaginary part, as in Keras.
-- @module cusp.ops.fourier
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local windows = require "cusp.ops.windows"

local rows = engine.ops

---------------------------------------------------------------- pieces

local function float_dtype(x)
  return x.dtype == "float64" and "float64" or "float32"
end

local function pair(name, x)
  local real, imaginary = x[1], x[2]
  if #x ~= 2 or errors.shape(real.shape) ~= errors.shape(imaginary.shape) then
    errors.raise("%s: expected a real and an imaginary part of one shape, got %d tensors", name, #x)
  end
  return real, imaginary
end

-- The first `size` entries along the last axis, padded with zeros.
local function resize_last(x, size)
  local shape = x.shape
  local present = shape[#shape]
  if present == size then return x end
  local spec, width = {}, {}
  for i = 1, #shape do spec[i], width[i] = {}, {0, 0} end
  if present > size then
    spec[#shape] = {1, size}
    return x:slice(spec)
  end
  width[#shape] = {0, size - present}
  return rows.pad(x, width)
end

-- Transforms compute in float32 or wider.
local function wide(x)
  return rows.cast(x, float_dtype(x))
end

local function transform(real, imaginary, inverse)
  return rows.fourier(wide(real), wide(imaginary), inverse)
end

-- x / n, with n in x's dtype, where it is exact.
local function per(x, n)
  return rows.divide(x, engine.tensor(n, {dtype = x.dtype}))
end

---------------------------------------------------------------- transforms

local function fft(x)
  local real, imaginary = pair("fft", x)
  return transform(real, imaginary, false)
end

local function two_axes(name, x, inverse)
  local real, imaginary = pair(name, x)
  if #real.shape < 2 then
    errors.raise("%s: expected at least 2 axes, got shape %s", name, errors.shape(real.shape))
  end
  real, imaginary = transform(real, imaginary, inverse)
  real, imaginary = transform(rows.swapaxes(real, -1, -2), rows.swapaxes(imaginary, -1, -2),
    inverse)
  return rows.swapaxes(real, -1, -2), rows.swapaxes(imaginary, -1, -2)
end

local function ifft2(x)
  local real, imaginary = two_axes("ifft2", x, true)
  local shape = real.shape
  local count = shape[#shape] * shape[#shape - 1]
  return per(real, count), per(imaginary, count)
end

local function check_length(name, n)
  if n < 1 then errors.raise("%s: fft_length should be at least 1, got %d", name, n) end
  return n
end

local function rfft(x, fft_length)
  local shape = x.shape
  if #shape < 1 then errors.raise("rfft: expected at least one axis, got a scalar") end
  return rows.fourier_real(wide(resize_last(x, check_length("rfft", fft_length or shape[#shape]))))
end

local function irfft(x, fft_length)
  local real, imaginary = pair("irfft", x)
  local shape = real.shape
  if #shape < 1 then errors.raise("irfft: expected at least one axis, got scalars") end
  local n = check_length("irfft", fft_length or 2 * (shape[#shape] - 1))
  real, imaginary = resize_last(real, n // 2 + 1), resize_last(imaginary, n // 2 + 1)
  return per(rows.fourier_from_half(wide(real), wide(imaginary), n), n)
end

---------------------------------------------------------------- frames

local function extract_sequences(x, length, stride)
  local shape = x.shape
  local size = shape[#shape]
  if length < 1 or stride < 1 or length > size then
    errors.raise(
      "extract_sequences: expected 1 <= sequence_length <= %d and a positive stride, got %d and %d",
      size, length, stride)
  end
  local count = (size - length) // stride + 1
  local starts = rows.multiply(rows.reshape(rows.arange(0, count, {dtype = "int32"}), {count, 1}),
    stride)
  local offsets = rows.reshape(rows.arange(0, length, {dtype = "int32"}), {1, length})
  return rows.take(x, rows.add(starts, offsets), -1)
end

-- Overlap-add: sums frames [..., count, length] that start `stride` apart.
local function overlap_add(frames, stride)
  local shape = frames.shape
  local n = #shape
  local count, length = shape[n - 1], shape[n]
  local parts = (length + stride - 1) // stride
  frames = resize_last(frames, parts * stride)
  local split = {table.unpack(shape, 1, n - 1)}
  split[n], split[n + 1] = parts, stride
  frames = rows.reshape(frames, split)
  local total
  for part = 1, parts do
    local spec, width = {}, {}
    for i = 1, n do spec[i], width[i] = {}, {0, 0} end
    spec[n], spec[n + 1] = part, {}
    width[n - 1] = {part - 1, parts - part}
    local piece = rows.pad(frames:slice(spec), width)
    total = total and rows.add(total, piece) or piece
  end
  local flat = {table.unpack(shape, 1, n - 2)}
  flat[n - 1] = (count + parts - 1) * stride
  return resize_last(rows.reshape(total, flat), (count - 1) * stride + length)
end

-- The window centred in a frame of fft_length points; ones for false, which means Keras's None.
local function window_of(name, window, length, fft_length, dtype)
  if fft_length < length then
    errors.raise("%s: fft_length should be at least sequence_length (%d), got %d", name, length,
      fft_length)
  end
  if not window then return rows.ones({fft_length}, dtype) end
  if type(window) == "string" then
    if window ~= "hann" and window ~= "hamming" then
      errors.raise("%s: window should be \"hann\", \"hamming\", nil or a tensor, got %q", name,
        window)
    end
    window = windows.values(window, length, true)
  end
  window = rows.cast(define.tensor(window), dtype)
  if #window.shape ~= 1 or window.shape[1] ~= length then
    errors.raise("%s: the window should have shape [%d], got %s", name, length,
      errors.shape(window.shape))
  end
  local left = (fft_length - length) // 2
  return rows.pad(window, {{left, fft_length - length - left}})
end

local function stft(x, length, stride, fft_length, window, center)
  if x.dtype ~= "float32" and x.dtype ~= "float64" then
    errors.raise("stft: expected float32 or float64, got %s", x.dtype)
  end
  local values = window_of("stft", window, length, fft_length, x.dtype)
  if center then
    local width = {}
    for i = 1, #x.shape do width[i] = {0, 0} end
    width[#x.shape] = {fft_length // 2, fft_length // 2}
    x = rows.pad(x, width, "reflect")
  end
  return rfft(rows.multiply(extract_sequences(x, fft_length, stride), values), fft_length)
end

local function istft(x, sequence_length, stride, fft_length, length, window, center)
  local real, imaginary = pair("istft", x)
  if #real.shape < 2 then
    errors.raise("istft: expected at least 2 axes, got shape %s", errors.shape(real.shape))
  end
  local values = window_of("istft", window, sequence_length, fft_length, real.dtype)
  local frames = rows.multiply(irfft({real, imaginary}, fft_length), values)
  local count = real.shape[#real.shape - 1]
  local weight = overlap_add(rows.broadcast_to(rows.multiply(values, values), {count, fft_length}),
    stride)
  local signal = rows.divide(overlap_add(frames, stride),
    rows.where(rows.greater(weight, 1e-10), weight, 1.0))
  -- Without a window, Keras does not normalise by the length of frames: only the sum over one
  -- stride counts.
  if not window then signal = rows.multiply(signal, fft_length / stride) end
  local size = signal.shape[#signal.shape]
  local first = center and fft_length // 2 or 0
  local last = length and math.min(first + length, size) or center and size - fft_length // 2
    or size
  local spec = {}
  for i = 1, #signal.shape do spec[i] = {} end
  spec[#spec] = {first + 1, last}
  return signal:slice(spec)
end

define.ops{
  {"fft", "x...", "The Fourier transform along the last axis; x is {real, imaginary}.", fft},
  {"fft2", "x...", "The Fourier transform along the last two axes.", function(x)
    return two_axes("fft2", x, false)
  end},
  {"ifft2", "x...", "The inverse Fourier transform along the last two axes.", ifft2},
  {"rfft", "x, fft_length: int = nil",
    "The Fourier transform of real values along the last axis: real and imaginary part.", rfft},
  {"irfft", "x..., fft_length: int = nil",
    "The real values whose transform (of rfft) is {real, imaginary}.", irfft},
  {"extract_sequences", "x, sequence_length: int, sequence_stride: int",
    "Windows of the last axis, a stride apart.", extract_sequences},
  {"stft", "x, sequence_length: int, sequence_stride: int, fft_length: int, window: any = hann, "
    .. "center: bool = true",
    "Short-time Fourier transform along the last axis: real and imaginary part, [..., frames, "
    .. "frequencies].", stft},
  {"istft",
    "x..., sequence_length: int, sequence_stride: int, fft_length: int, length: int = nil, "
    .. "window: any = hann, center: bool = true",
    "The signal of a short-time Fourier transform {real, imaginary}.", istft},
}
