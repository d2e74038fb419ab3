--- Sliding windows over spatial axes, channels last: convolutions and pooling.
-- @module cusp.export_c.windows
local arrays = require "cusp.export_c.arrays"
local expressions = require "cusp.export_c.expressions"
local text = require "cusp.export_c.text"

local windows = {roots = {}}

-- Multiplies and adds an index, leaving out what changes nothing.
local function affine(index, factor, added)
  if math.type(index) == "integer" then return index * factor + added end
  local code = factor == 1 and index or ("%s * %d"):format(index, factor)
  if added == 0 then return code end
  return ("%s %s %d"):format(code, added < 0 and "-" or "+", math.abs(added))
end

local function sum(a, b)
  local constant = math.type(a) == "integer" and a or math.type(b) == "integer" and b
  if not constant then return ("%s + %s"):format(a, b) end
  return affine(constant == a and b or a, 1, constant)
end

-- The position in the input under element k of the window at `at`, which the loop over k skips
-- where it is padding.
local function input_position(step, g, axis, at, k)
  local stride, low, dilation = g.strides[axis], g.low[axis], g.dilations[axis]
  local last = (g.output[axis] - 1) * stride - low + (g.size[axis] - 1) * dilation
  local code = sum(affine(at, stride, -low), affine(k, dilation, 0))
  if low <= 0 and last < g.input[axis] then return code end
  local name = "r" .. axis
  step:line("const int %s = %s;", name, code)
  step:line("if (%s < 0 || %s >= %d)", name, name, g.input[axis])
  step:line("  continue;")
  return name
end

-- Loops over the elements of a window; a loop that may be left needs to be one.
local function open_window(step, g, position, indices)
  local places, elements, blocks = {}, {}, 0
  for axis, size in ipairs(g.size) do
    local name = "k" .. axis
    step:open("for (int %s = 0; %s < %d; %s++) {", name, name, size, name)
    blocks = blocks + 1
    elements[axis] = name
    places[axis] = position(step, g, axis, indices[axis + 1], name)
  end
  return places, elements, blocks
end

local function spatial(shape) return table.move(shape, 2, #shape - 1, 1, {}) end

-- Opens the loops over the batch and the spatial axes of a result.
local function open_positions(step, shape)
  local outer = table.move(shape, 1, #shape - 1, 1, {})
  return step:loops("i", outer)
end

-- A line for each channel.
local function channels(step, count, f)
  local c, blocks = step.writer:loop("c", count)
  f(c)
  step:close(blocks)
end

---------------------------------------------------------------- convolutions

local function is_zero(array) return tonumber((array.literal:gsub("[fLU]+$", ""))) == 0 end

-- Whether only convolutions read a value.
local function is_convolved(program, value)
  for _, user in ipairs(program.users[value]) do
    if user == "outside" or user.name ~= "conv_forward" or user.inputs[2] == value then
      return false
    end
  end
  return true
end

--- Zeros around an image, which convolutions may skip instead of reading them.
-- @treturn ?table the array of the image, with what is before it in each axis as `padding`
function windows.padded(program, op)
  local x, attributes = program.arrays[op.inputs[1]], op.attributes
  local value = op.inputs[2] and program.arrays[op.inputs[2]]
  local shape = program.graph.values[op.first_output].shape
  local fits = (not value or value.literal and is_zero(value)) and shape[1] == x.shape[1]
    and shape[#shape] == x.shape[#shape] and is_convolved(program, op.first_output)
  for axis in ipairs(shape) do fits = fits and attributes.step[axis] == 1 end
  if not fits then return nil end
  local array = arrays.view(x, x.shape, x.strides)
  array.padding = attributes.start
  return array
end

-- How far before the first element the first window begins.
local function low_of(op, x)
  local low = {}
  for axis, size in ipairs(op.attributes.low) do
    low[axis] = size + (x.padding and x.padding[axis + 1] or 0)
  end
  return low
end

local function geometry(step, op, result_value)
  local values, attributes = step.program.graph.values, op.attributes
  local x, kernel = step:array(op.inputs[1]), step:array(op.inputs[2])
  local y = values[result_value].shape
  return {x = x, kernel = kernel, strides = attributes.strides, low = low_of(op, x),
    dilations = attributes.dilations, size = table.move(kernel.shape, 1, #kernel.shape - 2, 1, {}),
    input = spatial(x.shape), output = spatial(y), filters = kernel.shape[#kernel.shape],
    part = kernel.shape[#kernel.shape - 1]}
end

-- Sums for all filters at a position: x[c] times a row of the kernel.
local function add_products(step, g, batch, places, elements, result, indices)
  local groups = g.groups
  local part = g.filters // groups -- filters of a group
  local group, blocks = step.writer:loop("g", groups)
  local c, inner = step.writer:loop("c", g.part)
  if blocks + inner == 0 then step:open "{" end
  local channel = groups == 1 and c or sum(affine(group, g.part, 0), c)
  step:line("const %s x = %s;", g.type, step:at(g.x, arrays.indices(batch, places, channel)))
  local f, filters = step.writer:loop("f", part)
  local filter = groups == 1 and f or sum(affine(group, part, 0), f)
  step:line("%s += x * %s;", step:place(result, arrays.indices(indices, filter)),
    step:stored(g.kernel, arrays.indices(elements, c, filter)))
  step:close(filters + math.max(blocks + inner, 1))
end

function windows.roots.conv_forward(step, op, group, result, finish)
  local g = geometry(step, op, op.first_output)
  g.type, g.groups = text.type(result.dtype), g.x.shape[#g.x.shape] // g.part
  local scale = g.kernel.source and g.kernel.source.scale
  local indices, blocks = open_positions(step, result.shape)
  channels(step, g.filters, function(c)
    step:line("%s = 0;", step:place(result, arrays.indices(indices, c)))
  end)
  local places, elements, opened = open_window(step, g, input_position, indices)
  add_products(step, g, indices[1], places, elements, result, indices)
  step:close(opened)
  if scale or #group.members > 0 then
    channels(step, g.filters, function(c)
      local root = step:place(result, arrays.indices(indices, c))
      if scale then root = ("%s * %s_scale[%s]"):format(root, g.kernel.source.name, c) end
      finish(arrays.indices(indices, c), root)
    end)
  end
  step:close(blocks)
end

-- The position in y whose window has the input at `at` under its element k, if there is one.
local function output_position(step, g, axis, at, k)
  local name, stride = "r" .. axis, g.strides[axis]
  step:line("int %s = %s - %s;", name, affine(at, 1, g.low[axis]), affine(k, g.dilations[axis], 0))
  local aligned = stride > 1 and (" || %s %% %d != 0"):format(name, stride) or ""
  step:line("if (%s < 0%s || %s >= %d)", name, aligned, name, g.input[axis] * stride)
  step:line("  continue;")
  if stride > 1 then step:line("%s /= %d;", name, stride) end
  return name
end

--- A transposed convolution.
function windows.roots.conv_input_gradient(step, op, _, result, finish)
  local g, shape = geometry(step, op, op.first_output), result.shape
  local total = shape[#shape]
  local groups = total // g.part
  local part = g.filters // groups
  local indices, blocks = open_positions(step, shape)
  local c, opened = step.writer:loop("c", total)
  if blocks + opened == 0 then step:open "{" end
  step:line("%s sum = 0;", text.type(result.dtype))
  local places, elements, window = open_window(step, g, output_position, indices)
  local f, filters = step.writer:loop("f", part)
  local filter = groups == 1 and f or ("%s / %d * %d + %s"):format(c, g.part, part, f)
  local channel = groups == 1 and c or ("%s %% %d"):format(c, g.part)
  step:line("sum += %s * %s;", step:at(g.x, arrays.indices(indices[1], places, filter)),
    step:at(g.kernel, arrays.indices(elements, channel, filter)))
  step:close(filters + window)
  finish(arrays.indices(indices, c), "sum")
  step:close(math.max(blocks + opened, 1))
end

---------------------------------------------------------------- pooling

local function pool_geometry(step, op, result)
  local x, attributes, ones = step:array(op.inputs[1]), op.attributes, {}
  for axis = 1, #attributes.size do ones[axis] = 1 end
  return {x = x, size = attributes.size, strides = attributes.strides, low = attributes.low,
    dilations = ones, input = spatial(x.shape), output = spatial(result.shape),
    channels = result.shape[#result.shape]}
end

local function is_padded(g)
  for axis, size in ipairs(g.size) do
    local last = (g.output[axis] - 1) * g.strides[axis] - g.low[axis] + size - 1
    if g.low[axis] > 0 or last >= g.input[axis] then return true end
  end
  return false
end

local function pool(step, op, result, start, more, counting)
  local g = pool_geometry(step, op, result)
  local indices, blocks = open_positions(step, result.shape)
  if counting then
    step:open "{"
    step:line "int count = 0;"
  end
  channels(step, g.channels, function(c)
    step:line("%s = %s;", step:place(result, arrays.indices(indices, c)), start)
  end)
  local places, _, opened = open_window(step, g, input_position, indices)
  channels(step, g.channels, function(c)
    more(step:place(result, arrays.indices(indices, c)),
      step:at(g.x, arrays.indices(indices[1], places, c)))
  end)
  if counting then step:line "count++;" end
  step:close(opened)
  return g, indices, blocks + (counting and 1 or 0)
end

function windows.roots.pool_max(step, op, group, result, finish)
  local helper = expressions.helper(step.program, "maximum", result.dtype)
  local g, indices, blocks = pool(step, op, result, "-INFINITY", function(place, x)
    step:line("%s = %s(%s, %s);", place, helper, x, place)
  end)
  if #group.members > 0 then
    channels(step, g.channels, function(c)
      finish(arrays.indices(indices, c), step:place(result, arrays.indices(indices, c)))
    end)
  end
  step:close(blocks)
end

function windows.roots.pool_average(step, op, _, result, finish)
  local padded = is_padded(pool_geometry(step, op, result))
  local g, indices, blocks = pool(step, op, result, "0", function(place, x)
    step:line("%s += %s;", place, x)
  end, padded)
  local count = 1
  for _, size in ipairs(g.size) do count = count * size end
  local divisor = padded and ("(%s)count"):format(text.type(result.dtype))
    or text.literal(count, result.dtype)
  channels(step, g.channels, function(c)
    local place = arrays.indices(indices, c)
    finish(place, ("%s / %s"):format(step:place(result, place), divisor))
  end)
  step:close(blocks)
end

return windows
