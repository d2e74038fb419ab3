--- Normalisation within each sample: `LayerNormalization`, `GroupNormalization`,
-- `RMSNormalization`, `UnitNormalization`. Input and output: any shape.
-- @module cusp.layers.normalization.normalizations
local Layer = require "cusp.layers.machinery.layer"
local errors = require "cusp.base.errors"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local plain = require "cusp.base.plain"
local shapes = require "cusp.base.shape"

local function same_shape(_, input_shape) return input_shape end

local function scale_and_shift_rows()
  return {
    options.initializer("beta", "zeros"), options.initializer("gamma", "ones"),
    options.regularizer "beta", options.regularizer "gamma",
    options.constraint "beta", options.constraint "gamma",
  }
end

--- The axes as a sorted list of positive ones.
local function positive_axes(axis, ndim)
  local list, result = type(axis) == "table" and axis or {axis}, {}
  for i, one in ipairs(list) do
    result[i] = one < 0 and ndim + 1 + one or one
    if result[i] < 1 or result[i] > ndim then
      errors.raise("axis %d is out of range for an input of %d axes", one, ndim)
    end
  end
  plain.sort(result)
  return result
end

--- A shape of ones but for the given axes, where it is the input's.
local function broadcast_shape(shape, axes)
  local result = {}
  for i = 1, #shape do result[i] = 1 end
  for _, axis in ipairs(axes) do result[axis] = shape[axis] end
  return result
end

local function in_float32(inputs)
  local dtype = inputs.dtype
  if dtype == "float16" or dtype == "bfloat16" then return ops.cast(inputs, "float32"), dtype end
  return inputs, nil
end

--- Mean 0 and variance 1 over the given axes (Ba et al., "Layer normalization", 2016), then `gamma`
-- and `beta`.
-- @tparam[opt=-1] integer|table axis
-- @tparam[opt=1e-3] number epsilon
-- @tparam[opt=true] boolean center
-- @tparam[opt=true] boolean scale
-- Keras keeps the axis of these as a list once they are built.
local function list_axis(class)
  local unbuilt_config = class.get_config
  function class:get_config()
    local config = unbuilt_config(self)
    if self.built and type(config.axis) == "number" then config.axis = {config.axis} end
    return config
  end
end

local LayerNormalization = Layer:extend("LayerNormalization", {
  positional_order =
    "axis epsilon center scale beta_initializer gamma_initializer beta_regularizer "
    .. "gamma_regularizer beta_constraint gamma_constraint",
  supports_masking = true,
  compute_output_shape = same_shape,
  config = options.join({
    {"axis", "axes", default = -1}, {"epsilon", "number", default = 1e-3},
    options.flag("center", true), options.flag("scale", true),
    options.flag("rms_scaling", false),
  }, scale_and_shift_rows()),
})

list_axis(LayerNormalization)

function LayerNormalization:build(shape)
  local axes, sizes = positive_axes(self.axis, #shape), {}
  for i, axis in ipairs(axes) do
    if shape[axis] == shapes.None then
      errors.raise("axis %d of the input should have a known size, got %s", axis,
        errors.shape(shape))
    end
    sizes[i] = shape[axis]
  end
  if self.scale or self.rms_scaling then self.gamma = options.weight(self, "gamma", sizes) end
  if self.center and not self.rms_scaling then self.beta = options.weight(self, "beta", sizes) end
end

--- Brings a weight beside the inputs' axes.
local function beside(weight, inputs, axes)
  if #axes == 1 and axes[1] == inputs.ndim then return weight end
  return ops.reshape(weight, broadcast_shape(inputs.shape, axes))
end

function LayerNormalization:call(inputs)
  local narrow
  inputs, narrow = in_float32(inputs)
  local axes = positive_axes(self.axis, inputs.ndim)
  local outputs
  if self.rms_scaling then
    local variance = ops.var(inputs, axes, true)
    outputs = ops.multiply(ops.multiply(inputs, ops.rsqrt(ops.add(variance, self.epsilon))),
      beside(self.gamma, inputs, axes))
  else
    local mean, variance = ops.moments(inputs, axes, true)
    outputs = ops.multiply(ops.subtract(inputs, mean), ops.rsqrt(ops.add(variance, self.epsilon)))
    if self.scale then outputs = ops.multiply(outputs, beside(self.gamma, inputs, axes)) end
    if self.center then outputs = ops.add(outputs, beside(self.beta, inputs, axes)) end
  end
  return narrow and ops.cast(outputs, self.compute_dtype) or outputs
end

--- Layer normalisation over groups of channels (Wu and He, "Group normalization", 2018).
-- @tparam[opt=32] integer groups -1: as many as channels
-- @tparam[opt=-1] integer axis of the channels
-- @tparam[opt=1e-3] number epsilon
local GroupNormalization = Layer:extend("GroupNormalization", {
  supports_masking = true,
  compute_output_shape = same_shape,
  config = options.join({
    {"groups", "integer", default = 32}, {"axis", "axis", default = -1},
    {"epsilon", "number", default = 1e-3},
    options.flag("center", true), options.flag("scale", true),
  }, scale_and_shift_rows()),
})

function GroupNormalization:build(shape)
  local axis = positive_axes(self.axis, #shape)[1]
  local channels = shape[axis]
  if math.type(channels) ~= "integer" then
    errors.raise("axis %d of the input should have a known size, got %s", axis, errors.shape(shape))
  end
  if self.groups == -1 then self.groups = channels end
  if channels < self.groups or channels % self.groups ~= 0 then
    errors.raise("the number of channels (%d) should be a multiple of groups (%d)", channels,
      self.groups)
  end
  if self.scale then self.gamma = options.weight(self, "gamma", {channels}) end
  if self.center then self.beta = options.weight(self, "beta", {channels}) end
  self.input_spec = {ndim = #shape, axes = {[axis] = channels}}
end

function GroupNormalization:call(inputs)
  local narrow
  inputs, narrow = in_float32(inputs)
  local shape = inputs.shape
  local axis = positive_axes(self.axis, #shape)[1]
  local grouped = table.move(shape, 1, #shape, 1, {})
  grouped[axis] = shape[axis] // self.groups
  table.insert(grouped, axis, self.groups)
  local axes = {}
  for i = 2, #grouped do
    if i ~= axis then axes[#axes + 1] = i end
  end
  local outputs = ops.reshape(inputs, grouped)
  local mean, variance = ops.moments(outputs, axes, true)
  outputs = ops.multiply(ops.subtract(outputs, mean), ops.rsqrt(ops.add(variance, self.epsilon)))
  outputs = ops.reshape(outputs, shape)
  if self.scale then outputs = ops.multiply(outputs, beside(self.gamma, inputs, {axis})) end
  if self.center then outputs = ops.add(outputs, beside(self.beta, inputs, {axis})) end
  return narrow and ops.cast(outputs, self.compute_dtype) or outputs
end

--- Divides by the root of the mean square (Zhang and Sennrich, "Root mean square layer
-- normalization", 2019), then scales.
-- @tparam[opt=-1] integer|table axis
-- @tparam[opt=1e-6] number epsilon
local RMSNormalization = Layer:extend("RMSNormalization", {
  compute_output_shape = same_shape,
  config = {{"axis", "axes", default = -1}, {"epsilon", "number", default = 1e-6}},
})

list_axis(RMSNormalization)

function RMSNormalization:build(shape)
  local axes, sizes = positive_axes(self.axis, #shape), {}
  for i, axis in ipairs(axes) do sizes[i] = shape[axis] end
  self.scale = self:add_weight{name = "scale", shape = sizes, initializer = "ones"}
end

function RMSNormalization:call(inputs)
  local narrow
  inputs, narrow = in_float32(inputs)
  local axes = positive_axes(self.axis, inputs.ndim)
  local square = ops.mean(ops.square(inputs), axes, true)
  local outputs = ops.multiply(ops.multiply(inputs, ops.rsqrt(ops.add(square, self.epsilon))),
    beside(self.scale, inputs, axes))
  return narrow and ops.cast(outputs, self.compute_dtype) or outputs
end

--- Divides each sample by its length along the given axes.
-- @tparam[opt=-1] integer|table axis
local UnitNormalization = Layer:extend("UnitNormalization", {
  supports_masking = true,
  compute_output_shape = same_shape,
  config = {{"axis", "axes", default = -1}},
  call = function(self, inputs)
    local axes = positive_axes(self.axis, inputs.ndim)
    local square = ops.sum(ops.square(inputs), axes, true)
    return ops.multiply(inputs, ops.rsqrt(ops.maximum(square, 1e-12)))
  end,
})

return {
  LayerNormalization = LayerNormalization, GroupNormalization = GroupNormalization,
  RMSNormalization = RMSNormalization,
  UnitNormalization = UnitNormalization,
}
