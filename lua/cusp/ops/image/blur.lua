--- Blurs images, and distorts them by blurred noise. The width of the blur may be a tensor.
-- @module cusp.ops.image.blur
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local layout = require "cusp.ops.image.layout"
local sampling = require "cusp.ops.image.sample"
local plain = require "cusp.base.plain"

local rows = engine.ops

-- Kernels up to this size are sums of shifted images. Larger ones use a matrix product, whose cost
-- depends on the number of rows, not on the kernel.
local small = 9

--- The taps of a Gaussian kernel, `[size]`, which sum to 1. With a deviation of 0, only the centre
-- is nonzero.
local function gaussian_kernel(size, sigma)
  local places = {}
  errors.check_items("gaussian_blur", "kernel_size", size)
  for i = 1, size do places[i] = i - 1 - (size - 1) / 2 end
  local distance = rows.divide(engine.tensor(places, {dtype = "float32"}),
    rows.maximum(rows.cast(sigma, "float32"), 1e-6))
  local kernel = rows.exp(rows.multiply(rows.square(distance), -0.5))
  return rows.divide(kernel, rows.sum(kernel))
end

-- Pads an axis with zeros, so that the kernel can move along all of it.
local function padded(x, axis, size)
  local width = {}
  for i = 1, #x.shape do width[i] = {0, 0} end
  width[axis] = {(size - 1) // 2, size // 2}
  return rows.pad(x, width)
end

local function sum_of_moved(x, axis, kernel, size)
  local length, sum = x.shape[axis], nil
  local wide = padded(x, axis, size)
  for i = 1, size do
    local part = rows.multiply(layout.part(wide, axis, i, i + length - 1),
      rows.cast(kernel:slice{{i, i}}, x.dtype))
    sum = sum and rows.add(sum, part) or part
  end
  return sum
end

-- [length, length]: the kernel centred on each element and zeros elsewhere, gathered from the
-- kernel with a zero appended.
local function band_matrix(kernel, size, length)
  local taps = rows.concatenate({kernel, rows.zeros({1}, "float32")}, 1)
  local from = rows.reshape(rows.arange(0, length, {dtype = "int32"}), {length, 1})
  local offset = rows.add(rows.subtract(from, rows.reshape(from, {1, length})), (size - 1) // 2)
  local inside = rows.logical_and(rows.greater_equal(offset, 0), rows.less(offset, size))
  return rows.take(taps, rows.where(inside, offset, size), 1)
end

local function blur_axis(x, axis, size, sigma)
  local kernel = gaussian_kernel(size, sigma)
  if size <= small then return sum_of_moved(x, axis, kernel, size) end
  return layout.along(x, axis, band_matrix(kernel, size, x.shape[axis]))
end

local function pair(name, value)
  if type(value) == "userdata" then
    if #value.shape == 0 then return {value, value} end
    return {value[1], value[2]}
  end
  if type(value) == "number" then return {value, value} end
  if #value ~= 2 then
    errors.raise("gaussian_blur: %s should be a number or two of them, got %s", name,
      errors.describe(value))
  end
  return value
end

local function gaussian_blur(images, kernel_size, sigma, data_format)
  kernel_size, sigma = pair("kernel_size", kernel_size), pair("sigma", sigma)
  local down, across = layout.axes("gaussian_blur", images, data_format)
  -- Keras takes {width, height} here. (Its JAX backend defaults to channels_first for images
  -- without a data_format; we do not.)
  local x, restore = layout.as_float_rounded(images)
  return restore(blur_axis(blur_axis(x, down, kernel_size[2], sigma[2]), across, kernel_size[1],
    sigma[1]))
end

--- The positions to read for each pixel of distorted images: its own, moved by blurred noise.
-- @tparam {integer,...} shape batch, height, width
-- @tparam table options alpha and sigma (numbers or scalar tensors), kernel_size, seed
-- @treturn {tensor,...} rows and columns, each of that shape
local function displacements(shape, options)
  local random = require "cusp.tensors.random"
  local noise = random.normal({shape[1], shape[2], shape[3], 2},
    {seed = options.seed, dtype = "float32"})
  noise = rows.multiply(noise, rows.multiply(options.sigma, options.alpha))
  local size = options.kernel_size
  noise = blur_axis(blur_axis(noise, 2, size, options.sigma), 3, size, options.sigma)
  local moves = rows.unstack(noise, nil, 4)
  local down, across = sampling.count(shape[2], 2, 3, "float32"),
    sampling.count(shape[3], 3, 3, "float32")
  return {rows.add(moves[1], down), rows.add(moves[2], across)}
end

local function elastic_transform(images, alpha, sigma, interpolation, fill_mode, fill_value, seed,
  data_format)
  if sigma < 0 then
    errors.raise("elastic_transform: sigma should not be negative, got %s", plain.tostring(sigma))
  end
  local x, restore = sampling.as_batch("elastic_transform", images, data_format)
  local places = displacements({table.unpack(x.shape, 1, 3)}, {
    alpha = alpha, sigma = sigma, kernel_size = math.floor(6 * sigma) | 1, seed = seed,
  })
  return restore(sampling.displaced(x, places[1], places[2], interpolation, fill_mode, fill_value))
end

define.ops{
  {"image.gaussian_blur",
    "images, kernel_size: ints = [3, 3], sigma: any = [1.0, 1.0], data_format: string = nil",
    "Images blurred by a Gaussian kernel.", gaussian_blur, method = false},
  {"image.elastic_transform",
    "images, alpha: float = 20.0, sigma: float = 5.0, interpolation: string = bilinear, "
    .. "fill_mode: string = reflect, "
      .. "fill_value: float = 0.0, seed: any = nil, data_format: string = nil",
    "Images stretched and squeezed at random, as if drawn on rubber.", elastic_transform,
    method = false},
}

return {displacements = displacements}
