--- Runs a recurrent layer over a sequence in both directions and merges what both give.
-- Input `[batch, time, features]`; output that of the layer with, for "concat", twice the units.
-- @classmod cusp.layers.Bidirectional
-- @tparam Layer layer a recurrent layer; it is copied for each direction
-- @tparam[opt="concat"] string merge_mode "concat", "sum", "mul", "ave", or `cusp.null` for a list
-- of both
-- @tparam[opt] Layer backward_layer
-- @usage local both = layers.Bidirectional(layers.LSTM(16))
local Layer = require "cusp.layers.machinery.layer"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local structure = require "cusp.base.structure"
local plain = require "cusp.base.plain"
local registry = require "cusp.base.registry"

local Bidirectional = Layer:extend("Bidirectional", {
  supports_masking = true,
  stands_in = true,
  call_arguments = {"initial_state", "mask", "training"},
  config = {
    {"layer", "layer"}, {"merge_mode", "choice", choices = {"concat", "sum", "mul", "ave"},
      default = "concat"},
    {"weights", "any", optional = true, transient = true},
    {"backward_layer", "layer", optional = true},
  },
})

--- A copy of a layer that runs in a direction, under a name of its own.
local function copy_of(layer, prefix, go_backwards)
  local config = ordered.copy(layer:get_config())
  config.name = prefix .. "_" .. layer.name:gsub("^" .. prefix .. "_", "")
  if go_backwards ~= nil then config.go_backwards = go_backwards end
  return getmetatable(layer):from_config(config)
end

local function check_alike(self)
  local forward, backward = self.forward_layer, self.backward_layer
  if forward.go_backwards == backward.go_backwards then
    errors.raise(
      "Bidirectional: one layer should go forwards and the other backwards, but both have "
      .. "go_backwards = %s",
      plain.tostring(forward.go_backwards))
  end
  for _, name in ipairs{"stateful", "return_sequences", "return_state"} do
    if forward[name] ~= backward[name] then
      errors.raise("Bidirectional: both layers should have the same %s, got %s and %s", name,
        plain.tostring(forward[name]),
        plain.tostring(backward[name]))
    end
  end
end

function Bidirectional:init(args)
  self:configure(args, Bidirectional)
  Layer.init(self, args)
  local layer, backward = self.layer, self.backward_layer
  self.layer = nil
  self.backward_layer = nil
  -- Weights come in the order of assignment: the forward layer's first, though `backward_layer` was
  -- read as an argument before.
  local order = self.__order
  if order.backward_layer then
    for i = #order, 1, -1 do
      if order[i] == "backward_layer" then table.remove(order, i) end
    end
    order.backward_layer = nil
  end
  self.weights = nil
  if layer.return_sequences == nil then
    errors.raise("Bidirectional: expected a recurrent layer, got %s", errors.describe(layer))
  end
  self.forward_layer = copy_of(layer, "forward")
  self.__own.given_backward = backward ~= nil
  self.backward_layer = backward or copy_of(layer, "backward", not layer.go_backwards)
  check_alike(self)
  -- Masked steps must not pass the neighbour's output on to the other direction's.
  self.forward_layer.zero_output_for_mask = layer.return_sequences
  self.backward_layer.zero_output_for_mask = layer.return_sequences
  self.return_sequences, self.return_state, self.stateful = layer.return_sequences,
    layer.return_state, layer.stateful
  self.input_spec = layer.input_spec
end

--- Forwards first: the order of the weights.
function Bidirectional:sublayers() return {self.forward_layer, self.backward_layer} end

function Bidirectional:build(shape)
  if not structure.is_shape(shape) then shape = shape[1] end
  if not self.forward_layer.built then self.forward_layer:build(shape) end
  if not self.backward_layer.built then self.backward_layer:build(shape) end
end

local function merge(self, forward, backward)
  local mode = self.merge_mode
  if mode == "concat" then return ops.concatenate({forward, backward}, -1) end
  if mode == "sum" then return ops.add(forward, backward) end
  if mode == "ave" then return ops.divide(ops.add(forward, backward), 2) end
  if mode == "mul" then return ops.multiply(forward, backward) end
  return nil
end

local function halves(states)
  if not states then return nil, nil end
  local half = #states // 2
  return {table.unpack(states, 1, half)}, {table.unpack(states, half + 1)}
end

function Bidirectional:call(inputs, args)
  local forward_state, backward_state = halves(args.initial_state)
  local mask = structure.is_container(args.mask) and args.mask[1] or args.mask or nil
  local forward = self.forward_layer(inputs,
    {mask = mask, training = args.training, initial_state = forward_state})
  local backward = self.backward_layer(inputs,
    {mask = mask, training = args.training, initial_state = backward_state})
  local states = {}
  if self.return_state then
    table.move(forward, 2, #forward, 1, states)
    table.move(backward, 2, #backward, #states + 1, states)
    forward, backward = forward[1], backward[1]
  end
  if self.return_sequences then backward = ops.flip(backward, 2) end
  local output = merge(self, forward, backward)
  local outputs = output and {output} or {forward, backward}
  if output and not self.return_state then return output end
  table.move(states, 1, #states, #outputs + 1, outputs)
  return outputs
end

--- Sets the states of stateful layers to zero.
function Bidirectional:reset_state()
  self.forward_layer:reset_state()
  self.backward_layer:reset_state()
end
Bidirectional.reset_states = Bidirectional.reset_state

function Bidirectional:compute_output_shape(input_shape)
  local shape = self.forward_layer:compute_output_shape(input_shape)
  local states = {}
  if self.return_state then
    states = {table.unpack(shape, 2)}
    shape = shape[1]
  end
  local outputs
  if self.merge_mode == "concat" then
    shape[#shape] = shape[#shape] * 2
    outputs = {shape}
  else
    outputs = self.merge_mode and {shape} or {shape, table.move(shape, 1, #shape, 1, {})}
  end
  if #outputs == 1 and not self.return_state then return outputs[1] end
  for _ = 1, 2 do table.move(states, 1, #states, #outputs + 1, outputs) end
  return outputs
end

function Bidirectional:compute_mask(_, mask)
  if structure.is_container(mask) then mask = mask[1] or nil end
  local own = self.return_sequences and mask or nil
  if own and self.merge_mode == nil then return {own, own} end
  return own
end

function Bidirectional:get_config()
  local config = Layer.get_config(self)
  ordered.set(config, "merge_mode", self.merge_mode or require "cusp.base.null")
  ordered.set(config, "layer", registry.serialize(self.forward_layer))
  ordered.set(config, "backward_layer", registry.serialize(self.backward_layer))
  return config
end

return Bidirectional
