--- Several cells as one: each gets what the one before gives.
-- @classmod cusp.layers.StackedRNNCells
-- @tparam {cell,...} cells
local Layer = require "cusp.layers.machinery.layer"
local lists = require "cusp.base.lists"
local ops = require "cusp.ops"
local structure = require "cusp.base.structure"

local StackedRNNCells = Layer:extend("StackedRNNCells", {
  call_arguments = {"states", "training"},
  config = {{"cells", "list", list_of = "layer"}},
})

function StackedRNNCells.__getters.state_size(self)
  return lists.pick(self.cells, "state_size")
end

function StackedRNNCells.__getters.output_size(self)
  local last = self.cells[#self.cells]
  return last.output_size or structure.flatten(last.state_size)[1]
end

function StackedRNNCells:get_initial_state(batch)
  local dtype = self.compute_dtype
  return structure.map(self.state_size, function(size) return ops.zeros({batch, size}, dtype) end)
end

function StackedRNNCells:build(shape)
  for _, cell in ipairs(self.cells) do
    if cell.__is_layer and not cell.built then cell:build(shape) end
    shape = {shape[1], cell.output_size or structure.flatten(cell.state_size)[1]}
  end
end

local function as_list(states)
  return structure.is_container(states) and states or {states}
end

function StackedRNNCells:call(inputs, states, args)
  local new_states = {}
  for i, cell in ipairs(self.cells) do
    local result = cell:call(inputs, as_list(states[i]), args)
    local own = as_list(result[2])
    inputs, new_states[i] = result[1], structure.is_container(states[i]) and own or own[1]
  end
  return {inputs, new_states}
end

--- Every cell draws its own dropout masks, for inputs of the size that reach it.
function StackedRNNCells:prepare_dropout(inputs, states, training)
  for i, cell in ipairs(self.cells) do
    if cell.prepare_dropout then cell:prepare_dropout(inputs, as_list(states[i]), training) end
    inputs = as_list(states[i])[1]
  end
end

function StackedRNNCells:forget_dropout()
  for _, cell in ipairs(self.cells) do
    if cell.forget_dropout then cell:forget_dropout() end
  end
end

return StackedRNNCells
