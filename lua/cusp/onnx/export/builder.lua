--- An ONNX graph while it is written: nodes, initializers, names, and the values that the rows of a
-- trace stand for.
--
-- A value is `{name =, shape =, dtype =}`. Where `constant` is its tensor, the initializer is made
-- when the value is first used. Where `order` is a list, the value is what the name holds with its
-- axes in another order: transposes that cancel are never written.
-- @module cusp.onnx.export.builder
local dtypes = require "cusp.onnx.messages.dtypes"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local ops = require "cusp.ops"
local tensors = require "cusp.onnx.messages.tensors"

local Builder = {}
Builder.__index = Builder

--- An empty graph.
-- @tparam integer opset
-- @tparam {string,...} input_names
function Builder.new(opset, input_names)
  local self = setmetatable({opset = opset, input_names = input_names, nodes = {},
    initializers = {}, constants = {}, used = {}, sizes = {}}, Builder)
  for _, name in ipairs(input_names) do self:unique(name) end
  return self
end

--- A name that nothing else in the graph has.
function Builder:unique(name)
  local count = (self.used[name] or 0) + 1
  self.used[name] = count
  if count == 1 then return name end
  return self:unique(("%s_%d"):format(name, count))
end

--- A graph inside a node: it shares names, and sees the values outside.
function Builder:inner()
  return setmetatable({opset = self.opset, input_names = self.input_names, nodes = {},
    initializers = self.initializers, constants = self.constants, used = self.used, sizes = {}},
    Builder)
end

-- As many unknown sizes.
local function dims_of(rank)
  if not rank then return nil end
  local dims = {}
  for axis = 1, rank do dims[axis] = {} end
  return {dim = dims}
end

--- The message of an inner graph.
-- @tparam string name
-- @tparam {{string,string},...} inputs names and dtypes, and perhaps a `rank`
-- @tparam {{string,string},...} outputs
function Builder:graph(name, inputs, outputs)
  local function infos(list)
    local result = {}
    for i, pair in ipairs(list) do
      result[i] = {name = pair[1], type = {tensor_type = {elem_type = dtypes.number(pair[2]),
        shape = dims_of(pair.rank)}}}
    end
    return result
  end
  return {name = name, node = self.nodes, input = infos(inputs), output = infos(outputs)}
end

---------------------------------------------------------------- attributes

local function attribute(name, value)
  if math.type(value) == "integer" then return {name = name, type = 2, i = value} end
  if type(value) == "number" then return {name = name, type = 1, f = value} end
  if type(value) == "string" then return {name = name, type = 3, s = value} end
  if value.node then return {name = name, type = 5, g = value} end
  if type(value[1]) == "string" then return {name = name, type = 8, strings = value} end
  if math.type(value[1]) == "float" then return {name = name, type = 6, floats = value} end
  return {name = name, type = 7, ints = value}
end

local function attributes_of(values)
  local list = {}
  for i, name in ipairs(lists.keys(values or {})) do list[i] = attribute(name, values[name]) end
  return list
end

---------------------------------------------------------------- nodes

--- Writes a node.
-- @tparam string op its operator
-- @tparam {value,...} inputs values; false for one that is left out
-- @tparam[opt] table attributes
-- @tparam[opt] integer outputs how many results it has
-- @treturn value... its results
function Builder:node(op, inputs, attributes, outputs)
  local names = {}
  for i, value in ipairs(inputs) do names[i] = value and self:name(value) or "" end
  local results, result_names = {}, {}
  for i = 1, outputs or 1 do
    result_names[i] = self:unique(op)
    results[i] = {name = result_names[i]}
  end
  self.nodes[#self.nodes + 1] = {op_type = op, input = names, output = result_names,
    name = result_names[1], attribute = attributes_of(attributes)}
  return table.unpack(results)
end

--- The value of a tensor that is known.
function Builder:constant(tensor, name)
  return {constant = tensor, hint = name or "constant", shape = tensor.shape, dtype = tensor.dtype}
end

--- A list of integers as an input.
function Builder:ints(list)
  return self:constant(engine.tensor(list, {dtype = "int64", shape = {#list}}), "sizes")
end

--- A number of the dtype.
function Builder:number(value, dtype)
  return self:constant(engine.tensor(value, {dtype = dtype}), "number")
end

local function invert(order)
  local inverse = {}
  for i, axis in ipairs(order) do inverse[axis + 1] = i - 1 end
  return inverse
end

-- Weights are initializers; numbers that belong to the computation are nodes.
local function write_constant(self, value)
  if value.weight then
    table.insert(self.initializers, {name = value.name, tensor = value.constant})
  else
    local tensor = tensors.encode(value.name, value.constant)
    self.constants[#self.constants + 1] = {op_type = "Constant", input = {}, output = {value.name},
      name = value.name, attribute = {{name = "value", type = 4, t = tensor}}}
  end
end

--- The name of a value, for a node that reads it.
function Builder:name(value)
  if value.unsayable then
    errors.raise("onnx.export: %s cannot be said in ONNX; give the sizes in the shape of the Input",
      value.unsayable)
  end
  if value.constant and not value.name then
    value.name = self:unique(value.hint)
    write_constant(self, value)
  end
  if value.order then
    value.written = value.written
      or self:node("Transpose", {{name = value.name}}, {perm = value.order})
    return value.written.name
  end
  return value.name
end

local function is_in_order(order)
  for i, axis in ipairs(order) do
    if axis ~= i - 1 then return false end
  end
  return true
end

local function permuted(list, order)
  local result = {}
  for i, axis in ipairs(order) do result[i] = list[axis + 1] end
  return result
end
Builder.permuted = permuted
Builder.invert = invert

--- A value with its axes in another order.
-- @tparam value value
-- @tparam {integer,...} order axes from 0, as ONNX's `perm`
function Builder:transpose(value, order)
  if is_in_order(order) then return value end
  if value.constant then
    local axes = {}
    for i, axis in ipairs(order) do axes[i] = axis + 1 end
    local turned = self:constant(ops.transpose(value.constant, axes), value.hint)
    turned.weight, turned.trainable = value.weight, value.trainable
    return turned
  end
  local whole = value.order and permuted(value.order, order) or order
  local result = {name = value.name, order = whole}
  if is_in_order(whole) then result.order = nil end
  return result
end

--- A value of another dtype.
function Builder:cast(value, dtype)
  return self:node("Cast", {value}, {to = dtypes.number(dtype)})
end

--- Axes that are an attribute in older opsets and an input in newer ones.
function Builder:reduce(op, value, axes, keepdims, since)
  if #axes == 0 then return value end
  if self.opset < since then
    return self:node(op, {value}, {axes = axes, keepdims = keepdims and 1 or 0})
  end
  return self:node(op, {value, self:ints(axes)}, {keepdims = keepdims and 1 or 0})
end

function Builder:unsqueeze(value, axes)
  return self:node("Unsqueeze", {value, self:ints(axes)})
end

function Builder:squeeze(value, axes)
  return self:node("Squeeze", {value, self:ints(axes)})
end

---------------------------------------------------------------- sizes that are not known

local function symbol_value(self, symbol)
  local known = self.sizes[symbol]
  if not known then
    local shape = self:node("Shape", {{name = self.input_names[symbol.input]}})
    known = self:node("Gather", {shape, self:ints{symbol.axis - 1}})
    self.sizes[symbol] = known
  end
  return known
end

--- A size as a list of one integer.
-- @param size a number, or a sum as of tracing.size
function Builder:size(size)
  if type(size) == "number" then return self:ints{size} end
  local value
  for _, symbol in ipairs(size.symbols) do
    local next_value = symbol_value(self, symbol)
    value = value and self:node("Mul", {value, next_value}) or next_value
  end
  if size.factor ~= 1 then value = self:node("Mul", {value, self:ints{size.factor}}) end
  if size.plus ~= 0 then value = self:node("Add", {value, self:ints{size.plus}}) end
  return value
end

--- A list of sizes as an input.
function Builder:size_list(sizes)
  local parts, run = {}, {}
  local function flush()
    if #run > 0 then parts[#parts + 1] = self:ints(run) end
    run = {}
  end
  for _, size in ipairs(sizes) do
    if type(size) == "number" then
      run[#run + 1] = size
    else
      flush()
      parts[#parts + 1] = self:size(size)
    end
  end
  flush()
  if #parts == 0 then return self:ints{} end
  if #parts == 1 then return parts[1] end
  return self:node("Concat", parts, {axis = 0})
end

local function mark_inputs(node, needed)
  for _, name in ipairs(node.input) do needed[name] = true end
  for _, each in ipairs(node.attribute or {}) do
    for _, inner in ipairs(each.g and each.g.node or {}) do mark_inputs(inner, needed) end
  end
end

--- All nodes: constants first, then those that an output needs.
-- @tparam {string,...} outputs
function Builder:finished(outputs)
  local needed, kept = {}, {}
  for _, name in ipairs(outputs) do needed[name] = true end
  for i = #self.nodes, 1, -1 do
    local node = self.nodes[i]
    local used = false
    for _, name in ipairs(node.output) do used = used or needed[name] end
    if used then
      kept[#kept + 1] = node
      mark_inputs(node, needed)
    end
  end
  local result = {}
  for _, node in ipairs(self.constants) do
    if needed[node.name] then result[#result + 1] = node end
  end
  for i = #kept, 1, -1 do result[#result + 1] = kept[i] end
  return result
end

--- Refuses what the opset cannot say.
function Builder:need(opset, what)
  if self.opset < opset then
    errors.raise("onnx.export: %s needs opset %d or later, got opset %d", what, opset, self.opset)
  end
end

return Builder
