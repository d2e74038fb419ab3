--- Resizes images. Each axis is a product with a matrix of weights, as in "Digital Image Warping"
-- (Wolberg, 1990).
-- @module cusp.ops.image.resize
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local layout = require "cusp.ops.image.layout"

local rows = engine.ops

local function triangle(x) return rows.maximum(0, rows.subtract(1, x)) end

-- c0 + x (c1 + x (c2 + ...))
local function polynomial(x, coefficients)
  local sum = coefficients[#coefficients]
  for i = #coefficients - 1, 1, -1 do sum = rows.add(rows.multiply(sum, x), coefficients[i]) end
  return sum
end

-- Keys, "Cubic convolution interpolation for digital image processing" (1981), a = -0.5.
local function cubic(x)
  local near, far = polynomial(x, {1, 0, -2.5, 1.5}), polynomial(x, {2, -4, 2.5, -0.5})
  return rows.where(rows.less(x, 1), near, rows.where(rows.less(x, 2), far, 0))
end

local function lanczos(radius)
  return function(x)
    local small = rows.less_equal(x, 1e-3)
    local angle = rows.multiply(rows.where(small, 1, x), math.pi)
    local waves = rows.multiply(rows.sin(angle), rows.sin(rows.divide(angle, radius)))
    local inside = rows.where(small, 1,
      rows.divide(rows.multiply(waves, radius), rows.square(angle)))
    return rows.where(rows.greater(x, radius), 0, inside)
  end
end

-- name → weights by distance
local kernels = {
  bilinear = triangle, linear = triangle, triangle = triangle, trilinear = triangle,
  bicubic = cubic, cubic = cubic, tricubic = cubic, lanczos3 = lanczos(3), lanczos5 = lanczos(5),
}

-- [in, out]: the weight of each input in each output. With antialias, a kernel is as wide as the
-- inputs that an output covers. Scale and shift are numbers or scalar tensors.
local function weight_matrix(kernel, size, target, scale, shift, antialias)
  local inverse = rows.divide(1.0, scale)
  local centre = rows.add(rows.arange(0, target, {dtype = "float32"}), 0.5)
  local at = rows.subtract(rows.multiply(rows.subtract(centre, shift), inverse), 0.5)
  local source = rows.reshape(rows.arange(0, size, {dtype = "float32"}), {size, 1})
  local distance = rows.abs(rows.subtract(rows.reshape(at, {1, target}), source))
  if antialias then distance = rows.divide(distance, rows.maximum(inverse, 1)) end
  local weights = kernel(distance)
  local total = rows.sum(weights, 1, true)
  local usable = rows.greater(rows.abs(total), 1e-4)
  local inside = rows.logical_and(rows.greater_equal(at, -0.5), rows.less_equal(at, size - 0.5))
  return rows.where(rows.logical_and(inside, usable),
    rows.divide(weights, rows.where(usable, total, 1)), 0)
end

local function nearest_indices(size, target)
  local indices = {}
  for i = 1, target do indices[i] = math.min(size - 1, math.floor((i - 0.5) * size / target)) end
  return engine.tensor(indices, {dtype = "int32"})
end

-- The product with a triangle kernel's matrix, which has two weights per column: reads both
-- neighbours and interpolates.
local function between_neighbours(x, axis, size, target)
  local before, after, share, shape = {}, {}, {}, {}
  for i = 1, target do
    local at = (i - 0.5) * size / target - 0.5
    local low = math.floor(at)
    before[i], after[i], share[i] = math.max(low, 0), math.min(low + 1, size - 1), at - low
  end
  for i = 1, #x.shape do shape[i] = i == axis and target or 1 end
  local a = rows.take(x, engine.tensor(before, {dtype = "int32"}), axis)
  local b = rows.take(x, engine.tensor(after, {dtype = "int32"}), axis)
  return rows.add(a, rows.multiply(rows.subtract(b, a),
    rows.reshape(engine.tensor(share, {dtype = x.dtype}), shape)))
end

local function resize_axis(x, axis, target, interpolation, antialias)
  local size = x.shape[axis]
  if size == target then return x end
  if interpolation == "nearest" then return rows.take(x, nearest_indices(size, target), axis) end
  if kernels[interpolation] == triangle and not (antialias and target < size) then
    return between_neighbours(x, axis, size, target)
  end
  return layout.along(x, axis,
    weight_matrix(kernels[interpolation], size, target, target / size, 0, antialias))
end

-- The centre of an image with the aspect ratio of the target.
local function crop_to_ratio(x, axis, other_size, target, other_target)
  local size = x.shape[axis]
  local kept = math.max(math.min(size, other_size * target // other_target), 1)
  local first = (size - kept) // 2
  return layout.part(x, axis, first + 1, first + kept)
end

local function pad_to_ratio(x, axis, other_size, target, other_target, value)
  local size = x.shape[axis]
  local before = (math.max(size, other_size * target // other_target) - size) // 2
  local width = {}
  for i = 1, #x.shape do width[i] = {0, 0} end
  width[axis] = {before, before}
  return rows.pad(x, width, "constant",
    x.dtype:find "float" and value or math.tointeger(value) or value)
end

local function resize(images, size, interpolation, antialias, crop, pad, fill_mode, fill_value,
  data_format)
  if interpolation ~= "nearest" and not kernels[interpolation] then
    errors.raise("resize: there is no interpolation named '%s'%s", interpolation,
      errors.suggestion(interpolation, kernels))
  end
  if type(size) ~= "table" or #size ~= 2 then
    errors.raise("resize: size should be {height, width}, got %s", errors.describe(size))
  end
  for i = 1, 2 do errors.check_items("resize", "each size", size[i]) end
  if crop and pad then
    errors.raise "resize: only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be true"
  end
  if fill_mode ~= "constant" then
    errors.raise("resize: fill_mode should be \"constant\", got %q", fill_mode)
  end
  local down, across = layout.axes("resize", images, data_format)
  local height, width = images.shape[down], images.shape[across]
  local whole = not images.dtype:find "float"
  local x = whole and interpolation ~= "nearest" and rows.cast(images, "float32") or images
  if crop then
    x = crop_to_ratio(x, down, width, size[1], size[2])
    x = crop_to_ratio(x, across, height, size[2], size[1])
  elseif pad then
    x = pad_to_ratio(x, down, width, size[1], size[2], fill_value)
    x = pad_to_ratio(x, across, height, size[2], size[1], fill_value)
  end
  x = resize_axis(x, down, size[1], interpolation, antialias)
  x = resize_axis(x, across, size[2], interpolation, antialias)
  if images.dtype == "bool" then return rows.cast(x, "bool") end
  return whole and rows.saturate_cast(rows.round(x), images.dtype) or x
end

local function scale_and_translate(images, output_shape, scale, translation, spatial_dims, method,
  antialias)
  local kernel = kernels[method]
  if not kernel then
    errors.raise("scale_and_translate: there is no method named '%s'%s", method,
      errors.suggestion(method, kernels))
  end
  local x = layout.as_float(images)
  for i, dimension in ipairs(spatial_dims) do
    local axis = dimension >= 0 and dimension + 1 or #x.shape + 1 + dimension
    x = layout.along(x, axis,
      weight_matrix(kernel, x.shape[axis], output_shape[axis], scale[i], translation[i], antialias))
  end
  return x
end

define.ops{
  {"image.resize",
    "images, size: ints, interpolation: string = bilinear, antialias: bool = false, "
    .. "crop_to_aspect_ratio: bool = false, "
      .. "pad_to_aspect_ratio: bool = false, fill_mode: string = constant, fill_value: float = "
        .. "0.0, data_format: string = nil",
    "Images of another height and width.", resize, method = false},
  {"image.scale_and_translate",
    "images, output_shape: shape, scale: any, translation: any, spatial_dims: ints, method: "
    .. "string, antialias: bool = true",
    "Images scaled and moved; spatial_dims count from 0, as positions in a shape.",
    scale_and_translate, method = false},
}
