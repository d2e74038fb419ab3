--- Windows and Fourier transforms, and operators that draw random numbers.
-- @module cusp.onnx.load.signals
local dtypes = require "cusp.onnx.messages.dtypes"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"
local values = require "cusp.onnx.load.values"

local operators = {}

---------------------------------------------------------------- windows

local function window(coefficients)
  return function(node, size_input)
    local size = values.limit(values.number(size_input, node.op .. "'s size"), "the window")
    local period = (node.a.periodic or 1) == 1 and size or size - 1
    local list = {}
    for i = 0, size - 1 do
      local sum = 0
      for k, coefficient in ipairs(coefficients) do
        sum = sum + coefficient * math.cos(2 * math.pi * (k - 1) * i / period)
      end
      list[i + 1] = sum
    end
    return engine.tensor(list, {dtype = dtypes.name(node.a.output_datatype or 1),
      shape = {size}})
  end
end

operators.HannWindow = window{0.5, -0.5}
operators.HammingWindow = window{25 / 46, -21 / 46}
operators.BlackmanWindow = window{0.42, -0.5, 0.08}

local function mel(hertz) return 2595 * math.log(1 + hertz / 700, 10) end

function operators.MelWeightMatrix(node, bins_input, length_input, rate_input, low_input,
  high_input)
  local bins, length = values.number(bins_input, "num_mel_bins"),
    values.number(length_input, "dft_length")
  local rate, low = values.number(rate_input, "sample_rate"),
    mel(values.number(low_input, "lower_edge_hertz"))
  local high = mel(values.number(high_input, "upper_edge_hertz"))
  local step, places, rows, list = (high - low) / (bins + 2), {}, length // 2 + 1, {}
  values.limit(rows * bins, "the matrix")
  for i = 0, bins + 1 do
    places[i] = math.floor((length + 1) * 700 * (10 ^ ((i * step + low) / 2595) - 1) / rate)
  end
  for i = 1, rows * bins do list[i] = 0.0 end
  for i = 0, bins - 1 do
    local left, centre, right = places[i], places[i + 1], places[i + 2]
    if left == centre then list[centre * bins + i + 1] = 1.0 end
    for j = left, centre do
      if centre > left then list[j * bins + i + 1] = (j - left) / (centre - left) end
    end
    for j = centre, right - 1 do list[j * bins + i + 1] = (right - j) / (right - centre) end
  end
  return engine.tensor(list, {dtype = dtypes.name(node.a.output_datatype or 1),
    shape = {rows, bins}})
end

---------------------------------------------------------------- Fourier transforms

local function parts_of(x)
  local parts = ops.unstack(x, nil, -1)
  return parts[1], parts[2] or ops.zeros_like(parts[1])
end

-- The last axis cut or filled with zeros.
local function of_length(x, length)
  local size = x.shape[#x.shape]
  if size == length then return x end
  local sizes, widths = {table.unpack(x.shape)}, values.fill(#x.shape, {0, 0})
  sizes[#sizes], widths[#widths] = math.min(size, length), {0, math.max(0, length - size)}
  return ops.pad(ops.slice(x, values.fill(#sizes, 0), sizes), widths)
end

-- The other half of the spectrum of a real signal.
local function mirrored(real, imaginary, length)
  local size, indices = real.shape[#real.shape], {}
  for i = size, length - 1 do indices[#indices + 1] = length - i end
  if #indices == 0 then return real, imaginary end
  local back = values.integers(indices)
  return ops.concatenate({real, ops.take(real, back, -1)}, -1),
    ops.concatenate({imaginary, ops.negative(ops.take(imaginary, back, -1))}, -1)
end

-- In float64: sums of many elements that cancel are small beside them.
local function transform(real, imaginary, length, inverse)
  local dtype = real.dtype
  real, imaginary = of_length(real, length), of_length(imaginary, length)
  local a, b = engine.ops.fourier(ops.cast(real, "float64"), ops.cast(imaginary, "float64"),
    inverse)
  if inverse then a, b = ops.divide(a, length), ops.divide(b, length) end
  return ops.cast(a, dtype), ops.cast(b, dtype)
end

local function first_half(x)
  local sizes = {table.unpack(x.shape)}
  sizes[#sizes] = sizes[#sizes] // 2 + 1
  return ops.slice(x, values.fill(#sizes, 0), sizes)
end

local function spectrum(x, axis, length, inverse, onesided)
  local real, imaginary = parts_of(x)
  real, imaginary = ops.moveaxis(real, axis, -1), ops.moveaxis(imaginary, axis, -1)
  if inverse and onesided then
    real, imaginary = of_length(real, length // 2 + 1), of_length(imaginary, length // 2 + 1)
    real, imaginary = mirrored(real, imaginary, length)
  end
  local a, b = transform(real, imaginary, length, inverse)
  if onesided and not inverse then a, b = first_half(a), first_half(b) end
  local parts = inverse and onesided and {a} or {a, b}
  for i, part in ipairs(parts) do parts[i] = ops.moveaxis(part, -1, axis) end
  return ops.stack(parts, -1)
end

function operators.DFT(node, x, length_input, axis_input)
  local a = node.a
  local axis = axis_input and values.number(axis_input, "DFT's axis") or a.axis
    or (node.opset < 20 and 1 or -2)
  axis = values.position(axis, #x.shape)
  local inverse, onesided = a.inverse == 1, a.onesided == 1
  local default = inverse and onesided and 2 * (x.shape[axis] - 1) or x.shape[axis]
  local length = length_input and values.number(length_input, "dft_length") or default
  return spectrum(x, axis, length, inverse, onesided)
end

function operators.STFT(node, x, step_input, window_input, length_input)
  local step = values.number(step_input, "STFT's frame_step")
  local length = length_input and values.number(length_input, "STFT's frame_length")
    or window_input and window_input.shape[1] or x.shape[2]
  if step < 1 or length < 1 then errors.raise "frames need a step and a length from 1 on" end
  local frames, indices = 1 + (x.shape[2] - length) // step, {}
  values.limit(frames * length, "all frames")
  for frame = 0, frames - 1 do
    for i = 0, length - 1 do indices[#indices + 1] = frame * step + i end
  end
  local signal = #x.shape == 2 and ops.expand_dims(x, -1) or x
  local cut = ops.reshape(ops.take(signal, values.integers(indices), 2),
    {x.shape[1], frames, length, signal.shape[3]})
  if window_input then
    cut = ops.multiply(cut, ops.reshape(window_input, {1, 1, length, 1}))
  end
  return spectrum(cut, 3, length, false, (node.a.onesided or 1) == 1)
end

---------------------------------------------------------------- random numbers

local function dtype_of(node, like)
  return node.a.dtype and dtypes.name(node.a.dtype) or like and like.dtype or "float32"
end

local function seed_of(node) return node.a.seed and math.floor(node.a.seed) or nil end

local function uniform(node, shape, dtype)
  return random.uniform(shape, {minval = node.a.low or 0.0, maxval = node.a.high or 1.0,
    dtype = dtype, seed = seed_of(node)})
end

local function normal(node, shape, dtype)
  return random.normal(shape, {mean = node.a.mean or 0.0, stddev = node.a.scale or 1.0,
    dtype = dtype, seed = seed_of(node)})
end

function operators.RandomUniform(node) return uniform(node, node.a.shape, dtype_of(node)) end
function operators.RandomNormal(node) return normal(node, node.a.shape, dtype_of(node)) end
function operators.RandomUniformLike(node, x) return uniform(node, x.shape, dtype_of(node, x)) end
function operators.RandomNormalLike(node, x) return normal(node, x.shape, dtype_of(node, x)) end

function operators.Bernoulli(node, x)
  local draws = random.uniform(x.shape, {dtype = "float32", seed = seed_of(node)})
  return ops.cast(ops.less(draws, ops.cast(x, "float32")), dtype_of(node, x))
end

function operators.Multinomial(node, x)
  return random.categorical(x, node.a.sample_size or 1, {
    dtype = dtypes.name(node.a.dtype or 6), seed = seed_of(node)})
end

return operators
