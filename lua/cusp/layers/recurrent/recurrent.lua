--- The base of the recurrent layers: a cell run over the steps of a sequence.
-- Input `[batch, time, features]`; output `[batch, units]`, or `[batch, time, units]` with
-- `return_sequences`, or with `return_state` a list of that and the last states. With a mask, a
-- step that does not count leaves states and output as they were.
-- @classmod cusp.layers.Recurrent
local Layer = require "cusp.layers.machinery.layer"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"
local steps = require "cusp.layers.recurrent.steps"
local structure = require "cusp.base.structure"

local Recurrent = Layer:extend("Recurrent", {
  supports_masking = true,
  stands_in = true,
  call_arguments = {"initial_state", "mask", "training"},
})

--- Rows for what all recurrent layers take.
Recurrent.flags = {}
for i, name in ipairs{"return_sequences", "return_state", "go_backwards", "stateful", "unroll"} do
  Recurrent.flags[i] = {name, "boolean", default = false}
end
Recurrent.keywords = {
  {"zero_output_for_mask", "boolean", default = false, keyword_only = true},
  -- of Keras 2; true was refused with most layers
  {"time_major", "boolean", default = false, keyword_only = true, transient = true},
}

---------------------------------------------------------------- states

--- The sizes of the cell's states as a list.
local function state_sizes(self)
  local size = self.cell.state_size
  if type(size) == "number" then return {size} end
  return size
end

local function output_size(self)
  return self.cell.output_size or structure.flatten(state_sizes(self))[1]
end

--- Zeros for a batch, in the structure of the cell's states.
function Recurrent:get_initial_state(batch)
  if self.cell.get_initial_state then
    local states = self.cell:get_initial_state(batch)
    return structure.is_container(states) and states or {states}
  end
  local dtype = self.compute_dtype
  return structure.map(state_sizes(self), function(size) return ops.zeros({batch, size}, dtype) end)
end

local function make_state_variables(self, batch)
  if batch == shapes.None then
    errors.raise "a stateful layer needs a known batch size: give the model's Input a batch_shape"
  end
  rawset(self, "states", structure.map(self:get_initial_state(batch), function(zeros)
    local variable = engine.variable(zeros, {trainable = false})
    variable.name = "rnn_state"
    return variable
  end))
  self.__own.batch = batch
end

--- Sets the states of a stateful layer to zero.
function Recurrent:reset_state()
  for _, variable in ipairs(structure.flatten(rawget(self, "states") or {})) do
    variable:assign(ops.zeros_like(variable.value))
  end
end
Recurrent.reset_states = Recurrent.reset_state

local function starting_state(self, inputs, args)
  local given = args.initial_state
  if given then return structure.is_container(given) and given or {given} end
  local batch = inputs.shape[1]
  if not self.stateful then return self:get_initial_state(batch) end
  if batch ~= self.__own.batch then
    errors.raise("a stateful layer made for batches of %d was called on one of %d",
      self.__own.batch,
      batch)
  end
  return structure.map(self.states, function(variable) return variable.value end)
end

---------------------------------------------------------------- building and running

function Recurrent:build(shape)
  if not structure.is_shape(shape) then shape = shape[1] end
  local step = {shape[1], table.unpack(shape, 3)}
  if self.cell.__is_layer and not self.cell.built then self.cell:build(step) end
  if self.stateful then make_state_variables(self, shape[1]) end
end

--- One step's inputs.
local function step_of(inputs, time)
  return ops.take(inputs, time - 1, 2)
end

--- A step's mask `[batch]` beside values `[batch, ...]`.
local function column(mask, ndim)
  local step = ops.cast(mask, "bool")
  for _ = 2, ndim do step = ops.expand_dims(step, -1) end
  return step
end

local function select_states(mask, new, old)
  local flat, at = structure.flatten(old), 0
  return structure.map(new, function(state)
    at = at + 1
    return ops.where(column(mask, state.ndim), state, flat[at])
  end)
end

--- Runs a cell for one step.
-- @treturn tensor
-- @treturn table the states after it
local function run_cell(cell, inputs, states, args)
  local result, second = cell:call(inputs, states, args)
  if not structure.is_container(result) or second ~= nil then
    errors.raise("%s: the cell's call should return one table, {output, states}, got %s",
      getmetatable(cell).__name or "RNN",
      second ~= nil and "two values" or errors.describe(result))
  end
  return result[1], structure.is_container(result[2]) and result[2] or {table.unpack(result, 2)}
end

--- What a masked step gives, as Keras has it: the state that comes in, where it is like the output.
-- That is the first one, or the first of the last cell of several.
local function state_like(states, output)
  local state = states[1]
  if structure.is_container(state) then state = structure.flatten(states[#states])[1] end
  return table.concat(state.shape, ",") == table.concat(output.shape, ",") and state or nil
end

--- One step of a sequence with its mask `[batch, ...]`, if there is one. Where no state tells what
-- a masked step gives, or the steps are unrolled, it is `previous(output)`: what the step before
-- gave.
-- @treturn tensor the output
-- @treturn table the states after it
local function masked_step(self, inputs, counts, states, previous, args)
  local output, new_states = run_cell(self.cell, inputs, states, args)
  if not counts then return output, new_states end
  local before = self.zero_output_for_mask and ops.zeros_like(output)
    or not self.unroll and state_like(states, output) or previous(output)
  return ops.where(column(counts, output.ndim), output, before),
    select_states(counts, new_states, states)
end

--- Runs the cell over the steps, one after another.
-- @treturn tensor the last output
-- @treturn tensor all outputs, `[batch, time, ...]`; nil unless they are returned
-- @treturn table the last states
local function unrolled(self, inputs, states, mask, args)
  local count = inputs.shape[2]
  local outputs, output = {}, nil
  for i = 1, count do
    local time = self.go_backwards and count + 1 - i or i
    local last = output
    output, states = masked_step(self, step_of(inputs, time), mask and step_of(mask, time), states,
      function(new) return last or ops.zeros_like(new) end, args)
    if self.return_sequences then outputs[i] = output end
  end
  return output, self.return_sequences and ops.stack(outputs, 2) or nil, states
end

---------------------------------------------------------------- one step as a graph

--- Which of the states is the output, too.
local function position_of(output, states)
  for i, state in ipairs(structure.flatten(states)) do
    if rawequal(state, output) then return i end
  end
end

--- Runs the cell as a graph that is repeated for each step.
local function as_graph(self, inputs, states, mask, args)
  local position
  local function step(carried, x, carry_more)
    local previous
    local function first(output)
      previous = carry_more(ops.zeros_like(output))
      return previous
    end
    local output, new = masked_step(self, x.inputs, x.mask, carried, first, args)
    if self.return_sequences then return new, output, previous and {output} end
    position = not previous and position_of(output, new)
    if not position and not previous then carry_more(ops.zeros_like(output)) end
    return new, nil, not position and {output} or nil
  end
  local last, outputs, others = steps.run(self.cell, {
    name = getmetatable(self).__name, value = "state", body = "cell", count = inputs.shape[2],
    reverse = self.go_backwards,
  }, step, states, {inputs = steps.swap(inputs), mask = mask and steps.swap(mask)})
  if not self.return_sequences then
    return others[1] or structure.flatten(last)[position], nil, last
  end
  if self.go_backwards then outputs = ops.flip(outputs, 1) end
  return others[1], steps.swap(outputs), last
end

function Recurrent:loop(inputs, states, mask, args)
  if self.unroll or not engine.tracing() then
    return unrolled(self, inputs, states, mask, args)
  end
  return as_graph(self, inputs, states, mask, args)
end

local function check_steps(self, inputs)
  if inputs.shape[2] == 0 then
    errors.raise("%s: a sequence needs at least one step", getmetatable(self).__name)
  end
end

function Recurrent:call(inputs, args)
  -- the states as further inputs, as Keras 2's files have them
  if structure.is_container(inputs) then
    args.initial_state = args.initial_state or {table.unpack(inputs, 2)}
    inputs = inputs[1]
  end
  check_steps(self, inputs)
  local mask = args.mask
  if structure.is_container(mask) then mask = mask[1] or nil end
  local states = starting_state(self, inputs, args)
  local cell = self.cell
  if cell.prepare_dropout then cell:prepare_dropout(step_of(inputs, 1), states, args.training) end
  local last, sequence, final = self:loop(inputs, states, mask, {training = args.training})
  if cell.forget_dropout then cell:forget_dropout() end
  if self.stateful then
    local flat = structure.flatten(final)
    for i, variable in ipairs(structure.flatten(self.states)) do variable:assign(flat[i]) end
  end
  local output = self.return_sequences and sequence or last
  if self.return_state then return {output, table.unpack(final)} end
  return output
end

---------------------------------------------------------------- shapes and masks

function Recurrent:compute_output_shape(input_shape)
  if not structure.is_shape(input_shape) then input_shape = input_shape[1] end
  local batch = input_shape[1]
  local output = self.return_sequences and {batch, input_shape[2], output_size(self)}
    or {batch, output_size(self)}
  if not self.return_state then return output end
  local result = {output}
  for i, size in ipairs(state_sizes(self)) do
    result[i + 1] = structure.map(size, function(one) return {batch, one} end)
  end
  return result
end

--- The steps' mask goes on where there are steps.
function Recurrent:compute_mask(_, mask)
  if structure.is_container(mask) then mask = mask[1] or nil end
  local own = self.return_sequences and mask or nil
  if self.return_state then return {own or false} end
  return own
end

return Recurrent
