--- Images and arrays read at places between their elements.
-- @module cusp.ops.image.sample
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.errors"
local layout = require "cusp.ops.image.layout"

local rows = engine.ops

---------------------------------------------------------------- indices beyond the border

local function mirrored(index, size)
  local last = math.max(size - 1, 1)
  return rows.abs(rows.subtract(rows.mod(rows.add(index, last), 2 * last), last))
end

-- fill mode → function of (integer-valued) indices and the size of their axis, whose result lies within
local modes = {
  constant = function(index, size) return rows.clip(index, 0, size - 1) end,
  nearest = function(index, size) return rows.clip(index, 0, size - 1) end,
  wrap = function(index, size) return rows.mod(index, size) end,
  mirror = mirrored,
  reflect = function(index, size) return rows.floor_divide(mirrored(rows.add(rows.multiply(index, 2), 1), 2 * size + 1), 2) end,
}

-- The elements that a coordinate falls between, and their weights.
local function neighbours(coordinate, order)
  if order == 0 then -- halves go away from zero
    return { { rows.multiply(rows.sign(coordinate), rows.floor(rows.add(rows.abs(coordinate), 0.5))) } }
  end
  local low = rows.floor(coordinate)
  local share = rows.subtract(coordinate, low)
  return { { low, rows.subtract(1.0, share) }, { rows.add(low, 1.0), share } }
end

local function times(a, b)
  if a == nil then return b elseif b == nil then return a end
  return rows.multiply(a, b)
end

-- The sum over all combinations of neighbours. `values` is [places, channels], `coordinates` one tensor for each axis of `sizes`; `base`
-- is added to the place. The result has an axis of channels behind the coordinates' shape.
local function sample(values, coordinates, sizes, order, mode, fill_value, base)
  local total
  local function walk(axis, place, weight, valid)
    if axis > #sizes then
      local found = rows.take(values, rows.cast(place, "int64"), 1)
      if valid then found = rows.where(rows.expand_dims(valid, -1), found, fill_value) end
      if weight then found = rows.multiply(found, rows.expand_dims(weight, -1)) end
      total = total and rows.add(total, found) or found
      return
    end
    for _, node in ipairs(neighbours(coordinates[axis], order)) do
      local index = node[1]
      local inside = valid
      if mode == "constant" then
        local here = rows.logical_and(rows.greater_equal(index, 0), rows.less(index, sizes[axis]))
        inside = inside and rows.logical_and(inside, here) or here
      end
      local step = rows.add(rows.multiply(place, sizes[axis]), rows.cast(modes[mode](index, sizes[axis]), "int64"))
      walk(axis + 1, step, times(weight, node[2]), inside)
    end
  end
  walk(1, base, nil, nil)
  return total
end

local function check(name, order, mode)
  if order ~= 0 and order ~= 1 then errors.raise("%s: order should be 0 or 1, got %s", name, tostring(order)) end
  if not modes[mode] then
    errors.raise("%s: there is no fill_mode named %s%s", name, errors.describe(mode), errors.suggestion(mode, modes))
  end
end

local function map_coordinates(inputs, coordinates, order, mode, fill_value)
  check("map_coordinates", order, mode)
  local sizes = inputs.shape
  if #coordinates.shape < 2 or coordinates.shape[1] ~= #sizes then
    errors.raise("map_coordinates: coordinates should have shape [%d, ...] for inputs of shape %s, got %s", #sizes, errors.shape(sizes),
      errors.shape(coordinates.shape))
  end
  local x, restore = layout.as_float(inputs)
  local places = {}
  for axis = 1, #sizes do places[axis] = rows.cast(coordinates[axis], x.dtype) end
  local result = sample(rows.reshape(x, { -1, 1 }), places, sizes, order, mode, fill_value, 0)
  result = rows.squeeze(result, -1)
  return restore(inputs.dtype:find "float" and result or rows.round(result))
end

local orders = { nearest = 0, bilinear = 1 }

local function check_interpolation(name, interpolation)
  if orders[interpolation] then return end
  errors.raise("%s: interpolation should be \"nearest\" or \"bilinear\", got %s", name, errors.describe(interpolation))
end

-- A batch with channels last, in floats, and a function that gives a result the images' own form again.
local function as_batch(name, images, data_format)
  local _, _, channels = layout.axes(name, images, data_format)
  local single = #images.shape == 3
  local x, restore = layout.as_float(images)
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
  return rows.reshape(rows.arange(0, size, { dtype = dtype }), shape)
end

-- The point (x, y) of a result's channel c is read at (a0 x + a1 y + a2 + c1 c, b0 x + b1 y + b2 + c0 c); transform is
-- [a0, a1, a2, b0, b1, b2, c0, c1]. With c0 and c1 other than 0 the channels part, as in Keras's JAX backend.
local function affine_transform(images, transform, interpolation, mode, fill_value, data_format)
  check_interpolation("affine_transform", interpolation)
  check("affine_transform", 0, mode)
  local x, restore = as_batch("affine_transform", images, data_format)
  if #transform.shape == 1 then transform = rows.expand_dims(transform, 1) end
  local batch, height, width, depth = table.unpack(x.shape)
  if #transform.shape ~= 2 or transform.shape[2] ~= 8 then
    errors.raise("affine_transform: transform should have shape [8] or [batch, 8], got %s", errors.shape(transform.shape))
  end
  local function parameter(i) return rows.reshape(rows.cast(transform:slice { {}, { i, i } }, x.dtype), { -1, 1, 1, 1 }) end
  local down, across, channel = count(height, 2, 4, x.dtype), count(width, 3, 4, x.dtype), count(depth, 4, 4, x.dtype)
  local function place(i, apart)
    local sum = rows.add(rows.multiply(parameter(i), across), rows.multiply(parameter(i + 1), down))
    sum = rows.add(rows.add(sum, parameter(i + 2)), rows.multiply(parameter(apart), channel))
    return rows.broadcast_to(sum, { batch, height, width, depth })
  end
  local base = rows.add(rows.multiply(count(batch, 1, 4, "int64"), depth), count(depth, 4, 4, "int64"))
  local values = rows.reshape(rows.moveaxis(x, -1, 2), { -1, 1 })
  local result = sample(values, { place(4, 7), place(1, 8) }, { height, width }, orders[interpolation], mode, fill_value, base)
  return restore(rows.squeeze(result, -1))
end

-- The eight numbers of the perspective that takes the end points to the start points, `[batch, 8]`: two equations a point.
local function homography(start_points, end_points)
  local function column(points, i) return points:slice { {}, {}, { i, i } } end
  local x, y, u, v = column(end_points, 1), column(end_points, 2), column(start_points, 1), column(start_points, 2)
  local ones, zeros = rows.ones_like(x), rows.zeros_like(x)
  local function products(target) return rows.negative(rows.multiply(target, x)), rows.negative(rows.multiply(target, y)) end
  local ux, uy = products(u)
  local vx, vy = products(v)
  local first = rows.concatenate({ x, y, ones, zeros, zeros, zeros, ux, uy }, -1)
  local second = rows.concatenate({ zeros, zeros, zeros, x, y, ones, vx, vy }, -1)
  return rows.squeeze(rows.solve(rows.concatenate({ first, second }, 2), rows.concatenate({ u, v }, 2)), -1)
end

local function corners(name, points)
  local shape = points.shape
  if #shape < 2 or #shape > 3 or shape[#shape] ~= 2 or shape[#shape - 1] ~= 4 then
    errors.raise("perspective_transform: %s should have shape [4, 2] or [batch, 4, 2], got %s", name, errors.shape(shape))
  end
  points = rows.cast(points, "float32")
  return #shape == 2 and rows.expand_dims(points, 1) or points
end

local function perspective_transform(images, start_points, end_points, interpolation, fill_value, data_format)
  check_interpolation("perspective_transform", interpolation)
  local x, restore = as_batch("perspective_transform", images, data_format)
  local batch, height, width, depth = table.unpack(x.shape)
  local transform = homography(corners("start_points", start_points), corners("end_points", end_points))
  local function parameter(i) return rows.reshape(transform:slice { {}, { i, i } }, { -1, 1, 1 }) end
  local down, across = count(height, 2, 3, "float32"), count(width, 3, 3, "float32")
  local function line(i, constant)
    return rows.add(rows.add(rows.multiply(parameter(i), across), rows.multiply(parameter(i + 1), down)), constant)
  end
  local depth_of = line(7, 1)
  local function place(i)
    return rows.broadcast_to(rows.cast(rows.divide(line(i, parameter(i + 2)), depth_of), x.dtype), { batch, height, width })
  end
  local values = rows.reshape(x, { batch * height * width, depth })
  local base = count(batch, 1, 3, "int64")
  return restore(sample(values, { place(4), place(1) }, { height, width }, orders[interpolation], "constant", fill_value, base))
end

define.ops {
  { "image.map_coordinates", "inputs, coordinates, order: int, fill_mode: string = constant, fill_value: float = 0",
    "An array read at coordinates [axes, ...], at the nearest element (order 0) or between them (order 1).", map_coordinates,
    method = false },
  { "image.affine_transform",
    "images, transform, interpolation: string = bilinear, fill_mode: string = constant, fill_value: float = 0, data_format: string = nil",
    "Images moved, turned and sheared.", affine_transform, method = false },
  { "image.perspective_transform",
    "images, start_points, end_points, interpolation: string = bilinear, fill_value: float = 0, data_format: string = nil",
    "Images seen from elsewhere: what was at the start points, four corners (x, y), comes to the end points.", perspective_transform,
    method = false },
}
