--- Kernels of a convolution that computes a short-time Fourier transform: the real or the imaginary
-- part. The shape is `[frame_length, 1, frequencies]`, where the transform has `2 * (frequencies -
-- 1)` points.
-- @classmod cusp.initializers.STFT
local Initializer = require "cusp.initializers.initializer"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local windows = require "cusp.ops.windows"

local function check_window(value)
  return type(value) == "string" and windows.exists(value) or type(value) == "table"
    or type(value) == "userdata"
end

require("cusp.base.kinds").define("window", {
  check = check_window,
  expects = function()
    return "one of " .. table.concat(windows.names(), ", ") .. ", or a list of numbers"
  end,
})

local function window_values(self, frame_length, dtype)
  local values = self.window
  if type(values) == "string" then values = windows.values(values, frame_length, self.periodic) end
  local window = ops.cast(ops.convert_to_tensor(values), dtype)
  if #window.shape ~= 1 or window.shape[1] ~= frame_length then
    errors.raise("STFT: the window should have shape [%d], got %s", frame_length,
      errors.shape(window.shape))
  end
  return ops.reshape(window, {frame_length, 1, 1})
end

return Initializer:extend("STFT", {
  config = {
    {"side", "choice", choices = {"real", "imag"}, default = "real"},
    {"window", "window", default = "hann", optional = true},
    {"scaling", "choice", choices = {"density", "spectrum"}, default = "density", optional = true},
    {"periodic", "boolean", default = false},
  },
  call = function(self, shape, dtype)
    if #shape ~= 3 then
      errors.raise("STFT: expected a shape of 3 axes, got %s", errors.shape(shape))
    end
    local frame_length, frequencies = shape[1], shape[3]
    local frequency = ops.reshape(ops.arange(0, frequencies, {dtype = dtype}), {1, 1, frequencies})
      / (2 * (frequencies - 1))
    local time = ops.reshape(ops.arange(0, frame_length, {dtype = dtype}), {frame_length, 1, 1})
    local angle = time * frequency * (-2 * math.pi)
    local kernel = self.side == "real" and ops.cos(angle) or ops.sin(angle)
    if self.window then
      local window = window_values(self, frame_length, dtype)
      kernel = kernel * window
      if self.scaling == "density" then kernel = kernel / ops.sqrt(ops.sum(window * window))
      elseif self.scaling == "spectrum" then kernel = kernel / ops.sum(ops.abs(window)) end
    end
    return ops.cast(kernel, dtype)
  end,
})
