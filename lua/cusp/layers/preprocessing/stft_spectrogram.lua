--- Spectrograms of signals by the short-time Fourier transform, as a convolution whose kernels can
-- be trained. Input `[batch, time, channels]`; output `[batch, frames, channels * frequencies]`,
-- with `expand_dims` `[batch, frames, frequencies, channels]`; with data_format "channels_first"
-- `[batch, channels, time]`, `[batch, channels * frequencies, frames]` and `[batch, channels,
-- frames, frequencies]`. There are `fft_length / 2 + 1` frequencies, twice as many with mode "stft"
-- (real parts, then imaginary ones).
-- @classmod cusp.layers.STFTSpectrogram
-- @tparam[opt="log"] string mode "log", "magnitude", "psd", "real", "imag", "angle" or "stft"
-- @tparam[opt=256] integer frame_length
-- @tparam[opt] integer frame_step by default half of frame_length
-- @tparam[opt] integer fft_length by default the next power of two
-- @tparam[opt="hann"] string|tensor window a name (see `cusp.initializers.STFT`), values, or
-- `cusp.null` for none
-- @tparam[opt=false] boolean periodic
-- @tparam[opt="density"] string scaling "density", "spectrum" or `cusp.null`
-- @tparam[opt="valid"] string padding "valid" or "same"
-- @tparam[opt=false] boolean expand_dims
-- @tparam[opt] string data_format
local Layer = require "cusp.layers.machinery.layer"
local config = require "cusp.base.config"
local convolution = require "cusp.layers.convolution.convolution"
local errors = require "cusp.base.errors"
local initializers = require "cusp.initializers"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"
local policy = require "cusp.layers.machinery.policy"
local shapes = require "cusp.base.shape"

local STFT = initializers.STFT -- declares the kind "window", too

local STFTSpectrogram = Layer:extend("STFTSpectrogram", {
  input_spec = {ndim = 3},
  config = {
    {"mode", "choice", choices = {"log", "magnitude", "psd", "real", "imag", "angle", "stft"},
      default = "log"},
    {"frame_length", "integer", min = 1, default = 256},
    {"frame_step", "integer", min = 1, optional = true},
    {"fft_length", "integer", min = 1, optional = true},
    {"window", "window", default = "hann", optional = true},
    options.flag("periodic", false),
    {"scaling", "choice", choices = {"density", "spectrum"}, default = "density", optional = true},
    {"padding", "choice", choices = {"valid", "same"}, default = "valid"},
    options.flag("expand_dims", false), options.data_format(),
  },
})

function STFTSpectrogram:init(args)
  self:configure(args, STFTSpectrogram)
  Layer.init(self, args)
  local length, step, points = self.frame_length, self.frame_step, self.fft_length
  if step and step > length then
    errors.raise("STFTSpectrogram: frame_step should be at most frame_length (%d), got %d", length,
      step)
  end
  if points and points < length then
    errors.raise("STFTSpectrogram: fft_length should be at least frame_length (%d), got %d", length,
      points)
  end
  errors.check_items("STFTSpectrogram", "frame_length", length)
  if not points then
    points = 1
    while points < length do points = points * 2 end
  end
  self.__own.points = points
  self.__own.step = step or math.max(length // 2, 1)
end

function STFTSpectrogram:build()
  local shape = {self.frame_length, 1, self.__own.points // 2 + 1}
  for _, side in ipairs{"real", "imag"} do
    local other = side == "real" and "imag" or "real"
    if self.mode ~= other then
      self[side .. "_kernel"] = self:add_weight{
        name = side .. "_kernel", shape = shape,
        initializer = STFT{side = side, window = self.window, scaling = self.scaling,
          periodic = self.periodic},
      }
    end
  end
end

--- The convolution of each channel by itself: `[batch, channels, frequencies, frames]`.
local function transform(self, inputs, kernel)
  local shape = inputs.shape
  local channels_first = options.channels_first(self)
  local channels, time = shape[3], shape[2]
  if channels_first then
    channels, time = time, channels
  else
    inputs = ops.transpose(inputs, {1, 3, 2})
  end
  inputs = ops.reshape(inputs, channels_first and {-1, 1, time} or {-1, time, 1})
  local outputs = ops.conv(inputs, ops.cast(kernel, inputs.dtype), {
    strides = self.__own.step, padding = self.padding, data_format = self.data_format,
  })
  if not channels_first then outputs = ops.transpose(outputs, {1, 3, 2}) end
  local result = outputs.shape
  return ops.reshape(outputs, {-1, channels, result[2], result[3]})
end

--- `[batch, channels, frequencies, frames]` in the shape that is given out.
local function arrange(self, outputs)
  local channels_first = options.channels_first(self)
  if self.expand_dims then
    return ops.transpose(outputs, channels_first and {1, 2, 4, 3} or {1, 4, 3, 2})
  end
  local shape = outputs.shape
  outputs = ops.reshape(outputs, {-1, shape[2] * shape[3], shape[4]})
  return channels_first and outputs or ops.transpose(outputs, {1, 3, 2})
end

--- Frequencies stand for their negatives, too, but the first and the last.
local function one_sided(power)
  local shape = power.shape
  if shape[3] < 3 then return power end
  return ops.add(power,
    ops.pad(power:slice{{}, {}, {2, shape[3] - 1}, {}}, {{0, 0}, {0, 0}, {1, 1}, {0, 0}}))
end

function STFTSpectrogram:call(inputs)
  if not policy.is_float(inputs.dtype) then
    errors.raise("expected a signal of floating-point numbers, got %s", inputs.dtype)
  end
  local mode, epsilon = self.mode, config.epsilon()
  local real = mode ~= "imag" and transform(self, inputs, self.real_kernel)
  local imaginary = mode ~= "real" and transform(self, inputs, self.imag_kernel)
  if mode == "real" or mode == "imag" then return arrange(self, real or imaginary) end
  if mode == "angle" then return arrange(self, ops.arctan2(imaginary, real)) end
  if mode == "stft" then return arrange(self, ops.concatenate({real, imaginary}, 3)) end
  local power = ops.add(ops.square(real), ops.square(imaginary))
  if mode == "psd" then return arrange(self, one_sided(power)) end
  local magnitude = arrange(self, ops.sqrt(ops.maximum(power, epsilon)))
  return mode == "magnitude" and magnitude or ops.log(ops.maximum(magnitude, epsilon))
end

local function frames(self, time)
  if time == shapes.None then return time end
  if self.padding == "same" then return (time + self.__own.step - 1) // self.__own.step end
  if time < self.frame_length then
    errors.raise("a frame of %d does not fit into a signal of %d", self.frame_length, time)
  end
  return (time - self.frame_length) // self.__own.step + 1
end

function STFTSpectrogram:compute_output_shape(input_shape)
  local channels_first = options.channels_first(self)
  local channels = channels_first and input_shape[2] or input_shape[3]
  if channels == shapes.None then convolution.channels(self, input_shape) end
  local count = frames(self, channels_first and input_shape[3] or input_shape[2])
  local frequencies = (self.__own.points // 2 + 1) * (self.mode == "stft" and 2 or 1)
  if self.expand_dims then
    return channels_first and {input_shape[1], channels, count, frequencies}
      or {input_shape[1], count, frequencies, channels}
  end
  return channels_first and {input_shape[1], channels * frequencies, count}
    or {input_shape[1], count, channels * frequencies}
end

return STFTSpectrogram
