--- Divides a layer's kernel by its largest singular value, estimated by power iteration, at each
-- training call. (Miyato et al., "Spectral normalization for generative adversarial networks",
-- 2018.)
-- @classmod cusp.layers.SpectralNormalization
-- @tparam Layer layer one with a kernel or embeddings
-- @tparam[opt=1] integer power_iterations
local Layer = require "cusp.layers.machinery.layer"
local Wrapper = require "cusp.layers.machinery.wrapper"
local errors = require "cusp.base.errors"
local initializers = require "cusp.initializers"
local ops = require "cusp.ops"
local sharding = require "cusp.base.sharding"
local symbolic = require "cusp.symbolic.tensors"

local SpectralNormalization = Wrapper:extend("SpectralNormalization", {
  call_arguments = {"training"},
  config = {{"layer", "layer"}, {"power_iterations", "integer", min = 1, default = 1}},
})

function SpectralNormalization:init(args)
  self:configure(args, SpectralNormalization)
  Layer.init(self, args)
end

function SpectralNormalization:build(shape)
  Wrapper.build(self, shape)
  self.input_spec = {min_ndim = 1, axes = {[-1] = shape[#shape]}}
  self.kernel = self.layer.kernel or self.layer.embeddings
  if not self.kernel then
    errors.raise("%s has neither a kernel nor embeddings", tostring(self.layer))
  end
  sharding.check_whole(self.name, {self.kernel}, "its norm is that of the whole")
  local sizes = self.kernel.shape
  self.vector_u = self:add_weight{
    name = "vector_u", shape = {1, sizes[#sizes]},
    initializer = initializers.TruncatedNormal{stddev = 0.02}, trainable = false,
  }
end

local function unit(x)
  return ops.multiply(x, ops.rsqrt(ops.maximum(ops.sum(ops.square(x)), 1e-12)))
end

--- Normalises the kernel in place, unless it is all zeros.
local function normalise(self)
  local kernel, sizes = self.kernel.value, self.kernel.shape
  local weights = ops.reshape(kernel, {-1, sizes[#sizes]})
  local u, v = self.vector_u.value, nil
  for _ = 1, self.power_iterations do
    v = unit(ops.matmul(u, ops.transpose(weights)))
    u = unit(ops.matmul(v, weights))
  end
  u, v = ops.stop_gradient(u), ops.stop_gradient(v)
  local sigma = ops.reshape(ops.matmul(ops.matmul(v, weights), ops.transpose(u)), {})
  local zero = ops.all(ops.equal(kernel, 0))
  self.kernel:assign(ops.where(zero, kernel,
    ops.divide(kernel, ops.where(zero, ops.ones_like(sigma), sigma))))
  self.vector_u:assign(ops.where(zero, self.vector_u.value, u))
end

function SpectralNormalization:call(inputs, args)
  if args.training and not symbolic.standing() then normalise(self) end
  return ops.cast(self.layer(inputs, {training = args.training}), inputs.dtype)
end

function SpectralNormalization:compute_output_shape(input_shape)
  return self.layer:compute_output_shape(input_shape)
end

return SpectralNormalization
