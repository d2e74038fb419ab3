--- Initializers that scale the variance to the number of inputs or outputs: VarianceScaling,
-- Glorot, He, Lecun. Glorot & Bengio, "Understanding the difficulty of training deep feedforward
-- neural networks" (2010); He et al., "Delving deep into rectifiers" (2015); LeCun et al.,
-- "Efficient backprop" (1998).
-- @module cusp.initializers.variance_scaling
local base = require "cusp.initializers.random"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local ordered = require "cusp.base.ordered"
local random = require "cusp.tensors.random"

local initializers = {}

-- A unit normal truncated at two has this standard deviation.
local truncated_deviation = 0.87962566103423978

local function product(shape, axes, owner)
  local result = 1
  for _, axis in ipairs(axes) do
    local size = shape[axis < 0 and #shape + 1 + axis or axis]
    if not size then
      errors.raise("%s: axis %d is not one of a weight of shape %s", owner, axis,
        errors.shape(shape))
    end
    result = result * size
  end
  return result
end

local function as_list(axes)
  return type(axes) == "number" and {axes} or axes
end

--- The number of inputs and outputs of a weight.
-- Matrices are `[in, out]`, convolution kernels `[..., in_channels, filters]`, whose window counts
-- for both.
-- @tparam {integer,...} shape
-- @tparam[opt] {integer,...} input_axes,output_axes the axes of inputs and outputs, if not the
-- default ones
-- @treturn integer fan in
-- @treturn integer fan out
function initializers.fans(shape, input_axes, output_axes)
  if input_axes and output_axes then
    return product(shape, as_list(input_axes), "VarianceScaling"),
      product(shape, as_list(output_axes), "VarianceScaling")
  end
  if #shape == 0 then return 1, 1 end
  if #shape == 1 then return shape[1], shape[1] end
  local window = 1
  for i = 1, #shape - 2 do window = window * shape[i] end
  return shape[#shape - 1] * window, shape[#shape] * window
end

local axes = {
  {"input_axes", "axes", optional = true},
  {"output_axes", "axes", optional = true},
}

--- Values whose variance is `scale / n`, where n is the fan in, the fan out, or their mean.
local VarianceScaling = base.RandomInitializer:extend("VarianceScaling", {
  config = {
    {"scale", "number", default = 1.0, above = 0},
    {"mode", "choice", choices = {"fan_in", "fan_out", "fan_avg"}, default = "fan_in"},
    {"distribution", "choice",
      choices = {"truncated_normal", "untruncated_normal", "uniform", "normal"},
      default = "truncated_normal"},
    base.seed_parameter, axes[1], axes[2],
  },
})
initializers.VarianceScaling = VarianceScaling

function VarianceScaling:call(shape, dtype)
  local fan_in, fan_out = initializers.fans(shape, self.input_axes, self.output_axes)
  local n = self.mode == "fan_in" and fan_in or self.mode == "fan_out" and fan_out
    or (fan_in + fan_out) / 2
  local variance = self.scale / math.max(1, n)
  if self.distribution == "uniform" then
    local limit = math.sqrt(3 * variance)
    return random.uniform(shape, -limit, limit, dtype, self:draw_seed())
  elseif self.distribution == "untruncated_normal" then
    return random.normal(shape, 0.0, math.sqrt(variance), dtype, self:draw_seed())
  end
  return random.truncated_normal(shape, 0.0, math.sqrt(variance) / truncated_deviation, dtype,
    self:draw_seed())
end

-- The named classes are VarianceScaling with fixed settings; the seed and the axes are free.
local function named(name, scale, mode, distribution)
  local config = {base.seed_parameter, axes[1], axes[2]}
  initializers[name] = VarianceScaling:extend(name, {
    config = config,
    scale = scale, mode = mode, distribution = distribution,
    init = function(self, args) self:configure(args, initializers[name]) end,
    get_config = function(self)
      local result = base.RandomInitializer.get_config(self)
      for _, parameter in ipairs(config) do
        ordered.set(result, parameter[1], kinds.to_config(parameter, self[parameter[1]]))
      end
      return result
    end,
  })
end

named("GlorotUniform", 1.0, "fan_avg", "uniform")
named("GlorotNormal", 1.0, "fan_avg", "truncated_normal")
named("HeUniform", 2.0, "fan_in", "uniform")
named("HeNormal", 2.0, "fan_in", "truncated_normal")
named("LecunUniform", 1.0, "fan_in", "uniform")
named("LecunNormal", 1.0, "fan_in", "truncated_normal")

return initializers
