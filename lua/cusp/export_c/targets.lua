--- Where values are computed, so that they need not be copied there: results where the caller
-- wants them, what is joined within the whole.
-- @module cusp.export_c.targets
local arrays = require "cusp.export_c.arrays"
local views = require "cusp.export_c.views"

local targets = {}

local function producers_of(graph)
  local producers = {}
  for _, op in ipairs(graph.operations) do
    for i = 0, op.n_outputs - 1 do producers[op.first_output + i] = op end
  end
  return producers
end

-- Proposes an array for a value, or for what it is a view of.
local function propose(state, value, array)
  local op = state.producers[value]
  if not op or state.arrays[value] then return end
  local before = views.reversed[op.name]
  if before then
    local from = before(array, op.attributes, state.graph.values[op.inputs[1]].shape)
    if from then propose(state, op.inputs[1], from) end
  elseif not views.forward[op.name] then
    state.arrays[value] = array
  end
end

local function propose_parts(state, op)
  local value = op.first_output
  state.arrays[value] = state.arrays[value] or state.new_array(value)
  local start = 0
  local axis = op.attributes.axis + 1
  if axis < 1 then axis = axis + #state.graph.values[value].shape end
  for _, input in ipairs(op.inputs) do
    local shape = state.graph.values[input].shape
    propose(state, input, arrays.part(state.arrays[value], shape, {[axis] = start}))
    start = start + shape[axis]
  end
end

--- Finds places for the values of a graph.
-- @tparam table graph
-- @tparam table wanted arrays by number of an output
-- @tparam function new_array (value) gives working memory
-- @treturn table arrays by value
function targets.of(graph, wanted, new_array)
  local state = {graph = graph, producers = producers_of(graph), arrays = {},
    new_array = new_array}
  for k, value in ipairs(graph.outputs) do
    if wanted[k] then propose(state, value, wanted[k]) end
  end
  for i = #graph.operations, 1, -1 do
    local op = graph.operations[i]
    if op.name == "concatenate" and arrays.count(graph.values[op.first_output].shape) > 0 then
      propose_parts(state, op)
    end
  end
  return state.arrays
end

return targets
