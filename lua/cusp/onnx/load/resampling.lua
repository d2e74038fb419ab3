--- Operators that read images between their elements.
-- @module cusp.onnx.load.resampling
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local values = require "cusp.onnx.load.values"

local operators = {}

---------------------------------------------------------------- where an element comes from

local coordinates = {
  half_pixel = function(i, a) return (i + 0.5) / a.scale - 0.5 end,
  half_pixel_symmetric = function(i, a)
    local adjustment = a.out / (a.scale * a.size)
    return a.size / 2 * (1 - adjustment) + (i + 0.5) / a.scale - 0.5
  end,
  pytorch_half_pixel = function(i, a)
    return a.out == 1 and -0.5 or (i + 0.5) / a.scale - 0.5
  end,
  align_corners = function(i, a)
    return a.out == 1 and 0 or i * (a.size - 1) / (a.scale * a.size - 1)
  end,
  asymmetric = function(i, a) return i / a.scale end,
  tf_half_pixel_for_nn = function(i, a) return (i + 0.5) / a.scale end,
  tf_crop_and_resize = function(i, a)
    local first, last = a.first * (a.size - 1), a.last * (a.size - 1)
    return a.out == 1 and (first + last) / 2 or first + i * (last - first) / (a.out - 1)
  end,
}

local nearest = {
  round_prefer_floor = function(x) return math.ceil(x - 0.5) end,
  round_prefer_ceil = function(x) return math.floor(x + 0.5) end,
  floor = function(x) return math.floor(x) end,
  ceil = function(x) return math.ceil(x) end,
}

local function cubic_weight(distance, a)
  local d = math.abs(distance)
  if d <= 1 then return ((a + 2) * d - (a + 3)) * d * d + 1 end
  if d < 2 then return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a end
  return 0
end

local kernels = {
  linear = {reach = 1, weight = function(d) return math.max(0, 1 - math.abs(d)) end},
  cubic = {reach = 2, weight = cubic_weight},
}

-- The elements that one of the result is a sum of, as {index = weight}, list of pairs.
local function taps_at(x, axis, how)
  if how.mode == "nearest" then
    return {{math.max(0, math.min(axis.size - 1, how.nearest(x))), 1.0}}
  end
  local kernel = kernels[how.mode]
  local squeeze = how.antialias and math.min(1, axis.scale) or 1
  local base, taps, sum = math.floor(x), {}, 0
  local from = math.floor(-kernel.reach / squeeze) + 1
  for offset = from, 1 - from do
    local index = base + offset
    local weight = kernel.weight((index - x) * squeeze, how.cubic)
    local outside = index < 0 or index >= axis.size
    if weight ~= 0 and not (outside and how.exclude_outside) then
      taps[#taps + 1] = {math.max(0, math.min(axis.size - 1, index)), weight}
      sum = sum + weight
    end
  end
  for _, tap in ipairs(taps) do tap[2] = tap[2] / sum end
  return taps
end

local function all_taps(axis, how)
  local rows, widest, outside = {}, 1, {}
  for i = 1, axis.out do
    local x = how.coordinate(i - 1, axis)
    rows[i] = taps_at(x, axis, how)
    widest = math.max(widest, #rows[i])
    outside[i] = x < 0 or x > axis.size - 1
  end
  return rows, widest, outside
end

local function along(list, position, rank, dtype)
  local shape = values.fill(rank, 1)
  shape[position] = #list
  return ops.reshape(engine.tensor(list, {dtype = dtype, shape = {#list}}), shape)
end

-- One axis resized: as many gathers as an element has taps.
local function resize_axis(x, axis, how)
  local rows, widest, outside = all_taps(axis, how)
  local rank, result = #x.shape, nil
  for k = 1, widest do
    local indices, weights = {}, {}
    for i, taps in ipairs(rows) do
      local tap = taps[k] or {0, 0.0}
      indices[i], weights[i] = tap[1], tap[2]
    end
    local part = ops.take(x, values.integers(indices), axis.position)
    if how.mode ~= "nearest" then
      part = ops.multiply(part, along(weights, axis.position, rank, part.dtype))
    end
    result = result and ops.add(result, part) or part
  end
  if not how.crops then return result end
  return ops.where(along(outside, axis.position, rank, "bool"), how.outside_value, result)
end

---------------------------------------------------------------- Resize

local function round_half_up(x) return math.floor(x + 0.5) end

local function same_scale(node, sizes, axes)
  local policy = node.a.keep_aspect_ratio_policy or "stretch"
  if policy == "stretch" then return nil end
  local scale = nil
  for i, axis in ipairs(axes) do
    local own = sizes[i] / axis.size
    if not scale then scale = own
    elseif policy == "not_larger" then scale = math.min(scale, own)
    else scale = math.max(scale, own) end
  end
  return scale
end

local function set_sizes(node, axes, scales, sizes)
  local common = sizes and same_scale(node, sizes, axes)
  for i, axis in ipairs(axes) do
    if sizes then
      axis.scale = common or sizes[i] / axis.size
      axis.out = common and round_half_up(common * axis.size) or sizes[i]
    else
      axis.scale = scales[i]
      axis.out = math.floor(scales[i] * axis.size)
    end
    values.limit(axis.out, "the axis")
    if not (axis.scale > 0 and axis.out >= 0 and axis.out < 1 << 31) then
      errors.raise("an axis of %d elements cannot be scaled by %s", axis.size,
        tostring(axis.scale))
    end
  end
end

local function axes_of(node, x)
  local axes = {}
  local given = node.a.axes
  for i = 1, given and #given or #x.shape do
    local position = given and values.position(given[i], #x.shape) or i
    axes[i] = {position = position, size = x.shape[position]}
  end
  return axes
end

local function method(node)
  local a, name = node.a, node.a.mode or "nearest"
  if name == "bilinear" then name = "linear" end
  local coordinate = a.coordinate_transformation_mode
    or (node.opset < 11 and "asymmetric" or "half_pixel")
  local how = {mode = name, coordinate = coordinates[coordinate],
    nearest = nearest[a.nearest_mode or (node.opset < 11 and "floor" or "round_prefer_floor")],
    cubic = a.cubic_coeff_a or -0.75, exclude_outside = a.exclude_outside == 1,
    antialias = a.antialias == 1, crops = coordinate == "tf_crop_and_resize",
    outside_value = a.extrapolation_value or 0.0}
  if not how.coordinate or not how.nearest or not (kernels[name] or name == "nearest") then
    errors.raise("mode %s with coordinates %s is not known", name, coordinate)
  end
  return how
end

local function set_region(axes, roi)
  local list = roi and values.list(roi, "Resize's roi") or {}
  for i, axis in ipairs(axes) do
    axis.first, axis.last = list[i] or 0, list[#axes + i] or 1
  end
end

local function resize(node, x, roi, scales, sizes)
  local axes, how = axes_of(node, x), method(node)
  set_region(axes, roi)
  set_sizes(node, axes, scales, sizes)
  local dtype = x.dtype
  if not values.is_float(dtype) and how.mode ~= "nearest" then x = ops.cast(x, "float32") end
  for _, axis in ipairs(axes) do
    if axis.out ~= axis.size or how.crops or axis.scale ~= 1 then x = resize_axis(x, axis, how) end
  end
  return values.cast(x, dtype)
end

local function list_of(tensor, what)
  if not tensor or values.product(tensor.shape) == 0 then return nil end
  return values.list(tensor, what)
end

function operators.Resize(node, x, roi, scales, sizes)
  if node.opset < 11 then return resize(node, x, nil, values.list(roi, "Resize's scales")) end
  return resize(node, x, roi, list_of(scales, "Resize's scales"),
    list_of(sizes, "Resize's sizes"))
end

function operators.Upsample(node, x, scales)
  return resize(node, x, nil, scales and values.list(scales, "Upsample's scales")
    or node.a.scales)
end

---------------------------------------------------------------- reading at computed places

-- Folds a coordinate back at both borders until it is inside.
local function reflect(x, low, high)
  local range = high - low
  if range <= 0 then return ops.zeros_like(x) end
  local period = ops.mod(ops.subtract(x, low), 2 * range)
  return ops.add(ops.minimum(period, ops.subtract(2 * range, period)), low)
end

local function bring_inside(x, size, padding, corners)
  if padding == "border" then return ops.clip(x, 0, size - 1) end
  if padding == "reflection" then
    if corners then return reflect(x, 0, size - 1) end
    return reflect(x, -0.5, size - 0.5)
  end
  return x
end

-- Taps along one axis at real coordinates: list of {indices, weights}.
local function axis_taps(x, size, how)
  if how.mode == "nearest" then return {{ops.round(x), false}} end
  local base, taps = ops.floor(x), {}
  local kernel = kernels[how.mode]
  for offset = 1 - kernel.reach, kernel.reach do
    local index = ops.add(base, offset)
    local d = ops.absolute(ops.subtract(x, index))
    local weight
    if how.mode == "linear" then
      weight = ops.maximum(ops.subtract(1, d), 0)
    else
      local a = -0.75
      local near = ops.add(ops.multiply(ops.multiply(ops.subtract(ops.multiply(d, a + 2), a + 3),
        d), d), 1)
      local far = ops.subtract(ops.multiply(ops.add(ops.multiply(ops.subtract(
        ops.multiply(d, a), 5 * a), d), 8 * a), d), 4 * a)
      weight = ops.where(ops.less_equal(d, 1), near, far)
    end
    taps[#taps + 1] = {index, weight}
  end
  for _, tap in ipairs(taps) do
    if how.padding ~= "zeros" then
      tap[1] = bring_inside(tap[1], size, how.padding, how.corners)
    end
  end
  return taps
end

-- Whether an index is inside, as a weight; and the index, where it can be read.
local function guarded(index, size)
  local inside = ops.logical_and(ops.greater_equal(index, 0), ops.less_equal(index, size - 1))
  return inside, ops.cast(ops.clip(index, 0, size - 1), "int64")
end

-- x [n, channels, sizes...]; places: one [n, count] for each axis. Gives [n, channels, count].
local function sample(x, places, how)
  local rank, sizes = #places, {table.unpack(x.shape, 3)}
  local flat = ops.reshape(x, {x.shape[1], x.shape[2], -1})
  local count = places[1].shape[2]
  local taps = {}
  for i = 1, rank do
    taps[i] = axis_taps(bring_inside(places[i], sizes[i], how.padding, how.corners), sizes[i], how)
  end
  local result
  local function combine(axis, place, weight)
    if axis > rank then
      local index = ops.broadcast_to(ops.expand_dims(place, 2), {x.shape[1], x.shape[2], count})
      local part = ops.multiply(ops.take_along_axis(flat, index, 3),
        ops.cast(ops.expand_dims(weight, 2), x.dtype))
      result = result and ops.add(result, part) or part
      return
    end
    for _, tap in ipairs(taps[axis]) do
      local inside, index = guarded(tap[1], sizes[axis])
      local own = ops.cast(inside, places[1].dtype)
      if tap[2] then own = ops.multiply(own, tap[2]) end
      combine(axis + 1, place and ops.add(ops.multiply(place, sizes[axis]), index) or index,
        weight and ops.multiply(weight, own) or own)
    end
  end
  combine(1)
  return result
end

local sample_modes = {bilinear = "linear", linear = "linear", bicubic = "cubic", cubic = "cubic",
  nearest = "nearest"}

function operators.GridSample(node, x, grid)
  local rank, places = #x.shape - 2, {}
  local corners = node.a.align_corners == 1
  local shape = {table.unpack(grid.shape, 2, #grid.shape - 1)}
  local parts = ops.unstack(grid, nil, -1)
  for i = 1, rank do
    local n = ops.reshape(parts[rank - i + 1], {x.shape[1], -1})
    local size = x.shape[i + 2]
    places[i] = corners and ops.multiply(ops.add(n, 1), (size - 1) / 2)
      or ops.divide(ops.subtract(ops.multiply(ops.add(n, 1), size), 1), 2)
  end
  local mode = sample_modes[node.a.mode or "linear"]
    or errors.raise("mode %s is not known", errors.describe(node.a.mode))
  local result = sample(x, places, {mode = mode, padding = node.a.padding_mode or "zeros",
    corners = corners})
  return ops.reshape(result, {x.shape[1], x.shape[2], table.unpack(shape)})
end

local function grid_line(size, corners)
  local list = {}
  for i = 0, values.limit(size, "the grid") - 1 do
    local cornered = size == 1 and -1 or -1 + 2 * i / (size - 1)
    list[i + 1] = corners and cornered or (2 * i + 1) / size - 1
  end
  return list
end

function operators.AffineGrid(node, theta, size_input)
  local sizes = {table.unpack(values.list(size_input, "AffineGrid's size"), 3)}
  local rank, count, columns = #sizes, values.product(sizes), {}
  for i = rank, 1, -1 do -- x comes first
    local line = along(grid_line(sizes[i], node.a.align_corners == 1), i, rank, theta.dtype)
    columns[#columns + 1] = ops.reshape(ops.broadcast_to(line, sizes), {count})
  end
  columns[#columns + 1] = ops.ones({count}, {dtype = theta.dtype})
  local grid = ops.matmul(ops.stack(columns, 2), ops.transpose(theta, {1, 3, 2}))
  return ops.reshape(grid, {theta.shape[1], table.unpack((function()
    local shape = {table.unpack(sizes)}
    shape[#shape + 1] = rank
    return shape
  end)())})
end

---------------------------------------------------------------- deformable convolution

-- The places that one kernel element reads, [rows, 1, outputs...], without offsets.
local function kernel_places(node, kernel, out, axis)
  local a, list = node.a, {}
  local stride, dilation = (a.strides or {})[axis] or 1, (a.dilations or {})[axis] or 1
  local low = (a.pads or {})[axis] or 0
  for k = 0, values.product(kernel) - 1 do
    local own = axis == 1 and k // kernel[2] or k % kernel[2]
    for i = 0, out[axis] - 1 do list[#list + 1] = i * stride - low + own * dilation end
  end
  local shape = {1, values.product(kernel), axis == 1 and out[1] or 1, axis == 2 and out[2] or 1}
  return ops.reshape(engine.tensor(list, {dtype = "float32", shape = {#list}}), shape)
end

function operators.DeformConv(node, x, w, offset, bias, mask)
  if #x.shape ~= 4 then errors.raise "only images of two axes are sampled" end
  local n, c, groups = x.shape[1], x.shape[2], node.a.offset_group or 1
  local kernel, out = {w.shape[3], w.shape[4]}, {offset.shape[3], offset.shape[4]}
  local elements = kernel[1] * kernel[2]
  local moved = ops.reshape(offset, {n * groups, elements, 2, out[1], out[2]})
  local both = ops.unstack(moved, nil, 3)
  local places = {}
  for axis = 1, 2 do
    local place = ops.add(both[axis], kernel_places(node, kernel, out, axis))
    places[axis] = ops.reshape(place, {n * groups, -1})
  end
  local read = sample(ops.reshape(x, {n * groups, c // groups, x.shape[3], x.shape[4]}), places,
    {mode = "linear", padding = "zeros"})
  if mask then
    read = ops.multiply(read, ops.reshape(mask, {n * groups, 1, -1}))
  end
  local own = node.a.group or 1
  local columns = ops.reshape(read, {n, own, c // own * elements, out[1] * out[2]})
  local rows = ops.reshape(w, {1, own, w.shape[1] // own, w.shape[2] * elements})
  local y = ops.reshape(ops.matmul(rows, columns), {n, w.shape[1], out[1], out[2]})
  return bias and ops.add(y, ops.reshape(bias, {1, -1, 1, 1})) or y
end

---------------------------------------------------------------- regions

local function region_bins(node, roi, pooled)
  local scale = node.a.spatial_scale or 1.0
  local half = (node.a.coordinate_transformation_mode or (node.opset < 16 and "output_half_pixel"
    or "half_pixel")) == "half_pixel"
  local shift = half and 0.5 or 0.0
  local bins = {}
  for axis = 1, 2 do -- y, x
    local first = roi[3 - axis] * scale - shift
    local size = roi[5 - axis] * scale - shift - first
    if not half then size = math.max(size, 1.0) end
    local ratio = node.a.sampling_ratio or 0
    bins[axis] = {first = first, step = size / pooled[axis],
      count = ratio > 0 and ratio or math.ceil(size / pooled[axis])}
  end
  return bins
end

-- Where a point reads along one axis: two indices and weights; nothing outside.
local function line_taps(x, size)
  if x < -1 or x > size then return nil end
  x = math.max(x, 0)
  local low = math.floor(x)
  if low >= size - 1 then return {{size - 1, 1.0}, {size - 1, 0.0}} end
  return {{low, low + 1 - x}, {low + 1, x - low}}
end

local function region_taps(bins, pooled, height, width)
  local indices, weights = {}, {}
  local function add(y, x)
    local rows, columns = line_taps(y, height), line_taps(x, width)
    for i = 1, 2 do
      for k = 1, 2 do
        local outside = not rows or not columns
        indices[#indices + 1] = outside and 0 or rows[i][1] * width + columns[k][1]
        weights[#weights + 1] = outside and 0.0 or rows[i][2] * columns[k][2]
      end
    end
  end
  for i = 0, pooled[1] - 1 do
    for j = 0, pooled[2] - 1 do
      for p = 0, bins[1].count - 1 do
        for q = 0, bins[2].count - 1 do
          add(bins[1].first + (i + (p + 0.5) / bins[1].count) * bins[1].step,
            bins[2].first + (j + (q + 0.5) / bins[2].count) * bins[2].step)
        end
      end
    end
  end
  return indices, weights
end

function operators.RoiAlign(node, x, rois, batch_indices)
  local pooled = {node.a.output_height or 1, node.a.output_width or 1}
  local boxes, batches = values.list(rois, "RoiAlign's rois"),
    values.list(batch_indices, "RoiAlign's batch_indices")
  local results = {}
  for r, batch in ipairs(batches) do
    local bins = region_bins(node, {table.unpack(boxes, 4 * r - 3, 4 * r)}, pooled)
    local indices, weights = region_taps(bins, pooled, x.shape[3], x.shape[4])
    local flat = ops.reshape(x[batch + 1], {x.shape[2], -1})
    local read = ops.multiply(ops.take(flat, values.integers(indices), 2),
      engine.tensor(weights, {dtype = x.dtype, shape = {#weights}}))
    local points = bins[1].count * bins[2].count
    local apart = ops.reshape(read, {x.shape[2], pooled[1] * pooled[2], points * 4})
    local whole = (node.a.mode or "avg") == "avg"
      and ops.divide(ops.sum(apart, 3), math.max(points, 1)) or ops.amax(apart, 3)
    results[r] = ops.reshape(whole, {x.shape[2], pooled[1], pooled[2]})
  end
  if #results == 0 then return ops.zeros({0, x.shape[2], pooled[1], pooled[2]}) end
  return ops.stack(results, 1)
end

---------------------------------------------------------------- boxes

local function corners(boxes, at, centred)
  local a, b, c, d = table.unpack(boxes, at, at + 3)
  if centred then return b - d / 2, a - c / 2, b + d / 2, a + c / 2 end
  return math.min(a, c), math.min(b, d), math.max(a, c), math.max(b, d)
end

local function overlap(boxes, i, k, centred)
  local y1, x1, y2, x2 = corners(boxes, i, centred)
  local v1, u1, v2, u2 = corners(boxes, k, centred)
  local height, width = math.min(y2, v2) - math.max(y1, v1), math.min(x2, u2) - math.max(x1, u1)
  if height <= 0 or width <= 0 then return 0 end
  local both = height * width
  local union = (y2 - y1) * (x2 - x1) + (v2 - v1) * (u2 - u1) - both
  return union > 0 and both / union or 0
end

local function best_boxes(boxes, scores, first_box, first_score, count, limits)
  local order, chosen = {}, {}
  for i = 0, count - 1 do
    if not limits.score or scores[first_score + i] > limits.score then order[#order + 1] = i end
  end
  table.sort(order, function(a, b)
    local x, y = scores[first_score + a], scores[first_score + b]
    if x ~= y then return x > y end
    return a < b
  end)
  for _, i in ipairs(order) do
    if #chosen >= limits.count then break end
    local free = true
    for _, k in ipairs(chosen) do
      free = free and overlap(boxes, first_box + 4 * i, first_box + 4 * k, limits.centred)
        <= limits.overlap
    end
    if free then chosen[#chosen + 1] = i end
  end
  return chosen
end

local function one(tensor, what, default)
  return tensor and values.number(tensor, what) or default
end

function operators.NonMaxSuppression(node, boxes, scores, count, iou, threshold)
  local limits = {count = one(count, "the number of boxes", 0),
    overlap = one(iou, "the overlap", 0), score = one(threshold, "the least score"),
    centred = node.a.center_point_box == 1}
  local places, ranks = values.list(boxes, "the boxes"), values.list(scores, "the scores")
  local n, classes, found = boxes.shape[2], scores.shape[2], {}
  for batch = 0, boxes.shape[1] - 1 do
    for class = 0, classes - 1 do
      for _, i in ipairs(best_boxes(places, ranks, batch * n * 4 + 1,
        (batch * classes + class) * n + 1, n, limits)) do
        found[#found + 1], found[#found + 2], found[#found + 3] = batch, class, i
      end
    end
  end
  return engine.tensor(found, {dtype = "int64", shape = {#found // 3, 3}})
end

return operators
