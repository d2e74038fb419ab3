--- Samples images and arrays at positions between their elements.
-- @module cusp.ops.image.sample
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local layout = require "cusp.ops.image.layout"
local plain = require "cusp.base.plain"

local rows = engine.ops

---------------------------------------------------------------- indices beyond the border

-- The remainder of a division by an integer, in [0, period): the result of `mod` for integers, in
-- fewer steps.
local function within_period(index, period)
  return rows.subtract(index, rows.multiply(rows.floor(rows.divide(index, period)), period))
end

local function clipped(index, size) return rows.clip(index, 0, size - 1) end

-- fill mode → function that maps (integer-valued) indices into an axis of a given size, even if
-- they are too large to be exact
local modes = {
  constant = clipped,
  nearest = clipped,
  wrap = function(index, size) return clipped(within_period(index, size), size) end,
  mirror = function(index, size)
    local last = math.max(size - 1, 1)
    return clipped(rows.abs(rows.subtract(within_period(rows.add(index, last), 2 * last), last)),
      size)
  end,
  reflect = function(index, size)
    local place = within_period(index, 2 * size)
    return clipped(rows.minimum(place, rows.subtract(2 * size - 1, place)), size)
  end,
}

-- The elements on either side of a coordinate, and their weights.
local function neighbours(coordinate, order)
  if order == 0 then -- halves go away from zero
    return {{rows.multiply(rows.sign(coordinate), rows.floor(rows.add(rows.abs(coordinate), 0.5)))}}
  end
  local low = rows.floor(coordinate)
  local share = rows.subtract(coordinate, low)
  return {{low, rows.subtract(1.0, share)}, {rows.add(low, 1.0), share}}
end

-- Indices use 32 bits if possible: half the memory traffic.
local function index_type(count) return count < 2 ^ 31 and "int32" or "int64" end

local function product(a, b)
  if a == nil then return b elseif b == nil then return a end
  return rows.multiply(a, b)
end

-- For one axis, the neighbours of each coordinate: index in the axis, weight (nil: 1). With mode
-- constant, neighbours outside have no weight.
local function taps(coordinate, size, order, mode, index_dtype)
  local result = {}
  for i, node in ipairs(neighbours(coordinate, order)) do
    local index, weight = node[1], node[2]
    if mode == "constant" then
      local inside = rows.logical_and(rows.greater_equal(index, 0), rows.less(index, size))
      weight = rows.where(inside, weight or 1.0, 0.0)
    end
    result[i] = {rows.cast(modes[mode](index, size), index_dtype), weight}
  end
  return result
end

-- Sums over all combinations of neighbours. `values` is [positions, channels], `coordinates` has
-- one tensor per axis of `sizes`; `base` is the index from the axes before. The result has a
-- channel axis after the shape of the coordinates.
local function sample(values, coordinates, sizes, order, mode, fill_value, base)
  local nodes, total, known = {}, nil, nil
  for axis, size in ipairs(sizes) do
    nodes[axis] = taps(coordinates[axis], size, order, mode, index_type(values.shape[1]))
  end
  local function walk(axis, place, weight)
    if axis > #sizes then
      local found = rows.take(values, place, 1)
      if weight then found = rows.multiply(found, rows.expand_dims(weight, -1)) end
      total = total and rows.add(total, found) or found
      known = weight and (known and rows.add(known, weight) or weight)
      return
    end
    for _, node in ipairs(nodes[axis]) do
      walk(axis + 1, rows.add(rows.multiply(place, sizes[axis]), node[1]), product(weight, node[2]))
    end
  end
  walk(1, base, nil)
  if mode ~= "constant" or fill_value == 0 then return total end
  return rows.add(total, rows.expand_dims(rows.multiply(rows.subtract(1.0, known), fill_value), -1))
end

local function check(name, order, mode)
  if order ~= 0 and order ~= 1 then
    errors.raise("%s: order should be 0 or 1, got %s", name, plain.tostring(order))
  end
  if not modes[mode] then
    errors.raise("%s: there is no fill_mode named %s%s", name, errors.describe(mode),
      errors.suggestion(mode, modes))
  end
end

local function map_coordinates(inputs, coordinates, order, mode, fill_value)
  check("map_coordinates", order, mode)
  local sizes = inputs.shape
  if #coordinates.shape < 2 or coordinates.shape[1] ~= #sizes then
    errors.raise(
      "map_coordinates: coordinates should have shape [%d, ...] for inputs of shape %s, got %s",
      #sizes, errors.shape(sizes),
      errors.shape(coordinates.shape))
  end
  local x, restore = layout.as_float_rounded(inputs)
  local places = {}
  for axis = 1, #sizes do places[axis] = rows.cast(coordinates[axis], x.dtype) end
  local result = sample(rows.reshape(x, {-1, 1}), places, sizes, order, mode, fill_value, 0)
  return restore(rows.squeeze(result, -1))
end

local orders = {nearest = 0, bilinear = 1}

local function check_interpolation(name, interpolation)
  if orders[interpolation] then return end
  errors.raise("%s: interpolation should be \"nearest\" or \"bilinear\", got %s", name,
    errors.describe(interpolation))
end

-- A batch with channels last, in floats, and a function that converts a result back to the images'
-- form.
local function as_batch(name, images, data_format)
  local _, _, channels = layout.axes(name, images, data_format)
  local single = #images.shape == 3
  local x, restore = layout.as_float_rounded(images)
  x = rows.moveaxis(x, channels, -1)
  if single then x = rows.expand_dims(x, 1) end
  return x, function(result)
    if single then result = rows.squeeze(result, 1) end
    return restore(rows.moveaxis(result, -1, channels))
  end
end

-- 0, 1, ... along one axis of `rank`.
local function count(size, axis, rank, dtype)
  local shape = {}
  for i = 1, rank do shape[i] = i == axis and size or 1 end
  return rows.reshape(rows.arange(0, size, {dtype = dtype}), shape)
end

-- The point (x, y) of a result's channel c is read at (a0 x + a1 y + a2 + c1 c, b0 x + b1 y + b2 +
-- c0 c); transform is [a0, a1, a2, b0, b1, b2, c0, c1]. With nonzero c0 or c1, channels move apart,
-- as in Keras's JAX backend.
local function affine_transform(images, transform, interpolation, mode, fill_value, data_format)
  check_interpolation("affine_transform", interpolation)
  check("affine_transform", 0, mode)
  local x, restore = as_batch("affine_transform", images, data_format)
  if #transform.shape == 1 then transform = rows.expand_dims(transform, 1) end
  local batch, height, width, depth = table.unpack(x.shape)
  if #transform.shape ~= 2 or transform.shape[2] ~= 8 then
    errors.raise("affine_transform: transform should have shape [8] or [batch, 8], got %s",
      errors.shape(transform.shape))
  end
  local function parameter(i)
    return rows.reshape(rows.cast(transform:slice{{}, {i, i}}, x.dtype), {-1, 1, 1, 1})
  end
  local down, across, channel = count(height, 2, 4, x.dtype), count(width, 3, 4, x.dtype),
    count(depth, 4, 4, x.dtype)
  local function place(i, apart)
    local sum = rows.add(rows.multiply(parameter(i), across), rows.multiply(parameter(i + 1), down))
    sum = rows.add(rows.add(sum, parameter(i + 2)), rows.multiply(parameter(apart), channel))
    return rows.broadcast_to(sum, {batch, height, width, depth})
  end
  local dtype = index_type(batch * depth * height * width)
  local base = rows.add(rows.multiply(count(batch, 1, 4, dtype), depth), count(depth, 4, 4, dtype))
  local values = rows.reshape(rows.moveaxis(x, -1, 2), {-1, 1})
  local result = sample(values, {place(4, 7), place(1, 8)}, {height, width}, orders[interpolation],
    mode, fill_value, base)
  return restore(rows.squeeze(result, -1))
end

---------------------------------------------------------------- pixels whole: all channels of a
---------------------------------------------------------------- place at once

-- Reads x [batch, height, width, channels] at rows and columns [batch, height, width].
local function read_pixels(x, down, across, order, mode, fill_value)
  local batch, height, width, depth = table.unpack(x.shape)
  local base = count(batch, 1, 3, index_type(batch * height * width))
  return sample(rows.reshape(x, {-1, depth}), {down, across}, {height, width}, order, mode,
    fill_value, base)
end

-- The same for separable positions: rows `down` [batch, height, 1] and columns `across` [batch, 1,
-- width]. Gathers whole rows first, then pixels in them.
local function read_lines(x, down, across, order, mode, fill_value)
  local batch, height, width, depth = table.unpack(x.shape)
  local dtype = index_type(batch * height * width)
  local lines = sample(rows.reshape(x, {batch * height, width * depth}), {rows.squeeze(down, -1)},
    {height}, order, mode, fill_value,
    count(batch, 1, 2, dtype))
  local base = rows.add(rows.multiply(count(batch, 1, 3, dtype), height),
    count(height, 2, 3, dtype))
  return sample(rows.reshape(lines, {-1, depth}), {across}, {width}, order, mode, fill_value, base)
end

-- a x + b y + c with parameters that are numbers or [batch]; skips terms that are 0.
local function plane(x, y, a, b, c)
  local sum
  local function add(term) sum = sum and rows.add(sum, term) or term end
  local function parameter(value)
    return type(value) == "number" and value or rows.reshape(value, {-1, 1, 1})
  end
  if a ~= 0 then add(a == 1 and x or rows.multiply(parameter(a), x)) end
  if b ~= 0 then add(b == 1 and y or rows.multiply(parameter(b), y)) end
  if c ~= 0 or not sum then add(parameter(c)) end
  return sum
end

local sampling = {}

--- Applies affine maps that do not mix channels: the point (x, y) of the result is read at `(m[1] x
-- + m[2] y + m[3], m[4] x + m[5] y + m[6])`.
-- @tparam tensor images a batch
-- @tparam table matrix six numbers or tensors [batch]; the numbers 0 and 1 save work
-- @tparam table options interpolation, fill_mode, fill_value, data_format
-- @treturn tensor
function sampling.affine(images, matrix, options)
  check_interpolation("affine", options.interpolation)
  check("affine", 0, options.fill_mode)
  local x, restore = as_batch("affine", images, options.data_format)
  local batch, height, width = table.unpack(x.shape)
  local down, across = count(height, 2, 3, "float32"), count(width, 3, 3, "float32")
  local columns, lines = plane(across, down, matrix[1], matrix[2], matrix[3]),
    plane(across, down, matrix[4], matrix[5], matrix[6])
  local order = orders[options.interpolation]
  if matrix[2] == 0 and matrix[4] == 0 then
    columns, lines = rows.broadcast_to(columns, {batch, 1, width}),
      rows.broadcast_to(lines, {batch, height, 1})
    return restore(read_lines(x, lines, columns, order, options.fill_mode, options.fill_value))
  end
  local shape = {batch, height, width}
  columns, lines = rows.broadcast_to(columns, shape), rows.broadcast_to(lines, shape)
  return restore(read_pixels(x, lines, columns, order, options.fill_mode, options.fill_value))
end

--- Reads every pixel of images from another position.
-- @tparam tensor images a batch, channels last, floats
-- @tparam tensor down [batch, height, width]: the row to read
-- @tparam tensor across [batch, height, width]: the column to read
-- @tparam string interpolation
-- @tparam string mode fill mode
-- @tparam number fill_value
-- @treturn tensor
function sampling.displaced(images, down, across, interpolation, mode, fill_value)
  check_interpolation("displaced", interpolation)
  check("displaced", 0, mode)
  return read_pixels(images, down, across, orders[interpolation], mode, fill_value)
end

sampling.as_batch, sampling.count = as_batch, count

-- The eight parameters of the perspective that maps the end points to the start points, `[batch,
-- 8]`: two equations per point.
function sampling.homography(start_points, end_points)
  local function column(points, i) return points:slice{{}, {}, {i, i}} end
  local x, y, u, v = column(end_points, 1), column(end_points, 2), column(start_points, 1),
    column(start_points, 2)
  local ones, zeros = rows.ones_like(x), rows.zeros_like(x)
  local function products(target)
    return rows.negative(rows.multiply(target, x)), rows.negative(rows.multiply(target, y))
  end
  local ux, uy = products(u)
  local vx, vy = products(v)
  local first = rows.concatenate({x, y, ones, zeros, zeros, zeros, ux, uy}, -1)
  local second = rows.concatenate({zeros, zeros, zeros, x, y, ones, vx, vy}, -1)
  return rows.squeeze(rows.solve(rows.concatenate({first, second}, 2), rows.concatenate({u, v}, 2)),
    -1)
end

local function corners(name, points)
  local shape = points.shape
  if #shape < 2 or #shape > 3 or shape[#shape] ~= 2 or shape[#shape - 1] ~= 4 then
    errors.raise("perspective_transform: %s should have shape [4, 2] or [batch, 4, 2], got %s",
      name, errors.shape(shape))
  end
  points = rows.cast(points, "float32")
  return #shape == 2 and rows.expand_dims(points, 1) or points
end

local function perspective_transform(images, start_points, end_points, interpolation, fill_value,
  data_format)
  check_interpolation("perspective_transform", interpolation)
  local x, restore = as_batch("perspective_transform", images, data_format)
  local batch, height, width = table.unpack(x.shape)
  local transform = sampling.homography(corners("start_points", start_points),
    corners("end_points", end_points))
  local function parameter(i) return rows.reshape(transform:slice{{}, {i, i}}, {-1, 1, 1}) end
  local down, across = count(height, 2, 3, "float32"), count(width, 3, 3, "float32")
  local function line(i, constant)
    return rows.add(rows.add(rows.multiply(parameter(i), across),
      rows.multiply(parameter(i + 1), down)), constant)
  end
  local depth_of = line(7, 1)
  local function place(i)
    return rows.broadcast_to(rows.cast(rows.divide(line(i, parameter(i + 2)), depth_of), x.dtype),
      {batch, height, width})
  end
  return restore(read_pixels(x, place(4), place(1), orders[interpolation], "constant", fill_value))
end

define.ops{
  {"image.map_coordinates",
    "inputs, coordinates, order: int, fill_mode: string = constant, fill_value: float = 0",
    "An array read at coordinates [axes, ...], at the nearest element (order 0) or between them "
    .. "(order 1).", map_coordinates,
    method = false},
  {"image.affine_transform",
    "images, transform, interpolation: string = bilinear, fill_mode: string = constant, "
    .. "fill_value: float = 0, data_format: string = nil",
    "Images moved, turned and sheared.", affine_transform, method = false},
  {"image.perspective_transform",
    "images, start_points, end_points, interpolation: string = bilinear, fill_value: float = 0, "
    .. "data_format: string = nil",
    "Images seen from elsewhere: what was at the start points, four corners (x, y), comes to the "
    .. "end points.", perspective_transform,
    method = false},
}

return sampling
