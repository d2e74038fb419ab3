--- The graph between a model's inputs and outputs: its calls, their order, and running them.
-- @module cusp.models.graph

local errors = require "cusp.base.errors"
local masks = require "cusp.base.masks"
local names = require "cusp.base.names"
local Node = require "cusp.symbolic.node"
local structure = require "cusp.base.structure"
local symbolic = require "cusp.symbolic.tensors"
local plain = require "cusp.base.plain"
local signature = require "cusp.layers.machinery.signature"

local Graph = {}
Graph.__index = Graph
local is_symbolic = Node.is_symbolic

---------------------------------------------------------------- finding the calls

local function contains(list, item)
  for _, other in ipairs(list) do
    if other == item then return true end
  end
  return false
end

--- Visits the calls that produced a tensor, inputs first. Stops at the model's inputs.
local function visit(search, tensor)
  local node = tensor._history and tensor._history.node
  if not node or search.finished[node] then return end
  if not node.is_input and contains(search.inputs, tensor) then return end
  if not search.index[node.operation] then
    search.count = search.count + 1
    search.index[node.operation] = search.count
  end
  search.finished[node] = true -- a call's inputs exist before it does, so there are no cycles
  for _, input in ipairs(node.input_tensors) do visit(search, input) end
  search.nodes[#search.nodes + 1] = node
end

--- Depths as Keras counts them: the number of calls between a call and the outputs; a layer has the
-- greatest depth of its calls. Calls are in the order in which Keras meets them.
local function find_depths(search)
  local of_node, of_operation, order = {}, {}, {}
  local function deepen(node, depth)
    if not of_node[node] then order[#order + 1] = node end
    of_node[node] = math.max(depth, of_node[node] or 0)
  end
  for i = #search.nodes, 1, -1 do
    local node = search.nodes[i]
    deepen(node, of_operation[node.operation] or 0)
    local depth = of_node[node]
    of_operation[node.operation] = depth
    for _, parent in ipairs(node.parents) do
      if search.finished[parent] then deepen(parent, depth + 1) end
    end
  end
  return of_node, of_operation, order
end

--- Inputs that no output depends on still belong to the model.
local function add_unused_inputs(search, of_node, of_operation, order)
  for i, tensor in ipairs(search.inputs) do
    local node = tensor._history.node
    if node.is_input and not of_node[node] then
      of_node[node], of_operation[node.operation] = 0, 0
      search.index[node.operation] = search.index[node.operation] or i - #search.inputs
      order[#order + 1] = node
    end
  end
end

local function sort_by(list, key, index)
  local position = {}
  for i, item in ipairs(list) do position[item] = i end
  plain.sort(list, function(a, b)
    if key[a] ~= key[b] then return key[a] > key[b] end
    return (index and index[a] or position[a]) < (index and index[b] or position[b])
  end)
  return list
end

local function check_connected(graph)
  local known, visited = {}, {}
  for _, tensor in ipairs(graph.inputs) do known[tensor] = true end
  for _, node in ipairs(graph.nodes) do
    for _, tensor in ipairs(node.input_tensors) do
      if not known[tensor] then
        errors.raise(
          "the graph is disconnected: %s, on which %s is called, does not come from the model's "
          .. "inputs (reached so far: %s)",
          tostring(tensor), tostring(node.operation.name),
          #visited > 0 and table.concat(visited, ", ") or "nothing")
      end
    end
    if not node.is_input then visited[#visited + 1] = node.operation.name end
    if not node.is_input or known[node.output_tensors[1]] then
      for _, tensor in ipairs(node.output_tensors) do known[tensor] = true end
    end
  end
  for i, tensor in ipairs(graph.outputs) do
    if not known[tensor] then
      errors.raise(
        "the graph is disconnected: output %d, %s, does not come from the inputs of the model", i,
        tostring(tensor))
    end
  end
end

-- Layers are found, saved and reported by name. Two library layers with the same name were named by
-- the user, which is an error. If a user's class names itself, later instances get a number.
local function make_names_unique(graph)
  local seen = {}
  for _, operation in ipairs(graph.operations) do
    local name, n = operation.name, 0
    local class = getmetatable(operation)
    if seen[name] and class.__library and getmetatable(seen[name]).__library then
      errors.raise(
        "Model: the name \"%s\" is used twice in the model (%s and %s); names of layers should be "
        .. "unique", name,
        tostring(getmetatable(seen[name]).__name), tostring(class.__name))
    end
    while seen[name] do
      n = n + 1
      name = operation.name .. "_" .. n
    end
    if name ~= operation.name then operation.name = name end
    seen[name] = operation
  end
end

---------------------------------------------------------------- running

-- Whether a call is one for which Keras records the mask of its input as an argument: a layer's
-- whose `call` takes one, with a tensor alone.
local function records_mask(operation)
  if not operation.__is_layer then return false end
  local call = signature.of(operation)
  return contains(call.names, "mask")
    or not getmetatable(operation).__library and (call.plain or call.any)
end

--- A call with its operation's single input looked up in advance: the usual case.
local function make_step(node)
  local argument = node.arguments[1]
  local simple = node.arguments.n == 1 and not node.keywords and is_symbolic(argument) and argument
    or nil
  return {node = node, operation = node.operation, input = simple, outputs = node.output_tensors,
    records_mask = simple and records_mask(node.operation)}
end

---------------------------------------------------------------- masks

-- Masks reach a call in two ways, as in Keras. They go with the tensors, off which
-- MultiHeadAttention takes them; and a graph has recorded some, of which nothing is taken.

-- Whether a tensor of the call has another mask than the one recorded.
local function is_parted(step, values, recorded)
  for _, tensor in ipairs(step.node.input_tensors) do
    if not rawequal(recorded[tensor], masks.get(values[tensor])) then return true end
  end
  return false
end

-- The masks of a call's outputs, computed of those recorded; Keras records none of a model's.
local function recorded_masks(step, values, recorded)
  local layer, first = step.operation, step.node.arguments[1]
  if not layer.__is_layer or layer.__is_model or not layer.supports_masking then return {} end
  local any = false
  local inputs = structure.map(first, function(tensor) return values[tensor] end)
  local mask = structure.map(first, function(tensor)
    any = any or recorded[tensor] ~= nil
    return recorded[tensor] or false
  end)
  mask = layer:compute_mask(inputs, any and mask or nil)
  return structure.is_container(mask) and mask or {mask}
end

local function keep_masks(step, values, recorded, parted)
  local computed = (parted or step.operation.__is_model)
    and recorded_masks(step, values, recorded)
  for i, tensor in ipairs(step.outputs) do
    if computed then
      recorded[tensor] = computed[i] or nil
    else
      recorded[tensor] = masks.get(values[tensor])
    end
  end
end

local function call_step(step, values)
  if step.input then return step.operation(values[step.input]) end
  local arguments, keywords = step.node:fill(function(tensor) return values[tensor] end)
  if keywords then
    arguments.n = arguments.n + 1
    arguments[arguments.n] = keywords
  end
  return step.operation(table.unpack(arguments, 1, arguments.n))
end

local function keep(values, targets, ...)
  local first = ...
  if select("#", ...) == 1 and not structure.is_container(first) then
    values[targets[1]] = first
    return
  end
  local flat = structure.flatten{...}
  for i, target in ipairs(targets) do values[target] = flat[i] end
end

local function run_step(step, values) keep(values, step.outputs, call_step(step, values)) end

-- Runs a step with the recorded mask on its input, where a model leaves it, as in Keras.
local function run_with_recorded(step, values, recorded)
  local input = values[step.input]
  local own = masks.get(input)
  masks.set(input, recorded[step.input])
  run_step(step, values)
  if not step.operation.__is_model and not rawequal(values[step.outputs[1]], input) then
    masks.set(input, own)
  end
end

--- Computes the outputs for values of the inputs.
-- @tparam {tensor,...} inputs one per entry of `graph.inputs`
-- @treturn {tensor,...} one per entry of `graph.outputs`
function Graph:run(inputs)
  local values, recorded = {}, {}
  for i, tensor in ipairs(self.inputs) do values[tensor] = inputs[i] end
  for _, step in ipairs(self.steps) do
    local parted = is_parted(step, values, recorded)
    if parted and step.records_mask and recorded[step.input] then
      run_with_recorded(step, values, recorded)
      parted = false
    else
      run_step(step, values)
    end
    keep_masks(step, values, recorded, parted)
  end
  local outputs = {}
  for i, tensor in ipairs(self.outputs) do outputs[i] = values[tensor] end
  return outputs
end

--- An argument of a call for which `f` holds; nil if there is none.
-- @tparam function f
function Graph:find_argument(f)
  for _, step in ipairs(self.steps) do
    local node = step.node
    for i = 1, node.arguments.n do
      local found = structure.find(node.arguments[i], f)
      if found then return found end
    end
    local found = node.keywords and structure.find(node.keywords, f)
    if found then return found end
  end
end

---------------------------------------------------------------- making

--- If the inputs are intermediate tensors, creates new inputs and copies the calls after them;
-- layers are shared.
-- @tparam {KerasTensor,...} inputs
-- @tparam {KerasTensor,...} outputs
-- @treturn table new inputs
-- @treturn table new outputs
local function detach(inputs, outputs)
  local search = {inputs = inputs, finished = {}, nodes = {}, index = {}, count = 0}
  for _, output in ipairs(outputs) do visit(search, output) end
  local copy_of, new_inputs, new_outputs = {}, {}, {}
  for i, tensor in ipairs(inputs) do
    if tensor._history.node.is_input then
      copy_of[tensor] = tensor
    else
      copy_of[tensor] = symbolic.input{batch_shape = tensor.shape, dtype = tensor.dtype,
        name = names.unique(tensor.name .. "_input")}
    end
    new_inputs[i] = copy_of[tensor]
  end
  for _, node in ipairs(search.nodes) do
    if not node.is_input then
      local complete = true
      for _, tensor in ipairs(node.input_tensors) do
        complete = complete and copy_of[tensor] ~= nil
      end
      if complete then
        local arguments, keywords = node:fill(function(tensor) return copy_of[tensor] end)
        local copies = structure.map(node.outputs, function(tensor)
          return symbolic.tensor(tensor.shape, tensor.dtype, tensor.name)
        end)
        Node.new(node.operation, arguments, keywords, copies)
        local flat = structure.flatten(copies)
        for i, tensor in ipairs(node.output_tensors) do
          copy_of[tensor] = copy_of[tensor] or flat[i]
        end
      end
    end
  end
  for i, tensor in ipairs(outputs) do new_outputs[i] = copy_of[tensor] or tensor end
  return new_inputs, new_outputs
end

local function check_symbolic(list, what)
  if #list == 0 then errors.raise("a model needs %s", what) end
  for _, tensor in ipairs(list) do
    if not is_symbolic(tensor) then
      errors.raise(
        "%s of a model should be symbolic tensors, from cusp.Input or a call on one; got %s", what,
        errors.describe(tensor))
    end
  end
end

--- Makes the graph between inputs and outputs.
-- @param inputs a structure of symbolic tensors
-- @param outputs a structure of symbolic tensors
-- @raise if an output does not depend on the inputs, naming the missing tensor
function Graph.new(inputs, outputs)
  local flat_inputs, flat_outputs = structure.flatten(inputs), structure.flatten(outputs)
  check_symbolic(flat_inputs, "inputs")
  check_symbolic(flat_outputs, "outputs")
  for _, tensor in ipairs(flat_inputs) do
    if not tensor._history.node.is_input then
      flat_inputs, flat_outputs = detach(flat_inputs, flat_outputs)
      break
    end
  end
  local self = setmetatable({
    inputs = flat_inputs, outputs = flat_outputs,
    input_structure = structure.pack(inputs, flat_inputs),
    output_structure = structure.pack(outputs, flat_outputs),
  }, Graph)
  local search = {inputs = flat_inputs, finished = {}, nodes = {}, index = {}, count = 0}
  for _, output in ipairs(flat_outputs) do visit(search, output) end
  local of_node, of_operation, order = find_depths(search)
  add_unused_inputs(search, of_node, of_operation, order)
  self.nodes, self.depths = sort_by(order, of_node), of_node
  self.operations = {}
  for operation in pairs(of_operation) do self.operations[#self.operations + 1] = operation end
  sort_by(self.operations, of_operation, search.index)
  check_connected(self)
  make_names_unique(self)
  self.steps = {}
  for _, node in ipairs(self.nodes) do
    if not node.is_input then self.steps[#self.steps + 1] = make_step(node) end
  end
  return self
end

-- The value of `later`. The graph remains a field of it, so that an error afterwards can undo it
-- (see cusp.base.whole).
local Later = {}

function Later.__index(self, key)
  local made = rawget(self, "made")
  if not made then
    made = Graph.new(rawget(self, "from"), rawget(self, "to"))
    rawset(self, "made", made)
  end
  return made[key]
end

--- Like `Graph.new`, but deferred until first use: a stack that grows layer by layer would
-- otherwise make one per layer.
function Graph.later(inputs, outputs) return setmetatable({from = inputs, to = outputs}, Later) end

--- Whether a call belongs to the graph.
function Graph:has(node) return self.depths[node] ~= nil end

return Graph
