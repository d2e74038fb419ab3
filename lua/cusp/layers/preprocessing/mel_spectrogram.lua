--- Spectrograms of audio on the mel scale (Stevens, Volkmann and Newman, 1937), which spaces
-- frequencies as they are heard. Input `[time]` or `[batch, time]`; output `[mel bins, frames]` or
-- `[batch, mel bins, frames]`.
-- @classmod cusp.layers.MelSpectrogram
-- @tparam[opt=2048] integer fft_length
-- @tparam[opt=512] integer sequence_stride samples between frames
-- @tparam[opt] integer sequence_length samples in a frame, by default fft_length
-- @tparam[opt="hann"] string|tensor window "hann", "hamming", values, or `cusp.null` for none
-- @tparam[opt=16000] number sampling_rate in Hz
-- @tparam[opt=128] integer num_mel_bins
-- @tparam[opt=20] number min_freq in Hz
-- @tparam[opt] number max_freq by default half of the sampling rate
-- @tparam[opt=true] boolean power_to_db whether in decibels
-- @tparam[opt=80] number top_db decibels below the loudest are cut off
-- @tparam[opt=2] number mag_exp exponent of the magnitude: 1 for amplitude, 2 for power
-- @tparam[opt=1e-10] number min_power
-- @tparam[opt=1] number ref_power what is 0 decibels
local Layer = require "cusp.layers.machinery.layer"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

local MelSpectrogram = Layer:extend("MelSpectrogram", {
  config = {
    {"fft_length", "integer", min = 1, default = 2048},
    {"sequence_stride", "integer", min = 1, default = 512},
    {"sequence_length", "integer", min = 1, optional = true},
    {"window", "any", default = "hann", optional = true},
    {"sampling_rate", "number", above = 0, default = 16000},
    {"num_mel_bins", "integer", min = 1, default = 128},
    {"min_freq", "number", min = 0, default = 20.0},
    {"max_freq", "number", above = 0, optional = true},
    options.flag("power_to_db", true), {"top_db", "number", default = 80.0},
    {"mag_exp", "number", default = 2.0},
    {"min_power", "number", default = 1e-10}, {"ref_power", "number", default = 1.0},
  },
})

function MelSpectrogram:init(args)
  self:configure(args, MelSpectrogram)
  self.sequence_length = self.sequence_length or self.fft_length
  self.max_freq = self.max_freq or math.tointeger(self.sampling_rate // 2) or self.sampling_rate / 2
  if self.fft_length < self.sequence_length then
    errors.raise("MelSpectrogram: fft_length (%d) should be at least sequence_length (%d)",
      self.fft_length, self.sequence_length)
  end
  Layer.init(self, args)
end

---------------------------------------------------------------- the mel scale

local function mel(hertz)
  return ops.multiply(ops.log(ops.add(ops.divide(hertz, 700.0), 1.0)), 1127.0)
end

local function vector(value, shape, dtype)
  return ops.reshape(engine.tensor(value, {dtype = dtype}), shape)
end

--- Triangular windows on the mel scale, `[frequencies, mel bins]`; the frequency 0 belongs to none.
-- In the dtype of the spectrogram, as Keras computes them: decibels near 0 show the difference.
local function mel_weights(self, frequencies, dtype)
  local bins = self.num_mel_bins
  local places = mel(ops.linspace(0.0, self.sampling_rate / 2, frequencies,
    {dtype = dtype}):slice{{2, frequencies}})
  places = ops.reshape(places, {frequencies - 1, 1})
  local low, high = mel(vector(self.min_freq, {}, dtype)):item(),
    mel(vector(self.max_freq, {}, dtype)):item()
  local edges = ops.linspace(low, high, bins + 2, {dtype = dtype})
  local function edge(first)
    return ops.reshape(edges:slice{{first, first + bins - 1}}, {1, bins})
  end
  local lower, center, upper = edge(1), edge(2), edge(3)
  local rising = ops.divide(ops.subtract(places, lower), ops.subtract(center, lower))
  local falling = ops.divide(ops.subtract(upper, places), ops.subtract(upper, center))
  local weights = ops.maximum(ops.minimum(rising, falling), 0.0)
  return ops.pad(weights, {{1, 0}, {0, 0}})
end

--- The windows as a tensor, made once.
local function weights_of(self, frequencies, dtype)
  local weights = self.__own.mel_weights
  if not weights or weights.dtype ~= dtype then
    weights = engine.untraced(mel_weights, self, frequencies, dtype)
    self.__own.mel_weights = weights
  end
  return weights
end

---------------------------------------------------------------- calls

local function decibels(self, power)
  local least = self.min_power
  local level = ops.multiply(ops.log10(ops.maximum(power, least)), 10.0)
  level = ops.subtract(level, 10 * math.log(math.max(math.abs(self.ref_power), least), 10))
  return ops.maximum(level, ops.subtract(ops.max(level), self.top_db))
end

function MelSpectrogram:call(inputs)
  local dtype = self.compute_dtype == "float64" and "float64" or "float32"
  local real, imaginary = ops.stft(ops.cast(inputs, dtype), {
    sequence_length = self.sequence_length, sequence_stride = self.sequence_stride,
    fft_length = self.fft_length, center = true,
    window = self.window or ops.ones({self.sequence_length}, dtype),
  })
  local magnitude = ops.sqrt(ops.add(ops.square(real), ops.square(imaginary)))
  local power = ops.power(magnitude, self.mag_exp)
  local outputs = ops.matmul(power, weights_of(self, self.fft_length // 2 + 1, dtype))
  if self.power_to_db then outputs = decibels(self, outputs) end
  return ops.cast(ops.swapaxes(outputs, -1, -2), self.compute_dtype)
end

return MelSpectrogram
