--- Merges batch normalisation into the layers before it, for inference.
-- @module cusp.utils.fuse_batch_normalization
local arguments = require "cusp.base.arguments"
local clone_model = require "cusp.models.clone"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

---------------------------------------------------------------- numbers

-- Which axes of a kernel are those of the output, by class.
local output_axes = {
  Dense = {-1}, Conv1D = {-1}, Conv2D = {-1}, Conv3D = {-1}, Conv1DTranspose = {-2},
  Conv2DTranspose = {-2}, Conv3DTranspose = {-2}, DepthwiseConv1D = {-2, -1},
  DepthwiseConv2D = {-2, -1}, SeparableConv1D = {-1}, SeparableConv2D = {-1},
}

local function kernel_of(layer)
  return layer.pointwise_kernel or layer.depthwise_kernel or layer.kernel
end

-- Scale and offset of a normalisation by its moving statistics.
local function scale_and_offset(normalization)
  local deviation = ops.sqrt(ops.add(normalization.moving_variance.value, normalization.epsilon))
  local scale = ops.divide(normalization.gamma and normalization.gamma.value or 1.0, deviation)
  local offset = ops.negative(ops.multiply(normalization.moving_mean.value, scale))
  local beta = normalization.beta
  return scale, beta and ops.add(offset, beta.value) or offset
end

local function along(scale, kernel, axes)
  local shape, rank = {}, #kernel.shape
  for i = 1, rank do shape[i] = 1 end
  for _, axis in ipairs(axes) do shape[rank + 1 + axis] = kernel.shape[rank + 1 + axis] end
  return ops.reshape(scale, shape)
end

local function merge_weights(copy, layer, normalization)
  local scale, offset = scale_and_offset(normalization)
  for i, variable in ipairs(layer.weights) do
    if variable ~= layer.bias then copy.weights[i]:assign(variable.value) end
  end
  local kernel = kernel_of(copy)
  kernel:assign(ops.multiply(kernel.value, along(scale, kernel, output_axes[layer.__name])))
  local bias = layer.bias and ops.multiply(layer.bias.value, scale)
  copy.bias:assign(bias and ops.add(bias, offset) or offset)
end

---------------------------------------------------------------- what can be merged

local function is_linear(layer)
  local config = layer:get_config()
  return config.activation == nil or config.activation == "linear"
    or config.activation == require "cusp.base.null"
end

local function channel_axis(layer, rank)
  return layer.data_format == "channels_first" and 2 or rank
end

local function can_merge(layer, normalization)
  if not layer.__library or not output_axes[layer.__name] or layer.lora_enabled
    or normalization.__name ~= "BatchNormalization" or not normalization.__library then
    return false
  end
  local rank = #layer.output.shape
  local axis = normalization:get_config().axis
  if type(axis) == "table" then axis = axis[1] end
  axis = axis < 0 and rank + axis + 1 or axis + 1
  return layer.built and normalization.built and axis == channel_axis(layer, rank)
    and is_linear(layer)
end

-- Of a graph, the normalisations by the layer that each is merged into. Both may be used once only.
local function pairs_of_graph(graph)
  local uses, producer, calls = {}, {}, {}
  for _, step in ipairs(graph.steps) do
    calls[step.operation] = (calls[step.operation] or 0) + 1
    for _, tensor in ipairs(step.outputs) do producer[tensor] = step.operation end
    for _, tensor in ipairs(step.node.input_tensors) do uses[tensor] = (uses[tensor] or 0) + 1 end
  end
  for _, tensor in ipairs(graph.outputs) do uses[tensor] = (uses[tensor] or 0) + 1 end
  local found = {}
  for _, step in ipairs(graph.steps) do
    local tensor = step.node.input_tensors[1]
    local layer = producer[tensor]
    if layer and layer.__is_layer and step.operation.__is_layer and uses[tensor] == 1
      and calls[layer] == 1 and calls[step.operation] == 1 and can_merge(layer, step.operation) then
      found[layer] = step.operation
    end
  end
  return found
end

local function pairs_of_stack(layers)
  local found = {}
  for i = 2, #layers do
    if can_merge(layers[i - 1], layers[i]) then found[layers[i - 1]] = layers[i] end
  end
  return found
end

---------------------------------------------------------------- the copy

local fuse

local function copy_layer(layer, merged)
  if layer.__is_model and (layer.__own.stack or layer.__own.graph) then return fuse(layer) end
  local config = layer:get_config()
  if merged[layer] then config.use_bias = true end
  return getmetatable(layer):from_config(config)
end

local function fuse_graph(model, merged, copies)
  local normalizations, original = {}, {}
  for _, normalization in pairs(merged) do normalizations[normalization] = true end
  return clone_model(model, {
    clone_function = function(layer)
      local copy = copy_layer(layer, merged)
      copies[layer], original[copy] = copy, layer
      return copy
    end,
    call_function = function(operation, first, ...)
      if normalizations[original[operation]] then return first end
      return operation(first, ...)
    end,
  })
end

local function fuse_stack(model, merged, copies)
  local skipped = {}
  for _, normalization in pairs(merged) do skipped[normalization] = true end
  local copy = getmetatable(model){name = model.name}
  copy:add(require("cusp.layers").Input{batch_shape = model.inputs[1].shape,
    dtype = model.inputs[1].dtype})
  for _, layer in ipairs(model.layers) do
    if not skipped[layer] then
      copies[layer] = copy_layer(layer, merged)
      copy:add(copies[layer])
    end
  end
  return copy
end

function fuse(model)
  local copies, is_stack = {}, model.__own.stack ~= nil
  local merged = is_stack and pairs_of_stack(model.layers) or not is_stack
    and pairs_of_graph(model.__own.graph)
  local copy = (is_stack and fuse_stack or fuse_graph)(model, merged, copies)
  for layer, new in pairs(copies) do
    if merged[layer] then merge_weights(new, layer, merged[layer])
    elseif not (layer.__is_model and (layer.__own.stack or layer.__own.graph)) then
      for i, variable in ipairs(new.built and layer.weights or {}) do
        new.weights[i]:assign(variable.value)
      end
    end
  end
  return copy
end

local parameters = {{"model", "any"}}

--- A copy of a model in which each batch normalisation behind a convolution or a dense layer is
-- merged into that layer's weights. It predicts the same with fewer layers, and is not meant for
-- training.
-- @function cusp.utils.fuse_batch_normalization
-- @tparam Model model functional or sequential, built
-- @treturn Model not compiled
-- @raise for a model of a class of its own, or one that is not built
-- @usage local fast = cusp.utils.fuse_batch_normalization(model)
return function(...)
  local model = arguments.bind("fuse_batch_normalization", parameters, false, ...)
  if type(model) ~= "table" or not model.__is_model then
    errors.raise("fuse_batch_normalization: expected a model, got %s", errors.describe(model))
  end
  if not model.__own.stack and not model.__own.graph or not model.built or not model.inputs then
    errors.raise("fuse_batch_normalization: expected a functional or sequential model that is "
      .. "built, got %s", errors.describe(model))
  end
  return fuse(model)
end
