--- Operators that change shapes, select elements or make tensors.
-- @module cusp.onnx.load.shaping
local dtypes = require "cusp.onnx.messages.dtypes"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local values = require "cusp.onnx.load.values"

local operators = {}
local list, position = values.list, values.position

---------------------------------------------------------------- shapes

function operators.Reshape(node, x, shape_input)
  local sizes = shape_input and list(shape_input, "Reshape's shape") or node.a.shape
  local shape = {}
  for i, size in ipairs(sizes) do
    shape[i] = size
    if size == 0 and (node.a.allowzero or 0) == 0 then
      shape[i] = x.shape[i] or errors.raise("size %d is to be copied from a tensor of rank %d", i,
        #x.shape)
    end
  end
  return ops.reshape(x, shape)
end

function operators.Flatten(node, x)
  local axis = node.a.axis or 1
  if axis < 0 then axis = axis + #x.shape end
  return ops.reshape(x, {values.product(x.shape, 1, axis), values.product(x.shape, axis + 1)})
end

function operators.Transpose(node, x)
  if not node.a.perm then return ops.transpose(x) end
  return ops.transpose(x, values.axes(node.a.perm))
end

local function axes_of(node, input)
  return input and list(input, node.op .. "'s axes") or node.a.axes
end

function operators.Squeeze(node, x, axes_input)
  local axes = axes_of(node, axes_input)
  if not axes then return ops.squeeze(x) end
  if #axes == 0 then return x end
  return ops.squeeze(x, values.axes(axes))
end

function operators.Unsqueeze(node, x, axes_input)
  local axes, shape, from = axes_of(node, axes_input), {}, 1
  local rank = #x.shape + #axes
  local added = {}
  for _, axis in ipairs(axes) do added[position(axis, rank)] = true end
  for i = 1, rank do
    if added[i] then
      shape[i] = 1
    else
      shape[i], from = x.shape[from], from + 1
    end
  end
  return ops.reshape(x, shape)
end

function operators.Expand(_, x, shape_input)
  return ops.broadcast_to(x, values.broadcast({table.unpack(x.shape)},
    list(shape_input, "Expand's shape")))
end

function operators.Tile(node, x, repeats, axis_input)
  if node.opset < 6 then
    local times = values.fill(#x.shape, 1)
    times[values.number(axis_input, "Tile's axis") + 1] = values.number(repeats, "Tile's tiles")
    return ops.tile(x, times)
  end
  return ops.tile(x, list(repeats, "Tile's repeats"))
end

local function limit(value, size, default)
  value = value or default
  if value < 0 then value = value + size end
  return math.max(0, math.min(size, value))
end

function operators.Shape(node, x)
  local rank, sizes = #x.shape, {}
  local first, last = limit(node.a.start, rank, 0), limit(node.a["end"], rank, rank)
  for i = first + 1, last do sizes[#sizes + 1] = x.shape[i] end
  return values.integers(sizes)
end

function operators.Size(_, x) return values.scalar(values.product(x.shape), "int64") end

---------------------------------------------------------------- joining and cutting

function operators.Concat(node, ...)
  return ops.concatenate({...}, values.axis(node.a.axis or 1))
end

local function split_sizes(node, x, axis, sizes_input)
  local sizes = sizes_input and list(sizes_input, "Split's sizes") or node.a.split
  if sizes then return sizes end
  local count = #node.outputs
  local each = math.ceil(x.shape[axis] / count)
  sizes = {}
  for i = 1, count do
    sizes[i] = math.max(0, math.min(each, x.shape[axis] - each * (i - 1)))
  end
  return sizes
end

local slice_axis

local function cut(x, axis, sizes)
  local parts, at = {}, 0
  for i, size in ipairs(sizes) do
    if size < 0 or at + size > x.shape[axis] then
      errors.raise("a part of %d elements does not fit an axis of %d", size, x.shape[axis])
    end
    parts[i] = slice_axis(x, axis, at, at + size, 1)
    at = at + size
  end
  if at ~= x.shape[axis] then
    errors.raise("the parts have %d elements in all, the axis has %d", at, x.shape[axis])
  end
  return parts
end

function operators.Split(node, x, sizes_input)
  local axis = position(node.a.axis or 0, #x.shape)
  return table.unpack(cut(x, axis, split_sizes(node, x, axis, sizes_input)))
end

-- Python's rule for the ends of a slice.
local function slice_ends(size, start, stop, step)
  if start < 0 then start = start + size end
  if stop < 0 then stop = stop + size end
  if step > 0 then
    start = math.max(0, math.min(size, start))
    return start, math.max(start, math.min(size, stop))
  end
  start = math.max(-1, math.min(size - 1, start))
  return start, math.min(start, math.max(-1, stop))
end

local function slice_arguments(node, starts, ends, axes, steps)
  if not starts then return node.a.starts, node.a.ends, node.a.axes end
  return list(starts, "Slice's starts"), list(ends, "Slice's ends"),
    axes and list(axes, "Slice's axes"), steps and list(steps, "Slice's steps")
end

-- The elements first, first + step, ... before last.
function slice_axis(x, axis, first, last, step)
  local size, starts = x.shape[axis], values.fill(#x.shape, 0)
  if first == 0 and last == size and step == 1 then return x end
  if first == last then
    first, last, step = 0, 0, 1
  elseif step < 0 then
    step = math.max(step, -size)
  else
    step = math.min(step, size)
  end
  local stops, steps = {table.unpack(x.shape)}, values.fill(#x.shape, 1)
  starts[axis], stops[axis], steps[axis] = first, last, step
  return engine.ops.strided_slice(x, starts, stops, steps)
end

function operators.Slice(node, x, ...)
  local starts, ends, axes, steps = slice_arguments(node, ...)
  for i, start in ipairs(starts) do
    local axis, step = position(axes and axes[i] or i - 1, #x.shape), steps and steps[i] or 1
    if step == 0 then errors.raise "a step of 0 goes nowhere" end
    local first, last = slice_ends(x.shape[axis], start, ends[i], step)
    x = slice_axis(x, axis, first, last, step)
  end
  return x
end

---------------------------------------------------------------- padding

-- Where each element of a padded axis comes from; -1: from nowhere.
local function pad_sources(size, before, after, mode)
  local sources = {}
  values.limit(size + before + after, "the padded axis")
  for i = -before, size + after - 1 do
    local at = i
    if mode == "edge" then
      at = math.max(0, math.min(size - 1, i))
    elseif mode == "reflect" and size > 1 then
      local period = 2 * (size - 1)
      at = i % period
      if at >= size then at = period - at end
    elseif mode == "reflect" then
      at = 0
    elseif mode == "wrap" then
      at = i % size
    elseif i < 0 or i >= size then
      at = -1
    end
    sources[#sources + 1] = at
  end
  return sources
end

local function pad_constant(x, pads, rank, value)
  local widths, cropped = {}, x
  for axis = 1, rank do
    local before, after = pads[axis], pads[rank + axis]
    if before + after + x.shape[axis] < 0 then
      errors.raise("pads of %d and %d take more than the %d elements of an axis", before, after,
        x.shape[axis])
    end
    if before < 0 or after < 0 then
      local first = math.min(x.shape[axis], math.max(0, -before))
      cropped = slice_axis(cropped, axis, first,
        math.max(first, x.shape[axis] - math.max(0, -after)), 1)
    end
    widths[axis] = {math.max(0, before), math.max(0, after)}
  end
  if rank == 0 then return x end
  return values.cast(ops.pad(cropped, widths, "constant", value or 0), x.dtype)
end

local function whole_pads(pads, axes, rank)
  if not axes then return pads end
  local result = values.fill(2 * rank, 0)
  for i, axis in ipairs(axes) do
    local at = position(axis, rank)
    result[at], result[rank + at] = pads[i], pads[#axes + i]
  end
  return result
end

function operators.Pad(node, x, pads_input, value, axes_input)
  local rank = #x.shape
  local pads = pads_input and list(pads_input, "Pad's pads") or node.a.pads
  pads = whole_pads(pads, axes_input and list(axes_input, "Pad's axes"), rank)
  local mode = node.a.mode or "constant"
  if mode == "constant" then
    return pad_constant(x, pads, rank, value and ops.reshape(value, {}) or node.a.value)
  end
  for axis = 1, rank do
    if pads[axis] ~= 0 or pads[rank + axis] ~= 0 then
      local sources = pad_sources(x.shape[axis], pads[axis], pads[rank + axis], mode)
      x = ops.take(x, values.integers(sources), axis)
    end
  end
  return x
end

function operators.CenterCropPad(node, x, shape_input)
  local sizes = list(shape_input, "CenterCropPad's shape")
  local axes = node.a.axes
  for i, size in ipairs(sizes) do
    local axis = position(axes and axes[i] or i - 1, #x.shape)
    local more = size - x.shape[axis]
    local before = more >= 0 and more // 2 or -((-more) // 2)
    local pads = values.fill(2 * #x.shape, 0)
    pads[axis], pads[#x.shape + axis] = before, more - before
    x = pad_constant(x, pads, #x.shape)
  end
  return x
end

---------------------------------------------------------------- indices

-- Indices from 0 or, negative, from the end.
local function from_start(indices, size)
  return ops.where(ops.less(indices, 0), ops.add(indices, size), indices)
end

function operators.Gather(node, x, indices)
  local axis = position(node.a.axis or 0, #x.shape)
  return ops.take(x, from_start(indices, x.shape[axis]), axis)
end

function operators.GatherElements(node, x, indices)
  local axis = position(node.a.axis or 0, #x.shape)
  for i, size in ipairs(indices.shape) do
    if i ~= axis and size < x.shape[i] then
      x = slice_axis(x, i, 0, size, 1)
    end
  end
  return ops.take_along_axis(x, from_start(indices, x.shape[axis]), axis)
end

local function positions_from_start(indices, shape, first)
  local depth, sizes = indices.shape[#indices.shape], {}
  for i = 1, depth do sizes[i] = shape[first + i] end
  return from_start(indices, values.integers(sizes))
end

function operators.GatherND(node, x, indices)
  local batch = node.a.batch_dims or 0
  if batch == 0 then
    return engine.ops.gather_nd(x, positions_from_start(indices, x.shape, 0))
  end
  local rows = values.limit_steps(values.product(x.shape, 1, batch), "the batch")
  local flat_x = ops.reshape(x, {rows, table.unpack(x.shape, batch + 1)})
  local flat = ops.reshape(indices, {rows, table.unpack(indices.shape, batch + 1)})
  local parts = {}
  for i = 1, rows do
    parts[i] = engine.ops.gather_nd(flat_x[i], positions_from_start(flat[i], flat_x.shape, 1))
  end
  local whole = ops.stack(parts)
  return ops.reshape(whole, {table.unpack(x.shape, 1, batch), table.unpack(whole.shape, 2)})
end

local scatter_modes = {none = 0, add = 1, max = 2, min = 3, mul = 4}

function operators.ScatterND(node, x, indices, updates)
  local mode = scatter_modes[node.a.reduction or "none"]
  return engine.ops.scatter_nd(x, positions_from_start(indices, x.shape, 0), updates, mode)
end

-- The positions [elements, rank] that updates along an axis go to.
local function element_positions(indices, axis)
  local shape, parts = indices.shape, {}
  for i, size in ipairs(shape) do
    local one = values.fill(#shape, 1)
    one[i] = size
    parts[i] = i == axis and indices
      or ops.broadcast_to(ops.reshape(ops.cast(ops.arange(size), "int64"), one), shape)
    parts[i] = ops.reshape(ops.cast(parts[i], "int64"), {-1})
  end
  return ops.stack(parts, 2)
end

function operators.ScatterElements(node, x, indices, updates)
  local axis = position(node.a.axis or 0, #x.shape)
  local positions = element_positions(from_start(indices, x.shape[axis]), axis)
  return engine.ops.scatter_nd(x, positions, ops.reshape(updates, {-1}),
    scatter_modes[node.a.reduction or "none"])
end
operators.Scatter = operators.ScatterElements

local function is_true(value) return value == true or value == 1 end

function operators.Compress(node, x, condition)
  local keep, indices = list(condition, "Compress's condition"), {}
  for i, value in ipairs(keep) do
    if is_true(value) then indices[#indices + 1] = i - 1 end
  end
  if not node.a.axis then return ops.take(ops.reshape(x, {-1}), values.integers(indices), 1) end
  return ops.take(x, values.integers(indices), values.axis(node.a.axis))
end

function operators.NonZero(_, x)
  list(x, "NonZero's input")
  if #x.shape == 0 then x = ops.reshape(x, {1}) end
  return ops.cast(ops.stack{ops.nonzero(x)}, "int64")
end

function operators.OneHot(node, indices, depth_input, pair)
  local depth = math.tointeger(values.number(depth_input, "OneHot's depth"))
  local axis = values.axis(node.a.axis or -1)
  local classes = ops.cast(from_start(ops.cast(indices, "int64"), depth), "int64")
  local hot = ops.cast(ops.one_hot(classes, depth, {axis = axis}), "bool")
  return ops.where(hot, pair[2], pair[1])
end

---------------------------------------------------------------- making tensors

function operators.ConstantOfShape(node, shape_input)
  local shape = list(shape_input, "ConstantOfShape's shape")
  local value = node.a.value or values.scalar(0.0, "float32")
  return ops.broadcast_to(ops.reshape(value, {}), shape)
end

function operators.Constant(node)
  local a = node.a
  if a.value then return a.value end
  if a.value_float then return values.scalar(a.value_float, "float32") end
  if a.value_int then return values.scalar(a.value_int, "int64") end
  if a.value_ints then return values.integers(a.value_ints) end
  if a.value_floats then
    return engine.tensor(a.value_floats, {dtype = "float32", shape = {#a.value_floats}})
  end
  if a.value_string then return engine.tensor(a.value_string, {dtype = "string"}) end
  if a.value_strings then return engine.tensor(a.value_strings, {dtype = "string"}) end
  errors.raise "a Constant without a value that Cusp has"
end

function operators.Range(_, first, last, step)
  local start, stop, by = values.number(first, "Range's start"),
    values.number(last, "Range's limit"), values.number(step, "Range's delta")
  local count = math.max(0, math.ceil((stop - start) / by))
  local steps = ops.cast(ops.arange(count), first.dtype)
  return values.cast(ops.add(ops.multiply(steps, step), first), first.dtype)
end

function operators.EyeLike(node, x)
  local dtype = node.a.dtype and dtypes.name(node.a.dtype) or x.dtype
  return ops.eye(x.shape[1], x.shape[2], {k = node.a.k or 0, dtype = dtype})
end

function operators.Trilu(node, x, k_input)
  local k = k_input and values.number(k_input, "Trilu's k") or 0
  if values.product(x.shape) == 0 then return x end
  local rows, columns = x.shape[#x.shape - 1], x.shape[#x.shape]
  local difference = ops.subtract(ops.expand_dims(ops.arange(columns), 1),
    ops.expand_dims(ops.arange(rows), 2))
  local keep = (node.a.upper or 1) == 1 and ops.greater_equal(difference, k)
    or ops.less_equal(difference, k)
  return ops.where(keep, x, ops.zeros_like(x))
end

---------------------------------------------------------------- blocks and sequences of rows

function operators.DepthToSpace(node, x)
  local b, s = node.a.blocksize, x.shape
  if (node.a.mode or "DCR") == "DCR" then
    local parts = ops.reshape(x, {s[1], b, b, s[2] // (b * b), s[3], s[4]})
    return ops.reshape(ops.transpose(parts, {1, 4, 5, 2, 6, 3}),
      {s[1], s[2] // (b * b), s[3] * b, s[4] * b})
  end
  local parts = ops.reshape(x, {s[1], s[2] // (b * b), b, b, s[3], s[4]})
  return ops.reshape(ops.transpose(parts, {1, 2, 5, 3, 6, 4}),
    {s[1], s[2] // (b * b), s[3] * b, s[4] * b})
end

function operators.SpaceToDepth(node, x)
  local b, s = node.a.blocksize, x.shape
  local parts = ops.reshape(x, {s[1], s[2], s[3] // b, b, s[4] // b, b})
  local order = node.a.mode == "CRD" and {1, 2, 4, 6, 3, 5} or {1, 4, 6, 2, 3, 5}
  return ops.reshape(ops.transpose(parts, order), {s[1], s[2] * b * b, s[3] // b, s[4] // b})
end

function operators.ReverseSequence(node, x, lengths)
  local time, batch = values.axis(node.a.time_axis or 0), values.axis(node.a.batch_axis or 1)
  local size, rank = x.shape[time], #x.shape
  local along = values.fill(rank, 1)
  along[time] = size
  local over = values.fill(rank, 1)
  over[batch] = x.shape[batch]
  local steps = ops.reshape(ops.cast(ops.arange(size), "int64"), along)
  local length = ops.reshape(ops.cast(lengths, "int64"), over)
  local from = ops.where(ops.less(steps, length), ops.subtract(ops.subtract(length, 1), steps),
    steps)
  return ops.take_along_axis(x, ops.broadcast_to(from, x.shape), time)
end

--- Writes updates into rows of a cache, from a position of each row on.
function operators.TensorScatter(node, cache, update, starts)
  local axis = position(node.a.axis or -2, #cache.shape)
  local size, count = cache.shape[axis], values.limit_steps(update.shape[axis], "the update")
  local batch = values.limit_steps(cache.shape[1], "the batch")
  local rows, at = {}, starts and list(starts, "TensorScatter's positions")
  for b = 1, batch do
    local places = {}
    for i = 1, count do
      places[i] = (at and at[b] or 0) + i - 1
      if node.a.mode == "circular" then places[i] = places[i] % size end
    end
    local row = ops.moveaxis(cache[b], axis - 1, 1)
    local new = ops.moveaxis(update[b], axis - 1, 1)
    local written = engine.ops.scatter_nd(row,
      ops.expand_dims(values.integers(places), 2), new, 0)
    rows[b] = ops.moveaxis(written, 1, axis - 1)
  end
  return ops.stack(rows)
end

---------------------------------------------------------------- what only values tell

function operators.Unique(node, x)
  list(x, "Unique's input")
  local axis = node.a.axis and values.axis(node.a.axis)
  local rows = axis and ops.moveaxis(x, axis, 1) or ops.reshape(x, {-1})
  local seen, order, inverse = {}, {}, {}
  for i = 1, values.limit(rows.shape[1], "Unique's input") do
    local key = rows[i]:tobytes()
    if not seen[key] then
      seen[key] = {first = i - 1, count = 0, values = rows[i]:flat()}
      order[#order + 1] = seen[key]
    end
    seen[key].count = seen[key].count + 1
    inverse[i] = seen[key]
  end
  if (node.a.sorted or 1) == 1 then
    table.sort(order, function(a, b)
      for i, value in ipairs(a.values) do
        if value ~= b.values[i] then return value < b.values[i] end
      end
      return false
    end)
  end
  local firsts, counts = {}, {}
  for i, entry in ipairs(order) do
    entry.place, firsts[i], counts[i] = i - 1, entry.first, entry.count
  end
  for i, entry in ipairs(inverse) do inverse[i] = entry.place end
  local unique = ops.take(rows, values.integers(firsts), 1)
  if axis then unique = ops.moveaxis(unique, 1, axis) end
  return unique, values.integers(firsts), values.integers(inverse), values.integers(counts)
end


return operators
