--- Models of sequences that go on: a copy whose layers remember what came before
--
-- Run on one block of steps after another, it gives what the model gives for the whole sequence.
-- @module cusp.host.streaming
local Layer = require "cusp.layers.machinery.layer"
local Object = require "cusp.base.class"
local clone_model = require "cusp.models.clone"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local layers = require "cusp.layers"
local lists = require "cusp.base.lists"
local ops = require "cusp.ops"

local streaming = {}

-- A convolution, pooling or padding reaches back: the steps that it needs again come first.
local Remembering = Layer:extend("Remembering", {init = function(self, args)
  Layer.init(self, {name = args.inner.name})
  self.inner, self.width, self.batch = args.inner, args.width, args.batch
end})

function Remembering:build(shape)
  self.inner:build{shape[1], shape[2] + self.width, shape[3]}
  if self.width == 0 then return end
  self.history = engine.variable(ops.zeros({self.batch, self.width, shape[3]},
    self.inner.compute_dtype), {trainable = false})
  self.history.name = "history"
end

function Remembering:call(inputs)
  if self.width == 0 then return self.inner(inputs) end
  local all = ops.concatenate({self.history.value, ops.cast(inputs, self.history.dtype)}, 2)
  self.history:assign(all:slice{{}, {-self.width, -1}})
  return self.inner(all)
end

function Remembering:compute_output_shape(shape) -- luacheck: no self
  local inner = self.inner:compute_output_shape{shape[1], shape[2] + self.width, shape[3]}
  return {shape[1], shape[2], inner[3]}
end

local function refuse(layer, reason)
  errors.raise("stream: layer '%s' (%s) %s", layer.name, getmetatable(layer).__name, reason)
end

-- A copy has weights of its own: they are given those of the layer.
local function copy_of(layer, changes)
  local config = layer:get_config()
  for key, value in pairs(changes) do config[key] = value end
  return getmetatable(layer):from_config(config)
end

local function remembering(layer, state)
  local stride = math.max(table.unpack(layer.strides))
  if stride > 1 then refuse(layer, "has strides: a block would not give as many steps") end
  if layer.padding == "same" and layer.kernel_size[1] > 1 then
    refuse(layer, 'has padding "same" and so looks at steps to come; use "causal"')
  end
  if layer.data_format == "channels_first" then refuse(layer, "has its channels first") end
  local copy = copy_of(layer, {padding = "valid"})
  state.copies[#state.copies + 1] = {layer, copy}
  return Remembering{inner = copy, batch = state.batch,
    width = layer.dilation_rate[1] * (layer.kernel_size[1] - 1)}
end

local function recurrent(layer, state)
  if layer.go_backwards then refuse(layer, "goes backwards") end
  if not layer.return_sequences then
    refuse(layer, "gives its last step alone; streams need return_sequences = true")
  end
  local copy = copy_of(layer, {stateful = true})
  state.copies[#state.copies + 1] = {layer, copy}
  return copy
end

local reaching_back = {"Conv1D", "DepthwiseConv1D", "SeparableConv1D"}

-- Layers for which each step of the output comes from the same step of the input.
local step_by_step = {"InputLayer", "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Dropout",
  "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization",
  "Dense", "EinsumDense", "Embedding", "Identity", "Lambda", "LayerScale", "BatchNormalization",
  "RMSNormalization", "Rescaling", "Normalization", "TimeDistributed", "Add", "Subtract",
  "Multiply", "Average", "Maximum", "Minimum"}

local function is_any(layer, names)
  for _, name in ipairs(names) do
    if Object.is_instance(layer, layers[name]) then return true end
  end
  return false
end

local function along_channels(layer)
  local axis = layer.axis
  if type(axis) == "table" and #axis == 1 then axis = axis[1] end
  return axis == -1 or axis == 3
end

local function goes_along(layer)
  if is_any(layer, {"Softmax", "LayerNormalization", "Concatenate"}) then
    return along_channels(layer)
  end
  if Object.is_instance(layer, layers.RNN) then return false end
  return is_any(layer, step_by_step)
end

local function is_recurrent(layer)
  return is_any(layer, {"RNN", "LSTM", "GRU", "SimpleRNN"})
end

local function copy_layer(layer, state)
  if is_any(layer, reaching_back) then return remembering(layer, state) end
  if is_recurrent(layer) then return recurrent(layer, state) end
  if goes_along(layer) then return layer end
  refuse(layer, "may look at more steps than one at once")
end

local function copy_weights(state)
  for _, pair in ipairs(state.copies) do
    local to = {}
    for _, variable in ipairs(pair[2].weights) do
      if variable.name ~= "rnn_state" then to[#to + 1] = variable end
    end
    engine.assign_all(to, lists.pick(pair[1].weights, "value"))
  end
end

local function check(model, shape)
  if not model.__own.graph or #model.inputs ~= 1 or #model.outputs ~= 1
    or #model.inputs[1].shape ~= 3 or #model.outputs[1].shape ~= 3 then
    errors.raise("stream: '%s' should have one input and one output [batch, time, channels], with "
      .. "layers between them", model.name)
  end
  if #shape ~= 3 then
    errors.raise("stream: expected an input [batch, steps, channels], got %s", errors.shape(shape))
  end
end

--- A model of the same weights that goes on where its last call ended.
-- @tparam Model model between one input and one output `[batch, time, channels]`
-- @tparam table shape of the input of a call: `{batch, steps, channels}`
-- @treturn Model
-- @raise if a layer looks ahead, or at the whole sequence
function streaming.of(model, shape)
  check(model, shape)
  local state = {batch = shape[1], copies = {}}
  local input = layers.Input{batch_shape = {shape[1], shape[2], shape[3]},
    dtype = model.inputs[1].dtype}
  local copy = clone_model(model, {input_tensors = {input}, recursive = true,
    clone_function = function(layer) return copy_layer(layer, state) end})
  copy_weights(state)
  return copy
end

return streaming
