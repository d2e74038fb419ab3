--- Random changes of the inputs while training: `GaussianNoise`, `GaussianDropout`, `AlphaDropout`,
-- `SpatialDropout1D` ... `3D`, `ActivityRegularization`. Output: the shape of the input.
-- @module cusp.layers.regularization.noise
local Layer = require "cusp.layers.machinery.layer"
local null = require "cusp.base.null"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local random = require "cusp.tensors.random"
local regularizers = require "cusp.regularizers"
local shapes = require "cusp.base.shape"

local function make_generator(self) self.generator = random.SeedGenerator{self.seed} end
local function same_shape(_, input_shape) return input_shape end

--- Adds noise of a normal distribution around 0.
-- @tparam number stddev
-- @tparam[opt] integer seed
local GaussianNoise = Layer:extend("GaussianNoise", {
  supports_masking = true,
  call_arguments = {"training"},
  config = {{"stddev", "number", min = 0}, options.seed()},
  build = make_generator,
  compute_output_shape = same_shape,
  call = function(self, inputs, args)
    if not args.training or self.stddev == 0 then return inputs end
    return ops.add(inputs,
      random.normal(inputs.shape,
        {stddev = self.stddev, dtype = inputs.dtype, seed = self.generator}))
  end,
})

--- Multiplies by noise of a normal distribution around 1 (Srivastava et al., "Dropout", 2014).
-- @tparam number rate the noise has the deviation `sqrt(rate / (1 - rate))`
-- @tparam[opt] integer seed
local GaussianDropout = Layer:extend("GaussianDropout", {
  supports_masking = true,
  call_arguments = {"training"},
  config = {{"rate", "number", min = 0, max = 1}, options.seed()},
  build = make_generator,
  compute_output_shape = same_shape,
  call = function(self, inputs, args)
    if not args.training or self.rate == 0 then return inputs end
    local stddev = math.sqrt(self.rate / (1 - self.rate))
    return ops.multiply(inputs,
      random.normal(inputs.shape,
        {mean = 1, stddev = stddev, dtype = inputs.dtype, seed = self.generator}))
  end,
})

-- The value that SELU takes far below 0 (Klambauer et al., "Self-normalizing neural networks",
-- 2017).
local saturated = -1.7580993408473766

--- Dropout that keeps mean and variance where `selu` is the activation.
-- @tparam number rate
-- @tparam[opt] table noise_shape
-- @tparam[opt] integer seed
local AlphaDropout = Layer:extend("AlphaDropout", {
  supports_masking = true,
  call_arguments = {"training"},
  config = {{"rate", "number", min = 0, max = 1}, {"noise_shape", "shape", optional = true},
    options.seed()},
  build = make_generator,
  compute_output_shape = same_shape,
  call = function(self, inputs, args)
    if not args.training or self.rate == 0 then return inputs end
    local shape = inputs.shape
    local noise_shape = {}
    for i, size in ipairs(self.noise_shape or shape) do
      noise_shape[i] = size == shapes.None and shape[i] or size
    end
    local uniform = random.uniform(noise_shape, {dtype = inputs.dtype, seed = self.generator})
    local kept = ops.cast(ops.greater_equal(uniform, self.rate), inputs.dtype)
    local a = ((1 - self.rate) * (1 + self.rate * saturated ^ 2)) ^ -0.5
    local b = -a * saturated * self.rate
    local mixed = ops.add(ops.multiply(inputs, kept),
      ops.multiply(ops.subtract(1, kept), saturated))
    return ops.add(ops.multiply(mixed, a), b)
  end,
})

-- Keras's class takes no other argument, and refuses a configuration that has one.
local function spatial_config(self)
  local config = ordered.object({rate = self.rate, seed = self.seed or null, name = self.name,
    dtype = self.__own.policy.name},
    {"rate", "seed", "name", "dtype"})
  if self.data_format then ordered.set(config, "data_format", self.data_format) end
  return config
end

--- Dropout of whole channels: neighbouring steps or pixels are alike, so that dropping single ones
-- drops little.
-- @tparam number rate
-- @tparam[opt] integer seed
local function make_spatial(rank)
  local rows = {{"rate", "number", min = 0, max = 1}}
  if rank > 1 then rows[2] = options.data_format() end
  rows[#rows + 1] = options.seed()
  return Layer:extend(("SpatialDropout%dD"):format(rank), {
    supports_masking = true,
    call_arguments = {"training"},
    input_spec = {ndim = rank + 2},
    positional_order = rank > 1 and "rate data_format seed name dtype" or "rate seed name dtype",
    config = rows,
    build = make_generator,
    compute_output_shape = same_shape,
    get_config = spatial_config,
    call = function(self, inputs, args)
      if not args.training or self.rate == 0 then return inputs end
      local shape, noise_shape = inputs.shape, {}
      local channels = options.channels_first(self) and 2 or #shape
      for axis, size in ipairs(shape) do
        noise_shape[axis] = (axis == 1 or axis == channels) and size or 1
      end
      return random.dropout(inputs, self.rate, {noise_shape = noise_shape, seed = self.generator})
    end,
  })
end

--- Adds a penalty on the inputs to the loss, and gives them back.
-- @tparam[opt=0] number l1
-- @tparam[opt=0] number l2
local ActivityRegularization = Layer:extend("ActivityRegularization", {
  supports_masking = true,
  config = {{"l1", "number", min = 0, default = 0.0}, {"l2", "number", min = 0, default = 0.0}},
  call = function(self, inputs)
    local penalty = regularizers.L1L2{l1 = self.l1, l2 = self.l2}(inputs)
    self:add_loss(ops.divide(penalty, math.max(inputs.shape[1] or 1, 1)))
    return inputs
  end,
  compute_output_shape = same_shape,
})

return {
  GaussianNoise = GaussianNoise, GaussianDropout = GaussianDropout, AlphaDropout = AlphaDropout,
  SpatialDropout1D = make_spatial(1), SpatialDropout2D = make_spatial(2),
  SpatialDropout3D = make_spatial(3),
  ActivityRegularization = ActivityRegularization,
}
