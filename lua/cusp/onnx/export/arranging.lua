--- Rows that rearrange, reduce, select or multiply whole axes, as ONNX's operators.
-- @module cusp.onnx.export.arranging
local dtypes = require "cusp.onnx.messages.dtypes"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local rules = {}
local to_the_end = math.maxinteger

---------------------------------------------------------------- shapes

-- Where only one size is not known, ONNX computes it (-1); of several, those that are the input's
-- at the same place are copied (0).
local function reshape_sizes(node)
  local from, unknown, result = node:input_sizes(1), {}, {}
  for i, size in ipairs(node:sizes()) do
    result[i] = size
    if type(size) ~= "number" then unknown[#unknown + 1] = i end
  end
  for at = #unknown, 1, -1 do
    local i = unknown[at]
    if #unknown == 1 then result[i] = -1
    elseif from[i] == result[i] then
      result[i] = 0
      table.remove(unknown, at)
    end
  end
  if #unknown == 1 then result[unknown[1]] = -1 end
  return result
end

rules.reshape = function(g, node, inputs)
  return g:node("Reshape", {inputs[1], g:size_list(node:known_sizes(reshape_sizes(node)))})
end

rules.transpose = function(g, node, inputs)
  local order = node.attributes.axes
  if not order then
    order = {}
    for i = 1, #node.shape do order[i] = #node.shape - i end
  end
  return g:transpose(inputs[1], order)
end

rules.broadcast_to = function(g, node, inputs)
  return g:node("Expand", {inputs[1], g:size_list(node:known_sizes(node:sizes()))})
end

rules.concatenate = function(g, node, inputs)
  return g:node("Concat", inputs, {axis = node.attributes.axis})
end

rules.strided_slice = function(g, node, inputs)
  local a, axes, starts, stops, steps = node.attributes, {}, {}, {}, {}
  for i in ipairs(node.shape) do
    local whole = tostring(a.stop[i]) == tostring(node.input_shapes[1][i])
    if not (whole and a.start[i] == 0 and a.step[i] == 1) then
      local at = #axes + 1
      axes[at], starts[at], steps[at] = i - 1, node:size_at("start", i), a.step[i]
      stops[at] = whole and to_the_end or node:size_at("stop", i)
      if a.step[i] < 0 and a.stop[i] < 0 then stops[at] = math.mininteger end
    end
  end
  if #axes == 0 then return inputs[1] end
  return g:node("Slice", {inputs[1], g:size_list(starts), g:size_list(stops), g:ints(axes),
    g:ints(steps)})
end

-- Zeros around x: what slicing would take out again.
rules.embed = function(g, node, inputs)
  local x, shape, a = inputs[1], node.input_shapes[1], node.attributes
  local before, after = {}, {}
  for i, size in ipairs(shape) do
    if a.step[i] ~= 1 then
      errors.raise "onnx.export: zeros between elements (embed with steps) cannot be said in ONNX"
    end
    before[i] = a.start[i]
    after[i] = node.shape[i] - size - a.start[i]
  end
  table.move(after, 1, #after, #before + 1, before)
  return g:node("Pad", {x, g:ints(before)})
end

rules.shift_axis = function(g, node, inputs)
  local axis, by = node.attributes.axis, node.attributes.by
  local pads = {}
  for i = 1, 2 * #node.shape do pads[i] = 0 end
  pads[axis + 1 + (by > 0 and 0 or #node.shape)] = math.abs(by)
  local padded = g:node("Pad", {inputs[1], g:ints(pads)})
  local start, stop = 0, -by
  if by < 0 then start, stop = -by, to_the_end end
  return g:node("Slice", {padded, g:ints{start}, g:ints{stop}, g:ints{axis}})
end

---------------------------------------------------------------- reductions

local reducers = {sum = {"ReduceSum", 13}, amax = {"ReduceMax", 18}, amin = {"ReduceMin", 18},
  mean = {"ReduceMean", 18}, max = {"ReduceMax", 18}, min = {"ReduceMin", 18},
  prod = {"ReduceProd", 18},
  reduce_prod = {"ReduceProd", 18}}

local function axes_of(node)
  local axes = node.attributes.axis or node.attributes.axes
  if type(axes) == "number" then return {axes} end
  if axes then return axes end
  axes = {}
  for i = 1, #node.input_shapes[1] do axes[i] = i - 1 end
  return axes
end

-- Reduces over the stored axes, where a transpose is waiting and the result keeps its rank or has
-- none of the axes that it moves.
local function stored_axes(value, axes)
  local result = {}
  for i, axis in ipairs(axes) do result[i] = value.order[axis + 1] end
  table.sort(result)
  return result
end

local function remaining_order(order, axes)
  local gone, rest = {}, {}
  for _, axis in ipairs(axes) do gone[order[axis + 1]] = true end
  for _, axis in ipairs(order) do
    if not gone[axis] then rest[#rest + 1] = axis end
  end
  for i = 2, #rest do
    if rest[i] < rest[i - 1] then return nil end
  end
  return rest
end

local function reduce(g, node, value, pair)
  local axes, keep = axes_of(node), node.attributes.keepdims
  if value.order and not keep and remaining_order(value.order, axes) then
    return g:reduce(pair[1], {name = value.name}, stored_axes(value, axes), false, pair[2])
  end
  return g:reduce(pair[1], value, axes, keep, pair[2])
end

for name, pair in pairs(reducers) do
  rules[name] = function(g, node, inputs)
    local value = inputs[1]
    if node.input_dtypes[1] ~= node.dtype then value = g:cast(value, node.dtype) end
    return reduce(g, node, value, pair)
  end
end

for name, pair in pairs{any = {"ReduceMax", 18}, all = {"ReduceMin", 18}} do
  rules[name] = function(g, node, inputs)
    return g:cast(reduce(g, node, g:cast(inputs[1], "int32"), pair), "bool")
  end
end

for name, op in pairs{argmax = "ArgMax", argmin = "ArgMin"} do
  rules[name] = function(g, node, inputs)
    local value, axis = inputs[1], node.attributes.axis
    if not axis then value, axis = g:node("Reshape", {value, g:ints{-1}}), 0 end
    local index = g:node(op, {value}, {axis = axis, keepdims = node.attributes.keepdims and 1 or 0})
    return g:cast(index, node.dtype)
  end
end

rules.cumsum_axis = function(g, node, inputs)
  local a = node.attributes
  return g:node("CumSum", {inputs[1], g:number(a.axis, "int64")},
    {reverse = a.reverse and 1 or 0, exclusive = a.exclusive and 1 or 0})
end

rules.softmax_rows = function(g, _, inputs) return g:node("Softmax", inputs, {axis = -1}) end
rules.log_softmax_rows = function(g, _, inputs) return g:node("LogSoftmax", inputs, {axis = -1}) end

---------------------------------------------------------------- products

rules.matmul = function(g, node, inputs)
  if dtypes.is_float(node.dtype) or node.dtype == "int32" or node.dtype == "int64" then
    return g:node("MatMul", inputs)
  end
  local product = g:node("MatMul", {g:cast(inputs[1], "int32"), g:cast(inputs[2], "int32")})
  return g:cast(product, node.dtype)
end

rules.matmul_float32 = function(g, _, inputs)
  return g:node("MatMul", {g:cast(inputs[1], "float32"), g:cast(inputs[2], "float32")})
end

-- A gradient of the user's own: the values are the first inputs.
rules.given_gradient = function(_, _, inputs) return inputs end

rules.einsum_operands = function(g, node, inputs)
  return g:node("Einsum", inputs, {equation = node.attributes.subscripts})
end

rules.sign_and_log_det = function(g, _, inputs)
  local value = g:node("Det", inputs)
  return {g:node("Sign", {value}), g:node("Log", {g:node("Abs", {value})})}
end

---------------------------------------------------------------- Fourier transforms, as matrices

local function identity(node, input)
  local shape = node.input_shapes[input]
  return ops.eye(shape[#shape], {dtype = node.dtype})
end

local function product_with(g, value, matrix)
  return g:node("MatMul", {value, g:constant(matrix, "frequencies")})
end

function rules.fourier_real(g, node, inputs)
  local real, imaginary = engine.ops.fourier_real(identity(node, 1), node.attributes.doubled)
  return {product_with(g, inputs[1], real), product_with(g, inputs[1], imaginary)}
end

local function sum_of_products(g, inputs, first, second)
  return g:node("Add", {product_with(g, inputs[1], first), product_with(g, inputs[2], second)})
end

function rules.fourier(g, node, inputs)
  local one = identity(node, 1)
  local none, inverse = ops.zeros_like(one), node.attributes.inverse
  local real, imaginary = engine.ops.fourier(one, none, inverse)
  local other_real, other_imaginary = engine.ops.fourier(none, one, inverse)
  return {sum_of_products(g, inputs, real, other_real),
    sum_of_products(g, inputs, imaginary, other_imaginary)}
end

function rules.fourier_from_half(g, node, inputs)
  local one, a = identity(node, 1), node.attributes
  local none = ops.zeros_like(one)
  return sum_of_products(g, inputs, engine.ops.fourier_from_half(one, none, a.n, a.doubled),
    engine.ops.fourier_from_half(none, one, a.n, a.doubled))
end

---------------------------------------------------------------- choosing elements

rules.gather_axis = function(g, node, inputs)
  return g:node("Gather", inputs, {axis = node.attributes.axis})
end

-- Along the flattened matrices, where a step is a row and a column.
rules.diagonal = function(g, node, inputs)
  local a, order, places = node.attributes, {}, {}
  local rank, sizes = #node.shape + 1, node:known_sizes(node:input_sizes(1))
  for axis = 0, rank - 1 do
    if axis ~= a.axis1 and axis ~= a.axis2 then order[#order + 1] = axis end
  end
  local lead = {}
  for i, axis in ipairs(order) do lead[i] = sizes[axis + 1] end
  table.move({a.axis1, a.axis2}, 1, 2, #order + 1, order)
  local columns = sizes[a.axis2 + 1]
  if type(columns) ~= "number" or type(node:sizes()[#node.shape]) ~= "number" then
    errors.raise "onnx.export: the diagonal of matrices of unknown size cannot be said in ONNX"
  end
  local first = a.offset > 0 and a.offset or -a.offset * columns
  for i = 1, node.shape[#node.shape] do places[i] = first + (i - 1) * (columns + 1) end
  lead[#lead + 1] = -1
  local flat = g:node("Reshape", {g:transpose(inputs[1], order), g:size_list(lead)})
  return g:node("Gather", {flat, g:ints(places)}, {axis = -1})
end

rules.gather_along = function(g, node, inputs)
  return g:node("GatherElements", inputs, {axis = node.attributes.axis})
end

rules.gather_nd = function(g, node, inputs)
  if node.attributes.drop then
    errors.raise "onnx.export: gathering that drops positions outside cannot be said in ONNX"
  end
  return g:node("GatherND", {inputs[1], g:cast(inputs[2], "int64")})
end

local modes = {[0] = "none", "add", "max", "min", "mul"}

rules.scatter_nd = function(g, node, inputs)
  local a = node.attributes
  local mode = modes[a.mode]
  if a.drop or not mode then
    errors.raise "onnx.export: scattering that drops positions outside cannot be said in ONNX"
  end
  if mode ~= "none" then g:need(mode == "add" and 16 or 18, "scattering with " .. mode) end
  return g:node("ScatterND", {inputs[1], g:cast(inputs[2], "int64"), inputs[3]},
    mode ~= "none" and {reduction = mode} or nil)
end

rules.pick_label = function(g, _, inputs)
  local labels = g:unsqueeze(inputs[2], {-1})
  return g:squeeze(g:node("GatherElements", {inputs[1], labels}, {axis = -1}), {-1})
end

rules.top_k_rows = function(g, node, inputs)
  local _, indices = g:node("TopK", {inputs[1], g:ints{node.attributes.k}}, {axis = -1}, 2)
  return g:cast(indices, node.dtype)
end

-- How many of the sorted elements are below each value.
rules.search_sorted = function(g, node, inputs)
  local op = node.attributes.or_equal and "LessOrEqual" or "Less"
  local below = g:node(op, {inputs[1], g:unsqueeze(inputs[2], {-1})})
  return g:cast(g:reduce("ReduceSum", g:cast(below, "int32"), {-1}, false, 13), node.dtype)
end

-- A whole row sorted, least first.
local function sorted(g, node, value)
  local shape = node:known_sizes(node:sizes())
  return g:node("TopK", {value, g:size(shape[#shape])}, {axis = -1, largest = 0}, 2)
end

rules.sort = function(g, node, inputs)
  return (sorted(g, node, inputs[1]))
end

rules.argsort_rows = function(g, node, inputs)
  local _, indices = sorted(g, node, inputs[1])
  return g:cast(indices, node.dtype)
end

return rules
