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

-- The point (x, y) of the result is read at (a0 x + a1 y + a2, b0 x + b1 y + b2); transform is [a0, a1, a2, b0, b1, b2, c0, c1].
-- c0 and c1 are left out: in Keras's JAX backend they shift channels against one another, elsewhere they are 0.
local function affine_transform(images, transform, interpolation, mode, fill_value, data_format)
  if not orders[interpolation] then
    errors.raise("affine_transform: interpolation should be \"nearest\" or \"bilinear\", got %q", interpolation)
  end
  check("affine_transform", 0, mode)
  local _, _, channels = layout.axes("affine_transform", images, data_format)
  local single = #images.shape == 3
  local x, restore = layout.as_float(images)
  x = rows.moveaxis(x, channels, -1)
  if single then x = rows.expand_dims(x, 1) end
  if #transform.shape == 1 then transform = rows.expand_dims(transform, 1) end
  local batch, height, width, depth = table.unpack(x.shape)
  if #transform.shape ~= 2 or transform.shape[2] ~= 8 then
    errors.raise("affine_transform: transform should have shape [8] or [batch, 8], got %s", errors.shape(transform.shape))
  end
  local function parameter(i) return rows.reshape(rows.cast(transform:slice { {}, { i, i } }, x.dtype), { -1, 1, 1 }) end
  local across = rows.reshape(rows.arange(0, width, { dtype = x.dtype }), { 1, 1, width })
  local down = rows.reshape(rows.arange(0, height, { dtype = x.dtype }), { 1, height, 1 })
  local function place(i)
    local sum = rows.add(rows.multiply(parameter(i), across), rows.multiply(parameter(i + 1), down))
    return rows.broadcast_to(rows.add(sum, parameter(i + 2)), { batch, height, width })
  end
  local base = rows.reshape(rows.arange(0, batch, { dtype = "int64" }), { batch, 1, 1 })
  local values = rows.reshape(x, { batch * height * width, depth })
  local result = sample(values, { place(4), place(1) }, { height, width }, orders[interpolation], mode, fill_value, base)
  if single then result = rows.squeeze(result, 1) end
  return restore(rows.moveaxis(result, -1, channels))
end

define.ops {
  { "image.map_coordinates", "inputs, coordinates, order: int, fill_mode: string = constant, fill_value: float = 0",
    "An array read at coordinates [axes, ...], at the nearest element (order 0) or between them (order 1).", map_coordinates,
    method = false },
  { "image.affine_transform",
    "images, transform, interpolation: string = bilinear, fill_mode: string = constant, fill_value: float = 0, data_format: string = nil",
    "Images moved, turned and sheared.", affine_transform, method = false },
}
