--- Graphs as lists of steps: each node's operator is found when the model is read, so that what
-- Cusp does not have is known before anything runs.
-- @module cusp.onnx.load.graph
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local operators = require "cusp.onnx.load.operators"
local tensors = require "cusp.onnx.messages.tensors"

local Graph = {}
Graph.__index = Graph

local most_nodes = 200000 -- of a model with its functions written out, and of one run
local deepest = 60        -- functions within functions

---------------------------------------------------------------- attributes

local readers = {
  [1] = function(a) return a.f end, [2] = function(a) return a.i end,
  [3] = function(a) return a.s end,
  [4] = function(a, context) return tensors.decode(a.t, context.folder) end,
  [5] = function(a, context) return Graph.new(a.g, context) end,
  [6] = function(a) return a.floats end, [7] = function(a) return a.ints end,
  [8] = function(a) return a.strings end,
  [13] = function(a) return a.tp end,
}

local function missing_part(a)
  return a.type == 4 and not a.t or a.type == 5 and not a.g or a.type == 13 and not a.tp
end

local function read_attribute(a, context, name)
  local read = readers[a.type]
  if not read or missing_part(a) then
    errors.raise("onnx: %s: its attribute '%s' has the kind %d, which Cusp does not read", name,
      a.name, a.type)
  end
  return read(a, context)
end

local function attributes_of(node, context, given, name)
  local result = {}
  for _, a in ipairs(node.attribute) do
    if a.ref_attr_name == "" then
      result[a.name] = read_attribute(a, context, name)
    elseif given then
      result[a.name] = given[a.ref_attr_name]
    end
  end
  return result
end

---------------------------------------------------------------- steps

local function describe(node)
  return node.name ~= "" and ("node '%s' (%s)"):format(node.name, node.op_type)
    or ("node %s of '%s'"):format(node.op_type, node.output[1] or "")
end

local function is_standard(domain) return domain == "" or domain == "ai.onnx" end

local function count_node(context)
  context.count = context.count + 1
  if context.count > most_nodes then
    errors.raise("onnx: the model has more than %d nodes", most_nodes)
  end
end

local function function_step(node, step, context)
  local body = context.functions[node.domain .. ":" .. node.op_type]
  if not body then return nil end
  if context.depth >= deepest then
    errors.raise("onnx: %s: functions are nested more than %d deep", step.name, deepest)
  end
  local inner = setmetatable({depth = context.depth + 1, opsets = {}}, {__index = context,
    __newindex = context})
  for _, import in ipairs(body.opset_import) do inner.opsets[import.domain] = import.version end
  local given = step.a
  for _, default in ipairs(body.attribute_proto) do
    if given[default.name] == nil then
      given[default.name] = read_attribute(default, context, step.name)
    end
  end
  step.body = Graph.of_function(body, inner, given)
  return step
end

-- Operators of onnxruntime's own go by the version of the standard ones that they stand for.
local function opset_of(domain, context)
  local own = domain ~= "com.microsoft" and context.opsets[domain]
  return own or context.opsets[""] or 1
end

local function new_step(node, context, given)
  count_node(context)
  local name = describe(node)
  local step = {op = node.op_type, name = name, inputs = node.input, outputs = node.output,
    a = attributes_of(node, context, given, name),
    opset = opset_of(node.domain, context)}
  if function_step(node, step, context) then return step end
  local domain = is_standard(node.domain) and "" or node.domain
  step.run = operators.find(domain, node.op_type)
  if not step.run then
    context.unknown[#context.unknown + 1] = domain == "" and name
      or ("%s of the domain %s"):format(name, domain)
  end
  return step
end

local function steps_of(nodes, context, given)
  local steps = {}
  for i, node in ipairs(nodes) do steps[i] = new_step(node, context, given) end
  return steps
end

--- A graph from its message.
-- @tparam table proto a decoded onnx.GraphProto
-- @tparam table context `folder`, `opsets` by domain, `functions` by "domain:name", `unknown`: a
-- list to which nodes without an operator are added; `count` and `depth`, 0
function Graph.new(proto, context)
  if #proto.sparse_initializer > 0 then
    errors.raise("onnx: the graph '%s' has sparse initializers, which Cusp does not read",
      proto.name)
  end
  local self = setmetatable({name = proto.name, constants = {},
    inputs = lists.pick(proto.input, "name"), outputs = lists.pick(proto.output, "name")}, Graph)
  for _, tensor in ipairs(proto.initializer) do
    self.constants[tensor.name] = tensors.decode(tensor, context.folder)
  end
  self.steps = steps_of(proto.node, context)
  return self
end

--- The body of a function with the attributes of a call.
function Graph.of_function(proto, context, given)
  return setmetatable({name = proto.name, constants = {}, inputs = proto.input,
    outputs = proto.output, steps = steps_of(proto.node, context, given)}, Graph)
end

---------------------------------------------------------------- running

local function value_of(env, name, step)
  if name == "" then return nil end
  local value = env[name]
  if value == nil then
    errors.raise("onnx: %s reads '%s', which nothing before it gives", step.name, name)
  end
  return value
end

local function spend(env)
  local budget = env[Graph]
  budget.left = budget.left - 1
  if budget.left < 0 then
    errors.raise("onnx: more than %d operations in one run", most_nodes)
  end
end

local function call(step, env, arguments)
  if step.body then return step.body:call(env[Graph], table.unpack(arguments, 1, arguments.n)) end
  if not step.run then errors.raise("onnx: %s is not among Cusp's operators", step.name) end
  step.env = env
  return step.run(step, table.unpack(arguments, 1, arguments.n))
end

-- What an operator does not look for in its inputs and attributes, Lua finds.
local function refuse(step, failure)
  local message = tostring(failure):gsub("^[^:]*:%d+: ", "")
  if message:find "^onnx: " then error(failure, 0) end
  if message:find "attempt to %l+" or message:find "bad argument #" or message:find "^wrong number"
    or message:find "'for' %l+" or message:find "has no integer representation" then
    message = "its inputs or attributes are not those of the operator"
  end
  errors.raise("onnx: %s: %s", step.name, message)
end

local function run_step(step, env)
  spend(env)
  local arguments = {n = #step.inputs}
  for i, name in ipairs(step.inputs) do arguments[i] = value_of(env, name, step) end
  local results = table.pack(engine.attempt(call, step, env, arguments))
  if not results[1] then refuse(step, results[2]) end
  for i, name in ipairs(step.outputs) do
    if name ~= "" then env[name] = results[i + 1] end
  end
end

--- Runs the graph.
-- @tparam table env values by name; what the graph computes is added
-- @treturn {value,...} of its outputs
function Graph:run(env)
  for _, step in ipairs(self.steps) do run_step(step, env) end
  local results = {}
  for i, name in ipairs(self.outputs) do
    results[i] = env[name]
    if results[i] == nil then
      errors.raise("onnx: nothing gives the output '%s' of the graph '%s'", name, self.name)
    end
  end
  return results
end

--- Runs a function's body, which sees only its arguments.
function Graph:call(budget, ...)
  local env = {[Graph] = budget}
  for i, name in ipairs(self.inputs) do env[name] = (select(i, ...)) end
  local results = self:run_open(env)
  return table.unpack(results, 1, #self.outputs)
end

-- As run, where inputs and outputs may be left out.
function Graph:run_open(env)
  local absent = {}
  for _, name in ipairs(self.inputs) do absent[name] = env[name] == nil end
  for _, step in ipairs(self.steps) do
    local inputs = {}
    for i, name in ipairs(step.inputs) do inputs[i] = absent[name] and "" or name end
    run_step(setmetatable({inputs = inputs}, {__index = step}), env)
  end
  local results = {}
  for i, name in ipairs(self.outputs) do results[i] = env[name] end
  return results
end

--- Runs a graph inside a node, which sees the values outside.
-- @tparam table outer the environment of the node
-- @param ... its inputs
-- @treturn {value,...}
function Graph:inside(outer, ...)
  spend(outer)
  local env = setmetatable({}, {__index = outer})
  for name, tensor in pairs(self.constants) do env[name] = tensor end
  for i, name in ipairs(self.inputs) do env[name] = (select(i, ...)) end
  return self:run(env)
end

--- An empty environment for one run.
function Graph.environment() return {[Graph] = {left = most_nodes}} end

return Graph
