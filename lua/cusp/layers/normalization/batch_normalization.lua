--- Makes every feature's mean 0 and its variance 1, then scales and shifts it by what is learnt.
-- While training the batch's own mean and variance are used, and moving averages of them kept;
-- otherwise the moving averages are. A frozen layer (`trainable = false`) uses the moving averages
-- in training, too. Input and output: any shape.
-- @classmod cusp.layers.BatchNormalization
-- @tparam[opt=-1] integer axis of the features
-- @tparam[opt=0.99] number momentum of the moving averages
-- @tparam[opt=1e-3] number epsilon
-- @tparam[opt=true] boolean center add `beta`
-- @tparam[opt=true] boolean scale multiply by `gamma`
-- @param[opt] beta_initializer, gamma_initializer, moving_mean_initializer
-- @param[opt] moving_variance_initializer
-- @param[opt] beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint
-- @tparam[opt=false] boolean synchronized whether processes that train together
-- (`cusp.distribution`) normalise with the mean and variance of the whole batch rather than of
-- their parts
-- @tparam[opt=false] boolean renorm correct the batch's statistics towards averages of them (Ioffe,
-- "Batch renormalization", 2017)
-- @tparam[opt] table renorm_clipping any of `rmax`, `rmin`, `dmax`
-- @tparam[opt=0.99] number renorm_momentum
local Layer = require "cusp.layers.machinery.layer"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local replicas = require "cusp.base.replicas"
local shapes = require "cusp.base.shape"
local symbolic = require "cusp.symbolic.tensors"

local BatchNormalization = Layer:extend("BatchNormalization", {
  positional_order = "axis momentum epsilon center scale beta_initializer gamma_initializer "
    .. "moving_mean_initializer moving_variance_initializer beta_regularizer "
    .. "gamma_regularizer beta_constraint gamma_constraint renorm renorm_clipping "
    .. "renorm_momentum synchronized",
  supports_masking = true,
  call_arguments = {"training", "mask"},
  config = {
    {"axis", "axis", default = -1}, {"momentum", "number", default = 0.99},
    {"epsilon", "number", default = 1e-3},
    options.flag("center", true), options.flag("scale", true), options.initializer("beta", "zeros"),
    options.initializer("gamma", "ones"),
    options.initializer("moving_mean", "zeros"), options.initializer("moving_variance", "ones"),
    options.regularizer "beta",
    options.regularizer "gamma", options.constraint "beta", options.constraint "gamma",
    options.flag("synchronized", false),
    options.flag("renorm", false), {"renorm_clipping", "any", optional = true},
    {"renorm_momentum", "number", default = 0.99},
  },
})

local function check_clipping(clipping)
  if clipping == nil then return end
  if type(clipping) ~= "table" then
    errors.raise(
      "BatchNormalization: renorm_clipping should be a table of rmax, rmin and dmax, got %s",
      errors.describe(clipping))
  end
  for key in pairs(clipping) do
    if key ~= "rmax" and key ~= "rmin" and key ~= "dmax" then
      errors.raise("BatchNormalization: renorm_clipping has the keys rmax, rmin and dmax, not %s",
        errors.describe(key))
    end
  end
end

function BatchNormalization:init(args)
  self:configure(args, BatchNormalization)
  Layer.init(self, args)
  check_clipping(self.renorm_clipping)
  if self.renorm then self.renorm_clipping = self.renorm_clipping or ordered.object() end
end

--- The averages that a batch's own statistics are corrected towards: of deviations, not variances,
-- as in the paper.
local function build_renorm(self, shape)
  local variance = self.moving_variance_initializer
  local function deviation(sizes, kwargs) return ops.sqrt(variance(sizes, kwargs)) end
  self.moving_stddev = self:add_weight{name = "moving_stddev", shape = shape,
    initializer = deviation, trainable = false}
  self.renorm_mean = self:add_weight{
    name = "renorm_mean", shape = shape, initializer = self.moving_mean_initializer,
    trainable = false,
  }
  self.renorm_stddev = self:add_weight{name = "renorm_stddev", shape = shape,
    initializer = deviation, trainable = false}
end

function BatchNormalization:build(shape)
  local axis = self.axis < 0 and #shape + 1 + self.axis or self.axis
  local features = shape[axis]
  if features == nil then
    errors.raise("axis %d is out of range for an input of shape %s", self.axis, errors.shape(shape))
  end
  if features == shapes.None then
    errors.raise("axis %d of the input should have a known size, got %s", self.axis,
      errors.shape(shape))
  end
  if self.scale then self.gamma = options.weight(self, "gamma", {features}) end
  if self.center then self.beta = options.weight(self, "beta", {features}) end
  self.moving_mean = self:add_weight{
    name = "moving_mean", shape = {features}, initializer = self.moving_mean_initializer,
    trainable = false,
  }
  self.moving_variance = self:add_weight{
    name = "moving_variance", shape = {features}, initializer = self.moving_variance_initializer,
    trainable = false,
  }
  if self.renorm then build_renorm(self, {features}) end
  self.input_spec = {ndim = #shape, axes = {[axis] = features}}
end

local function same(sum) return sum end

-- A sum over the samples of all processes.
local function sum_of_all(sum) return replicas.mean(replicas.as_mean(sum)) end

-- Mean and variance over the steps that a mask leaves; `total` makes sums of the batch those that
-- count.
local function masked_moments(inputs, mask, axes, total)
  local epsilon = require("cusp.base.config").epsilon()
  local counted = ops.cast(ops.broadcast_to(ops.expand_dims(mask, -1), inputs.shape), "bool")
  local zeros = ops.zeros_like(inputs)
  local weight = ops.add(total(ops.sum(ops.cast(counted, inputs.dtype), axes, true)),
    epsilon)
  local mean = ops.divide(total(ops.sum(ops.where(counted, inputs, zeros), axes, true)), weight)
  local difference = ops.where(counted, ops.subtract(inputs, mean), zeros)
  local variance = ops.divide(total(ops.sum(ops.square(difference), axes, true)), weight)
  return ops.squeeze(mean, axes), ops.squeeze(variance, axes)
end

local function is_shared(self)
  return replicas.active and self.synchronized and not symbolic.standing()
end

--- Moves an average towards a value: the mean of those of all processes.
local function update(self, variable, value, momentum)
  if symbolic.standing() then return end
  if replicas.active and not self.synchronized then value = replicas.mean(value) end
  variable:assign(ops.add(ops.multiply(variable, momentum),
    ops.multiply(ops.cast(value, variable.dtype), 1 - momentum)))
end

-- Those of the last axis have a row of their own, which reads the inputs once.
local function moments(inputs, axes, axis)
  if axis == inputs.ndim then return ops.channel_moments(inputs) end
  return ops.moments(inputs, axes)
end

local function batch_statistics(self, inputs, mask, axis)
  local axes = {}
  for i = 1, inputs.ndim do
    if i ~= axis then axes[#axes + 1] = i end
  end
  local shared = is_shared(self)
  if mask then return masked_moments(inputs, mask, axes, shared and sum_of_all or same) end
  local mean, variance = moments(inputs, axes, axis)
  if not shared then return mean, variance end
  local common = replicas.mean(mean)
  return common, replicas.mean(variance + ops.square(mean - common))
end

--- Scale and shift with the corrections r and d: `(x r + d) gamma + beta`.
local function renormalise(self, mean, variance)
  local deviation = ops.sqrt(ops.add(variance, self.epsilon))
  local average = ops.maximum(self.renorm_stddev, math.sqrt(self.epsilon))
  local r = ops.divide(deviation, average)
  local d = ops.divide(ops.subtract(mean, self.renorm_mean), average)
  local clipping = self.renorm_clipping or {}
  if clipping.rmin then r = ops.maximum(r, clipping.rmin) end
  if clipping.rmax then r = ops.minimum(r, clipping.rmax) end
  if clipping.dmax then d = ops.clip(d, -clipping.dmax, clipping.dmax) end
  r, d = ops.stop_gradient(r), ops.stop_gradient(d)
  if self.scale then r, d = ops.multiply(r, self.gamma), ops.multiply(d, self.gamma) end
  update(self, self.renorm_mean, mean, self.renorm_momentum)
  update(self, self.renorm_stddev, deviation, self.renorm_momentum)
  update(self, self.moving_mean, mean, self.momentum)
  update(self, self.moving_stddev, deviation, self.momentum)
  if not symbolic.standing() then
    self.moving_variance:assign(ops.maximum(ops.subtract(ops.square(self.moving_stddev),
      self.epsilon), 0))
  end
  return r, self.center and ops.add(d, self.beta) or d
end

function BatchNormalization:call(inputs, args)
  local dtype = inputs.dtype
  local narrow = dtype ~= "float32" and dtype ~= "float64"
  if narrow then inputs = ops.cast(inputs, engine.promote(dtype, "float32")) end
  local mask = args.mask
  if mask and mask.ndim ~= inputs.ndim - 1 then
    errors.raise("the mask should have one axis less than the inputs, got %s",
      errors.shape(mask.shape))
  end
  local axis = self.axis < 0 and inputs.ndim + 1 + self.axis or self.axis
  local scale, offset = self.scale and self.gamma or nil, self.center and self.beta or nil
  local mean, variance
  if args.training and self.trainable then
    mean, variance = batch_statistics(self, inputs, mask, axis)
    if self.renorm then
      scale, offset = renormalise(self, mean, variance)
    else
      update(self, self.moving_mean, mean, self.momentum)
      update(self, self.moving_variance, variance, self.momentum)
    end
  else
    mean, variance = self.moving_mean.value, self.moving_variance.value
  end
  local outputs = ops.batch_normalization(inputs, mean, variance, {
    axis = axis, offset = offset, scale = scale, epsilon = self.epsilon,
  })
  return narrow and ops.cast(outputs, self.compute_dtype) or outputs
end

function BatchNormalization:compute_output_shape(input_shape)
  return input_shape
end

return BatchNormalization
