--- Normalisation, and what models of language add to it.
-- @module cusp.onnx.load.normalization
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local values = require "cusp.onnx.load.values"

local operators = {}

-- A value of each channel, against [batch, channels, spatial...].
local function per_channel(value, x)
  return ops.reshape(value, {1, -1, table.unpack(values.fill(#x.shape - 2, 1))})
end

local function all_but_channels(x)
  local axes = {1}
  for i = 3, #x.shape do axes[#axes + 1] = i end
  return axes
end

local function normalised(x, mean, variance, epsilon)
  return ops.multiply(ops.subtract(x, mean), ops.rsqrt(ops.add(variance, epsilon)))
end

local function batch_statistics(x)
  local axes = all_but_channels(x)
  return ops.mean(x, axes), ops.var(x, axes)
end

local function moving(old, new, momentum)
  return values.cast(ops.add(ops.multiply(old, momentum), ops.multiply(new, 1 - momentum)),
    old.dtype)
end

function operators.BatchNormalization(node, x, scale, bias, mean, variance)
  local momentum, training = node.a.momentum or 0.9, node.a.training_mode == 1
  local used_mean, used_variance = mean, variance
  if training then used_mean, used_variance = batch_statistics(x) end
  local y = normalised(x, per_channel(used_mean, x), per_channel(used_variance, x),
    node.a.epsilon or 1e-5)
  y = ops.add(ops.multiply(y, per_channel(scale, x)), per_channel(bias, x))
  y = values.cast(y, x.dtype)
  if not training then return y end
  return y, moving(mean, used_mean, momentum), moving(variance, used_variance, momentum)
end

function operators.InstanceNormalization(node, x, scale, bias)
  local axes = {}
  for i = 3, #x.shape do axes[#axes + 1] = i end
  local y = normalised(x, ops.mean(x, axes, true), ops.var(x, axes, true), node.a.epsilon or 1e-5)
  return ops.add(ops.multiply(y, per_channel(scale, x)), per_channel(bias, x))
end

function operators.GroupNormalization(node, x, scale, bias)
  local groups = node.a.num_groups
  local grouped = ops.reshape(x, {x.shape[1], groups, -1})
  local y = normalised(grouped, ops.mean(grouped, 3, true), ops.var(grouped, 3, true),
    node.a.epsilon or 1e-5)
  if node.opset < 21 then -- a value for each group
    local each = {1, groups, 1}
    y = ops.add(ops.multiply(y, ops.reshape(scale, each)), ops.reshape(bias, each))
    return ops.reshape(y, x.shape)
  end
  y = ops.reshape(y, x.shape)
  return values.cast(ops.add(ops.multiply(y, per_channel(scale, x)), per_channel(bias, x)),
    x.dtype)
end

local function trailing_axes(node, x)
  local axes = {}
  for i = values.position(node.a.axis or -1, #x.shape), #x.shape do axes[#axes + 1] = i end
  return axes
end

function operators.LayerNormalization(node, x, scale, bias)
  local axes, dtype = trailing_axes(node, x), x.dtype
  local wide = (dtype == "float16" or dtype == "bfloat16") and ops.cast(x, "float32") or x
  local mean, variance = ops.mean(wide, axes, true), ops.var(wide, axes, true)
  local inverse = ops.rsqrt(ops.add(variance, node.a.epsilon or 1e-5))
  local y = values.cast(ops.multiply(ops.subtract(wide, mean), inverse), dtype)
  if scale then y = ops.multiply(y, scale) end
  if bias then y = ops.add(y, bias) end
  return y, mean, inverse
end

function operators.RMSNormalization(node, x, scale)
  local axes = trailing_axes(node, x)
  local wide = (x.dtype == "float16" or x.dtype == "bfloat16") and ops.cast(x, "float32") or x
  local square = ops.mean(ops.square(wide), axes, true)
  local y = ops.multiply(wide, ops.rsqrt(ops.add(square, node.a.epsilon or 1e-5)))
  return ops.multiply(values.cast(y, x.dtype), scale)
end

operators.SimplifiedLayerNormalization = operators.RMSNormalization -- onnxruntime's name

---------------------------------------------------------------- rotary embeddings

local function halves(x, first, count)
  local indices = {}
  for i = first, first + count - 1 do indices[#indices + 1] = i end
  return ops.take(x, values.integers(indices), -1)
end

local function every_second(x, first)
  local indices = {}
  for i = first, x.shape[#x.shape] - 1, 2 do indices[#indices + 1] = i end
  return ops.take(x, values.integers(indices), -1)
end

-- x [batch, time, heads, size]; the two tables [batch, time, half of what is turned]
local function turn(x, cosines, sines, interleaved)
  local half = x.shape[4] // 2
  local first = interleaved and every_second(x, 0) or halves(x, 0, half)
  local second = interleaved and every_second(x, 1) or halves(x, half, half)
  cosines, sines = ops.expand_dims(cosines, 3), ops.expand_dims(sines, 3)
  local real = ops.subtract(ops.multiply(first, cosines), ops.multiply(second, sines))
  local imaginary = ops.add(ops.multiply(first, sines), ops.multiply(second, cosines))
  if not interleaved then return ops.concatenate({real, imaginary}, -1) end
  return ops.reshape(ops.stack({real, imaginary}, -1), x.shape)
end

function operators.RotaryEmbedding(node, x, cosines, sines, positions)
  local a, shape, four = node.a, x.shape, #x.shape == 4
  if not four and not a.num_heads then
    errors.raise "num_heads is needed for an input of rank 3"
  end
  local apart = four and ops.transpose(x, {1, 3, 2, 4})
    or ops.reshape(x, {shape[1], shape[2], a.num_heads, -1})
  local size = apart.shape[4]
  local turned = (a.rotary_embedding_dim or 0) > 0 and a.rotary_embedding_dim or size
  if positions then
    cosines, sines = ops.take(cosines, positions, 1), ops.take(sines, positions, 1)
  end
  local y = turn(turned == size and apart or halves(apart, 0, turned), cosines, sines,
    a.interleaved == 1)
  if turned < size then
    y = ops.concatenate({y, halves(apart, turned, size - turned)}, -1)
  end
  return four and ops.transpose(y, {1, 3, 2, 4}) or ops.reshape(y, shape)
end

return operators
