--- The names of call arguments after the inputs: Keras 2's files pass them by name, calls in Lua by
-- position.
-- @module cusp.saving.shared.call_parameters
local call_parameters = {}

local attention = {"query", "value", "key"}
local recurrent = {"sequences", "initial_state"}
local known = {
  MultiHeadAttention = attention, GroupedQueryAttention = attention,
  GroupQueryAttention = attention,
  RNN = recurrent, LSTM = recurrent, GRU = recurrent, SimpleRNN = recurrent,
  Bidirectional = recurrent,
}

local function parameter_of(f, position)
  local info = type(f) == "function" and debug.getinfo(f, "u")
  if not info or position + 1 > info.nparams then return nil end
  return debug.getlocal(f, position + 1) -- the first is self
end

--- The name of a positional argument.
-- @tparam ?Layer layer an instance or a class; used for names from its `call(self, inputs, ...)`
-- that the table lacks
-- @tparam string class_name
-- @tparam integer position from 1, the inputs
-- @treturn string
function call_parameters.name(layer, class_name, position)
  local names = known[class_name]
  return names and names[position] or layer and parameter_of(layer.call, position)
    or ("argument_%d"):format(position)
end

--- The position of a named argument; nil if it is a keyword argument.
function call_parameters.position(layer, class_name, name)
  for position = 2, 4 do
    local own = call_parameters.name(layer, class_name, position)
    if own == name and own ~= "args" then return position end
  end
  return nil
end

return call_parameters
