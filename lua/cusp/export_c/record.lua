--- What a model computes: the graph of its operations for one batch, the states that go from call
-- to call, and calls with their results for the self-test.
-- @module cusp.export_c.record
local context = require "cusp.base.context"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local random = require "cusp.tensors.random"
local stateless = require "cusp.base.stateless"
local structure = require "cusp.base.structure"
local text = require "cusp.export_c.text"

local Record = {}
Record.__index = Record

---------------------------------------------------------------- the model's inputs and states

-- Sizes of an input, with one for the batch that is not known.
local function sizes_of(tensor, batch)
  local shape = {}
  for axis, size in ipairs(tensor.shape) do
    if math.type(size) ~= "integer" then
      if axis > 1 then
        errors.raise("export_c: the input '%s' has shape %s; every size but that of the batch has "
          .. "to be known: make the model with an Input of fixed sizes", tensor.name,
          errors.shape(tensor.shape))
      end
      size = batch
    end
    shape[axis] = size
  end
  return shape
end

local function check_model(model)
  if not model.__own.graph then
    errors.raise("export_c: %s is not built of layers between known inputs; give a Sequential "
      .. "model an Input, or wrap a class of your own: cusp.Model{inputs = x, outputs = model(x)}",
      model.name)
  end
  if not model.built then
    errors.raise("export_c: %s has no variables yet; build it, or call it on data, first",
      model.name)
  end
end

local function input_types(model, batch)
  local types = {}
  for i, tensor in ipairs(model.inputs) do
    types[i] = {name = tensor.name, shape = sizes_of(tensor, batch), dtype = tensor.dtype}
    if not text.type(tensor.dtype) then
      errors.raise("export_c: the input '%s' is %s, which C99 has no type for", tensor.name,
        tensor.dtype)
    end
  end
  return types
end

local function add_states(layer, list, seen)
  if seen[layer] then return list end
  seen[layer] = true
  for _, variable in ipairs(structure.flatten(layer.stateful and rawget(layer, "states") or {})) do
    list[#list + 1] = {variable = variable, name = layer.name, start = nil}
  end
  for _, below in ipairs(layer:sublayers()) do add_states(below, list, seen) end
  return list
end

---------------------------------------------------------------- calls

-- Calls the model with these values of its states.
-- @treturn table the outputs, in a row
-- @treturn table the states after the call
local function call(model, states, values, weights, inputs)
  local graph = model.__own.graph
  local after, outputs, kept = stateless.run(lists.pick(states, "variable"), values, function()
    return model:stateless_call(weights.trainable, weights.others,
      structure.pack(graph.input_structure, inputs), {training = false})
  end)
  return structure.flatten(outputs), after, kept
end

local function weights_of(model)
  return {trainable = lists.pick(model.trainable_variables, "value"),
    others = lists.pick(model.non_trainable_variables, "value")}
end

local function placeholders(trace, types)
  local result = {}
  for i, type_ in ipairs(types) do result[i] = trace:placeholder(type_.shape, type_.dtype) end
  return result
end

-- A call that changes a variable which is no state of a recurrent layer would do so once for all.
local function check_unchanged(model, before, after)
  for i, variable in ipairs(model.non_trainable_variables) do
    local ops = engine.ops
    if engine.is_traced(after[i])
      or not ops.all(ops.equal(before[i], after[i])):item() then
      errors.raise("export_c: a call of %s changes its variable '%s'; only the states of recurrent "
        .. "layers are kept by the exported program", model.name, variable.path)
    end
  end
end

local function concatenated(a, b)
  return table.move(b, 1, #b, #a + 1, table.move(a, 1, #a, 1, {}))
end

-- Which nodes each layer made, in the order in which the calls end.
local function observer(spans)
  local function made() return engine.stats().nodes_made end
  return function(path)
    local span = {path = path, first = made()}
    return function()
      span.last = made()
      spans[#spans + 1] = span
    end
  end
end

local function trace_model(record, model, weights)
  local trace <close> = engine.trace()
  local states = record.states
  local inputs, values = placeholders(trace, record.inputs), placeholders(trace, states)
  local outputs, after, kept = context.within({observe_call = observer(record.spans)}, call, model,
    states, values, weights, inputs)
  check_unchanged(model, weights.others, kept)
  for i, output in ipairs(outputs) do
    record.outputs[i] = {name = model.output_names[i] or "output" .. i, shape = output.shape,
      dtype = output.dtype}
  end
  record.graph = trace:graph(concatenated(outputs, after))
end

---------------------------------------------------------------- names and places

--- The path of the layer that made an operation, without the model's own name; nil if none did.
function Record:layer_of(op)
  for _, span in ipairs(self.spans) do
    if span.first <= op.serial and op.serial < span.last then
      return span.path:match "^[^/]*/(.*)$"
    end
  end
end

-- What the caller gives, as sources of arrays: inputs, states, outputs.
local function name_sources(record)
  record.arguments, record.results = {}, {}
  for i, input in ipairs(record.inputs) do
    record.arguments[i] = {name = "in" .. i, dtype = input.dtype, input = i}
  end
  for i, state in ipairs(record.states) do
    table.insert(record.arguments, {name = "state" .. i, dtype = state.dtype, state = i})
  end
  for i, output in ipairs(record.outputs) do
    record.results[i] = {name = "out" .. i, dtype = output.dtype, output = i}
  end
end

---------------------------------------------------------------- samples

local LARGE = 4096 -- elements of the inputs of a sample; of larger ones, one is recorded

local function random_inputs(types, seed)
  local inputs = {}
  for i, type_ in ipairs(types) do
    local is_float = type_.dtype:find "float" ~= nil
    local x = is_float and random.uniform(type_.shape, {minval = -1, maxval = 1, seed = seed + i})
      or random.randint(type_.shape, 0, 2, {seed = seed + i})
    inputs[i] = engine.ops.cast(x, type_.dtype)
  end
  return inputs
end

local function given_inputs(types, samples, first)
  local inputs = {}
  for i, type_ in ipairs(types) do
    local rows = {}
    for row = 1, type_.shape[1] do rows[row] = first + row - 1 end
    inputs[i] = engine.ops.cast(engine.ops.take(samples[i], engine.tensor(rows, {dtype = "int32"}),
      1), type_.dtype)
  end
  return inputs
end

local function check_samples(types, samples)
  if #samples ~= #types then
    errors.raise("export_c: 'samples' should be a tensor for each of the %d inputs, got %d", #types,
      #samples)
  end
  for i, type_ in ipairs(types) do
    local shape = samples[i].shape
    local same = #shape == #type_.shape and shape[1] >= type_.shape[1]
    for axis = 2, #type_.shape do same = same and shape[axis] == type_.shape[axis] end
    if not same then
      errors.raise("export_c: 'samples' for the input '%s' should have shape %s, got %s",
        type_.name, errors.shape(type_.shape), errors.shape(shape))
    end
  end
end

local function sample_inputs(types, given)
  local size, list = 0, {}
  for _, type_ in ipairs(types) do
    local count = 1
    for _, n in ipairs(type_.shape) do count = count * n end
    size = size + count
  end
  local count = size > LARGE and 1 or 3
  if given then
    given = structure.flatten(given)
    check_samples(types, given)
    count = math.min(count, given[1].shape[1] // types[1].shape[1])
  end
  for i = 1, count do
    list[i] = given and given_inputs(types, given, (i - 1) * types[1].shape[1])
      or random_inputs(types, 1000 * i)
  end
  return list
end

--- Calls in a row, from the states at the beginning.
-- @tparam {table,...} list the inputs of each
-- @tparam table states
-- @tparam function f (states, inputs) gives outputs and the states after
-- @treturn {table,...} `inputs` and `outputs` of each
local function run(list, states, f)
  local samples, values = {}, {}
  for i, state in ipairs(states) do
    values[i] = engine.ops.zeros(state.shape, state.dtype)
  end
  for i, inputs in ipairs(list) do
    local outputs
    outputs, values = f(values, inputs)
    samples[i] = {inputs = inputs, outputs = outputs}
  end
  return samples
end

--- Records a model.
-- @tparam Model model
-- @tparam table options `batch_size`, `samples`
-- @treturn table
function Record.of(model, options)
  check_model(model)
  local record = setmetatable({inputs = input_types(model, options.batch_size), outputs = {},
    spans = {}, states = add_states(model, {}, {}), model = model}, Record)
  for _, state in ipairs(record.states) do
    state.shape, state.dtype = state.variable.shape, state.variable.dtype
  end
  local weights = weights_of(model)
  trace_model(record, model, weights)
  name_sources(record)
  record.samples = run(sample_inputs(record.inputs, options.samples), record.states,
    function(values, inputs) return call(model, record.states, values, weights, inputs) end)
  return record
end

--- Records again what other constants give, through the operations of the graph.
-- @tparam function change (leaf) gives the constant to compute with
-- @treturn {table,...} samples
function Record:with_constants(change)
  local replay = require "cusp.export_c.replay"
  return run(lists.pick(self.samples, "inputs"), self.states, function(values, given)
    local results = replay(self.graph, change, concatenated(given, values))
    return table.move(results, 1, #self.outputs, 1, {}),
      table.move(results, #self.outputs + 1, #results, 1, {})
  end)
end

return Record
