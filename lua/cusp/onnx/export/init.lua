--- Writes models as ONNX files: the operations of a traced call, row by row.
-- @module cusp.onnx.export
local Builder = require "cusp.onnx.export.builder"
local arguments = require "cusp.base.arguments"
local dtypes = require "cusp.onnx.messages.dtypes"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local external = require "cusp.onnx.export.external"
local ops = require "cusp.ops"
local places = require "cusp.layers.machinery.places"
local protobuf = require "cusp.formats.protobuf"
local shapes = require "cusp.base.shape"
local sharding = require "cusp.base.sharding"
local tracing = require "cusp.onnx.export.tracing"
local windows = require "cusp.onnx.export.windows"

local oldest, newest = 13, 22

local rules = {}
for _, part in ipairs{require "cusp.onnx.export.elementwise", require "cusp.onnx.export.arranging",
  require "cusp.onnx.export.attention", require "cusp.onnx.export.graphs",
  require "cusp.onnx.export.recurrent", windows.rules} do
  for name, rule in pairs(part) do rules[name] = rule end
end

---------------------------------------------------------------- what a rule sees of a node

local View = {}
View.__index = View

local function resolve(view, read)
  local trace, value = view.trace, read(view.node)
  return tracing.size(trace.symbols, value, function(symbol)
    return read(trace.others[symbol][view.index])
  end)
end

-- Equal sums are one table, so that they can be compared.
local function intern(trace, size)
  if type(size) ~= "table" then return size end
  local parts = {size.factor, size.plus}
  for _, symbol in ipairs(size.symbols) do parts[#parts + 1] = symbol.name end
  local key = table.concat(parts, " ")
  trace.interned[key] = trace.interned[key] or size
  return trace.interned[key]
end

local function sizes_of(trace, index)
  local view = {trace = trace, index = index, node = trace.nodes[index]}
  local sizes = {}
  for axis in ipairs(view.node.shape) do
    local size = resolve(view, function(node) return node.shape[axis] end)
    sizes[axis] = size and intern(trace, size) or false
  end
  return sizes
end

--- The sizes of the node's result: numbers, sums of unknown sizes, or false for anything else.
function View:sizes() return sizes_of(self.trace, self.index) end

--- The sizes of an input.
function View:input_sizes(i) return sizes_of(self.trace, self.node.inputs[i]) end

--- One number of a list that is an attribute.
function View:size_at(attribute, i)
  local size = resolve(self, function(node) return node.attributes[attribute][i] end)
  return self:known_sizes({size or false})[1]
end

--- The sizes, where all can be said.
function View:known_sizes(sizes)
  for _, size in ipairs(sizes) do
    if not size then
      errors.raise("onnx.export: a size that %s needs depends on unknown sizes in a way that ONNX"
        .. " cannot be told; give the sizes in the shape of the Input", self.op)
    end
  end
  return sizes
end

local function view_of(trace, index)
  local node = trace.nodes[index]
  local view = setmetatable({trace = trace, index = index, node = node, op = node.op or "constant",
    shape = node.shape, dtype = node.dtype, attributes = node.attributes or {}, input_shapes = {},
    input_dtypes = {}}, View)
  for i, input in ipairs(node.inputs or {}) do
    view.input_shapes[i] = trace.nodes[input].shape
    view.input_dtypes[i] = trace.nodes[input].dtype
  end
  return view
end

---------------------------------------------------------------- what does not depend on the input

local foldable = {reshape = function(node, x) return ops.reshape(x, node.shape) end,
  transpose = function(node, x)
    local axes = {}
    for i, axis in ipairs(node.attributes.axes) do axes[i] = axis + 1 end
    return ops.transpose(x, axes)
  end,
  cast = function(node, x) return ops.cast(x, node.dtype) end,
  broadcast_to = false, embed = false}
for _, name in ipairs{"add", "subtract", "multiply", "divide", "negative", "sqrt", "rsqrt",
  "reciprocal", "square", "exp", "log", "absolute", "maximum", "minimum", "power", "tanh",
  "sigmoid", "softplus", "multiply_add"} do
  foldable[name] = function(_, ...) return engine.ops[name](...) end
end

local function fold(g, view, inputs)
  local compute = foldable[view.op]
  if not compute or #inputs == 0 then return nil end
  local tensors, named = {}, inputs[1]
  for i, value in ipairs(inputs) do
    if not value.constant then return nil end
    tensors[i] = value.constant
    if value.trainable or value.weight and not named.trainable then named = value end
  end
  for _, size in ipairs(view:sizes()) do
    if type(size) ~= "number" then return nil end
  end
  local result = g:constant(compute(view, table.unpack(tensors)), named.hint)
  result.weight, result.trainable = named.weight, named.trainable
  return result
end

---------------------------------------------------------------- leaves

local function all_equal(tensor)
  if shapes.size(tensor.shape) == 0 then return false end
  local flat = ops.reshape(tensor, {-1})
  return ops.all(ops.equal(flat, flat[1])):item()
end

local function same_values(tensor, other)
  if not shapes.equal(tensor.shape, other.shape) then return false end
  local same = ops.equal(tensor, other)
  if dtypes.is_float(tensor.dtype) then
    same = ops.logical_or(same, ops.logical_and(ops.isnan(tensor), ops.isnan(other)))
  end
  return ops.all(same):item()
end

-- A leaf of another shape or value in another trace: a number that is a size, or one number
-- everywhere.
local function varying_leaf(g, view)
  local node = view.node
  if not node.tensor then
    errors.raise("onnx.export: the model reads a variable that is none of its weights (a generator"
      .. " of random numbers, or the state of a stateful layer), which cannot be said in ONNX")
  end
  if #node.shape == 0 and node.dtype ~= "bool" then
    local size = resolve(view, function(each) return each.tensor:item() end)
    if size then
      return g:cast(g:squeeze(g:size(intern(view.trace, size)), {0}), node.dtype)
    end
  elseif all_equal(node.tensor) then
    local first = ops.reshape(node.tensor, {-1})[1]
    local value = g:node("Expand", {g:constant(first),
      g:size_list(view:known_sizes(view:sizes()))})
    value.zero = not ops.any(first):item()
    return value
  elseif #node.shape == 1 and same_values(node.tensor,
    ops.cast(ops.arange(node.shape[1]), node.dtype)) then
    local count = g:squeeze(g:size(view:known_sizes(view:sizes())[1]), {0})
    local range = g:node("Range", {g:number(0, "int64"), count, g:number(1, "int64")})
    return g:cast(range, node.dtype)
  end
  return {unsayable = ("a table of shape %s that the model computes from the sizes of its inputs")
    :format(errors.shape(node.shape))}
end

local function is_constant(trace, index)
  local tensor = trace.nodes[index].tensor
  if not tensor then return false end
  for _, other in pairs(trace.others) do
    if not same_values(tensor, other[index].tensor) then return false end
  end
  return true
end

-- The nodes that outputs are computed from, below those of one value in all traces.
local function find_needed(trace, given)
  local needed = {}
  for _, index in ipairs(trace.outputs) do needed[index] = true end
  for index = #trace.nodes, 1, -1 do
    local node = trace.nodes[index]
    if given[index] then
      needed[index] = nil
    elseif needed[index] and is_constant(trace, index) then
      needed[index] = "constant"
    elseif needed[index] == true and node.op then
      for _, input in ipairs(node.inputs) do needed[input] = true end
    end
  end
  return needed
end

---------------------------------------------------------------- all nodes

local function weight_value(g, variable)
  local value = g:constant(variable.value, variable.path)
  value.weight, value.trainable = true, variable.trainable
  return value
end

local function name_values(g, trace, model)
  local values = {}
  local count = #trace.inputs
  for i, place in ipairs(trace.given) do
    local variable = model.variables[i - count]
    if variable then
      if place > 0 then values[place] = weight_value(g, variable) end
    elseif place > 0 then
      values[place] = {name = g.input_names[i]}
    end
  end
  return values
end

local function is_conv_sum(view, a, b)
  return view.op == "add" and a.node and #view.shape > 2 and b.constant ~= nil
end

local function count_uses(trace)
  local uses = {}
  for _, node in ipairs(trace.nodes) do
    for _, input in ipairs(node.inputs or {}) do uses[input] = (uses[input] or 0) + 1 end
  end
  for _, output in ipairs(trace.outputs) do uses[output] = (uses[output] or 0) + 1 end
  return uses
end

-- The number that a value is divided by, where it is known in each trace.
local function is_count(trace, index, sum)
  local node = trace.nodes[index]
  if not node.tensor or #node.shape > 0 then return false end
  local function agrees(nodes)
    local shape, count = nodes[nodes[sum].inputs[1]].shape, 1
    for _, axis in ipairs(nodes[sum].attributes.axis or {}) do count = count * shape[axis + 1] end
    return nodes[index].tensor:item() == count
  end
  for _, other in pairs(trace.others) do
    if not agrees(other) then return false end
  end
  return agrees(trace.nodes)
end

-- A sum over axes that is divided by their size is a mean.
local function mean_of(g, view, values)
  local trace, first = view.trace, view.node.inputs[1]
  local sum = view.op == "divide" and trace.nodes[first]
  if not sum or sum.op ~= "sum" or not sum.attributes.axis
    or trace.nodes[sum.inputs[1]].dtype ~= view.dtype
    or not is_count(trace, view.node.inputs[2], first) then
    return nil
  end
  return rules.mean(g, view_of(trace, first), {values[sum.inputs[1]]})
end

-- The value of a row that gives a list, where it has one result and nothing picks it.
local function single(value) return value and value[1] or value end

local function write_node(g, trace, index, values, uses)
  local view = view_of(trace, index)
  local inputs = {}
  if view.op == "pick" then
    return values[view.node.inputs[1]][view.attributes.index + 1]
  end
  for i, input in ipairs(view.node.inputs) do inputs[i] = single(values[input]) end
  local folded = fold(g, view, inputs)
  if folded then return folded end
  local mean = mean_of(g, view, values)
  if mean then return mean end
  local first = view.node.inputs[1]
  if is_conv_sum(view, inputs[1], inputs[2] or {}) and uses[first] == 1 then
    local sum = windows.add_bias(g, inputs[1], inputs[2])
    if sum then return sum end
  end
  local rule = rules[view.op]
  if not rule then
    local layer = places.layer(view.node.place)
    errors.raise("onnx.export: the operation '%s'%s cannot be said in ONNX%s", view.op,
      layer and (" of %s"):format(layer.name) or "",
      view.op == "quantized_matmul" and "; export the model before it is quantized" or "")
  end
  return rule(g, view, inputs)
end

local function value_of(g, trace, index, values, state)
  local node = trace.nodes[index]
  if state.needed[index] == "constant" then return g:constant(node.tensor) end
  if not node.op then return varying_leaf(g, view_of(trace, index)) end
  local value = write_node(g, trace, index, values, state.uses)
  if value.name and not value.shape then value.shape, value.dtype = node.shape, node.dtype end
  return value
end

-- Values that are there already are given.
local function write_needed(g, trace, values)
  local state = {uses = count_uses(trace), needed = find_needed(trace, values)}
  for index in ipairs(trace.nodes) do
    if values[index] == nil and state.needed[index] then
      values[index] = value_of(g, trace, index, values, state)
    end
  end
end

local function write_nodes(g, trace, model)
  local values = name_values(g, trace, model)
  trace.interned = {}
  write_needed(g, trace, values)
  return values
end

-- The trace of a graph within a node, in all traces.
local function inner_trace(view, k)
  local graph, others = view.attributes.graphs[k], {}
  for symbol, nodes in pairs(view.trace.others) do
    others[symbol] = nodes[view.index].attributes.graphs[k].nodes
  end
  return setmetatable({nodes = graph.nodes, outputs = graph.outputs, others = others},
    {__index = view.trace})
end

--- Writes a graph within the node.
-- @tparam Builder g of the inner graph
-- @tparam integer k which of the node's graphs
-- @tparam {value,...} given the values of its inputs
-- @treturn {{value =, dtype =, rank =},...} its outputs
function View:write_inner(g, k, given)
  local trace, values, results = inner_trace(self, k), {}, {}
  for i, place in ipairs(self.attributes.graphs[k].inputs) do
    if place > 0 then values[place] = given[i] end
  end
  write_needed(g, trace, values)
  for i, place in ipairs(trace.outputs) do
    local node = trace.nodes[place]
    results[i] = {value = single(values[place]), dtype = node.dtype, rank = #node.shape}
  end
  return results
end

---------------------------------------------------------------- the model

local function value_info(name, dtype, sizes)
  local dims = {}
  for axis, size in ipairs(sizes) do
    if math.type(size) == "integer" then
      dims[axis] = {dim_value = size}
    elseif size and #size.symbols == 1 and size.factor == 1 and size.plus == 0 then
      dims[axis] = {dim_param = size.symbols[1].name}
    else
      dims[axis] = {}
    end
  end
  return {name = name, type = {tensor_type = {elem_type = dtypes.number(dtype),
    shape = {dim = dims}}}}
end

local function input_infos(trace)
  local infos = {}
  for i, input in ipairs(trace.inputs) do
    local sizes = {}
    for axis, size in ipairs(input.shape) do
      local symbol = trace.places[i][axis]
      sizes[axis] = symbol and {symbols = {symbol}, factor = 1, plus = 0} or size
    end
    infos[i] = value_info(trace.input_names[i], input.dtype, sizes)
  end
  return infos
end

local function output_infos(g, trace, model, values)
  local infos, names, written = {}, model.output_names, {}
  for i, index in ipairs(trace.outputs) do
    local name, from = g:unique(names[i]), g:name(single(values[index]))
    g.nodes[#g.nodes + 1] = {op_type = "Identity", input = {from}, output = {name}, name = name}
    infos[i] = value_info(name, trace.nodes[index].dtype, sizes_of(trace, index))
    written[i] = name
  end
  return infos, written
end

local function ir_version(opset)
  return opset >= 21 and 10 or opset >= 19 and 9 or opset >= 15 and 8 or 7
end

local function model_of(model, opset)
  local trace = tracing.trace(model)
  trace.input_names = {}
  for i, input in ipairs(trace.inputs) do trace.input_names[i] = input.name end
  local g = Builder.new(opset, trace.input_names)
  local values = write_nodes(g, trace, model)
  local outputs, written = output_infos(g, trace, model, values)
  return {ir_version = ir_version(opset), producer_name = "Cusp",
    opset_import = {{domain = "", version = opset}},
    graph = {name = model.name, node = g:finished(written), input = input_infos(trace),
      output = outputs}}, g.initializers
end

local bind = arguments.binder("onnx.export",
  {{"model", "any"}, {"path", "string"}, {"opset", "integer", default = 17},
    {"external_data", "boolean", optional = true}}, false)

local function check_model(model)
  local ok, inputs = engine.attempt(function() return model.inputs and model.input end)
  if ok and inputs then return end
  errors.raise("onnx.export: expected a functional or sequential model with known inputs, got %s; "
    .. "with x = cusp.Input{...}, cusp.Model{x, model(x)} makes one of any model",
    errors.describe(model))
end

local function write(path, beside, message, weights)
  local list, data = external.encode(weights, path, beside)
  local kept <close> = data
  message.graph.initializer = list
  local writer <close> = engine.files.create(path)
  writer:write(protobuf.encode("onnx.ModelProto", message))
  engine.files.commit{kept or writer, kept and writer}
end

--- Writes a model as an ONNX file: its prediction, with the batch size (and other sizes that are
-- None) left open. The file appears when it is complete; after an error there is none.
-- @tparam Model model a functional or built sequential model
-- @tparam string path
-- @tparam[opt=17] integer opset version of ONNX's operators, 13 to 22
-- @tparam[opt] boolean external_data whether weights go into a file beside, `path .. ".data"`; by
-- default where they have nearly 2 GB or more
-- @raise if something in the model cannot be said in ONNX
-- @usage cusp.onnx.export(model, "model.onnx", {opset = 17})
return function(...)
  local model, path, opset, beside = bind(...)
  check_model(model)
  sharding.check_whole("onnx.export", model.weights,
    "save the model, and load it in one process")
  if opset < oldest or opset > newest then
    errors.raise("onnx.export: opset should be %d to %d, got %d", oldest, newest, opset)
  end
  write(path, beside, model_of(model, opset))
end
