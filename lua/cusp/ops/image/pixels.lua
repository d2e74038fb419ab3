--- Colours, borders, filters and patches of images.
-- @module cusp.ops.image.pixels
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local layout = require "cusp.ops.image.layout"

local rows = engine.ops

---------------------------------------------------------------- colours

local function channels_of(name, images, data_format)
  local _, _, axis = layout.axes(name, images, data_format)
  if images.shape[axis] ~= 3 then
    errors.raise("%s: expected 3 channels, got shape %s", name, errors.shape(images.shape))
  end
  if not images.dtype:find "float" then
    errors.raise("%s: expected a float dtype, got %s", name, images.dtype)
  end
  local planes = rows.unstack(images, nil, axis)
  return axis, planes[1], planes[2], planes[3]
end

local function rgb_to_grayscale(images, data_format)
  local _, _, axis = layout.axes("rgb_to_grayscale", images, data_format)
  local channels = images.shape[axis]
  if channels == 1 then return images end
  if channels ~= 3 then
    errors.raise("rgb_to_grayscale: expected 1 or 3 channels, got shape %s",
      errors.shape(images.shape))
  end
  local x, restore = layout.as_float(images)
  return restore(layout.along(x, axis, engine.tensor{{0.2989}, {0.5870}, {0.1140}}))
end

local function rgb_to_hsv(images, data_format)
  images = rows.where(rows.less(rows.abs(images), 1.1920929e-07), 0.0, images)
  local axis, r, g, b = channels_of("rgb_to_hsv", images, data_format)
  local value = rows.maximum(rows.maximum(r, g), b)
  local range = rows.subtract(value, rows.minimum(rows.minimum(r, g), b))
  local lit, coloured = rows.greater(value, 0), rows.greater(range, 0)
  local saturation = rows.where(lit, rows.divide(range, rows.where(lit, value, 1.0)), 0.0)
  local sixth = rows.divide(1.0 / 6.0, rows.where(coloured, range, 1.0))
  local hue = rows.where(rows.equal(value, g),
    rows.add(rows.multiply(sixth, rows.subtract(b, r)), 2 / 6),
    rows.add(rows.multiply(sixth, rows.subtract(r, g)), 4 / 6))
  hue = rows.where(rows.equal(value, r), rows.multiply(sixth, rows.subtract(g, b)), hue)
  local wrapped = rows.cast(rows.less(hue, 0.0), hue.dtype)
  hue = rows.add(rows.where(coloured, hue, 0.0), wrapped)
  return rows.stack({hue, saturation, value}, axis)
end

local function hsv_to_rgb(images, data_format)
  local axis, hue, saturation, value = channels_of("hsv_to_rgb", images, data_format)
  local angle = rows.multiply(rows.mod(hue, 1.0), 6.0)
  local function plane(centre, sign, offset)
    local share = rows.clip(rows.add(rows.multiply(rows.abs(rows.subtract(angle, centre)), sign),
      offset), 0.0, 1.0)
    return rows.multiply(value,
      rows.add(rows.subtract(1.0, saturation), rows.multiply(saturation, share)))
  end
  return rows.stack({plane(3.0, 1, -1), plane(2.0, -1, 2), plane(4.0, -1, 2)}, axis)
end

---------------------------------------------------------------- borders

-- The two margins of an axis; one may follow from the target: margins + size = target, with signs
-- by `direction`.
local function margins(name, first, last, target, size, direction)
  if target then
    local total = direction * (target - size)
    if first == nil and last == nil then
      errors.raise("%s: expected one margin besides the target size", name)
    end
    first = first or total - last
    last = last or total - first
  end
  first, last = first or 0, last or 0
  if first < 0 or last < 0 then
    errors.raise("%s: margins should not be negative, got %d and %d", name, first, last)
  end
  return first, last
end

local function pad_images(images, top, left, bottom, right, height, width, data_format)
  local down, across = layout.axes("pad_images", images, data_format)
  local spec = {}
  for i = 1, #images.shape do spec[i] = {0, 0} end
  spec[down] = {margins("pad_images", top, bottom, height, images.shape[down], 1)}
  spec[across] = {margins("pad_images", left, right, width, images.shape[across], 1)}
  return rows.pad(images, spec)
end

local function crop_images(images, top, left, bottom, right, height, width, data_format)
  local down, across = layout.axes("crop_images", images, data_format)
  local function crop(x, axis, first, last, target)
    local size = x.shape[axis]
    first, last = margins("crop_images", first, last, target, size, -1)
    if first + last >= size then
      errors.raise("crop_images: nothing is left of %d after cropping %d and %d", size, first, last)
    end
    return layout.part(x, axis, first + 1, size - last)
  end
  return crop(crop(images, down, top, bottom, height), across, left, right, width)
end

---------------------------------------------------------------- filters

-- A kernel along an axis, as a matrix [size, positions]: centred on each element, with zeros beyond
-- the border, or (valid) only where it fits.
local function band_matrix(kernel, size, valid)
  local before = valid and 0 or (#kernel - 1) // 2
  local places = valid and size - #kernel + 1 or size
  local matrix = {}
  for j = 1, size do
    matrix[j] = {}
    for i = 1, places do matrix[j][i] = kernel[j - i + before + 1] or 0.0 end
  end
  return engine.tensor(matrix, {dtype = "float32"})
end

local function gaussian_kernel(size, sigma)
  local kernel, total = {}, 0
  errors.check_items("ssim", "filter_size", size)
  for i = 1, size do
    kernel[i] = math.exp(-0.5 * ((i - 1 - (size - 1) / 2) / sigma) ^ 2)
    total = total + kernel[i]
  end
  for i = 1, size do kernel[i] = kernel[i] / total end
  return kernel
end

-- Sobel and Feldman's operator: a difference along one axis, smoothed along the other.
local function sobel_edges(images, data_format)
  local down, across = layout.axes("sobel_edges", images, data_format)
  local function filter(axis, other)
    local difference = layout.along(images, axis, band_matrix({-1.0, 0.0, 1.0}, images.shape[axis]))
    return layout.along(difference, other, band_matrix({1.0, 2.0, 1.0}, images.shape[other]))
  end
  return rows.stack({filter(down, across), filter(across, down)}, -1)
end

-- Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
-- structural similarity" (2004).
local function ssim(image1, image2, max_val, filter_size, filter_sigma, k1, k2, data_format)
  local down, across, channels = layout.axes("ssim", image1, data_format)
  local size = math.min(image1.shape[down], image1.shape[across])
  if size < filter_size then
    errors.raise(
      "ssim: filter_size (%d) should be at most the images' height and width, got images of shape "
      .. "%s", filter_size,
      errors.shape(image1.shape))
  end
  local kernel = gaussian_kernel(filter_size, filter_sigma)
  local function mean(x)
    x = layout.along(x, down, band_matrix(kernel, x.shape[down], true))
    return layout.along(x, across, band_matrix(kernel, x.shape[across], true))
  end
  local a, restore = layout.as_float(image1)
  local b = rows.cast(image2, a.dtype)
  local mean_a, mean_b = mean(a), mean(b)
  local product, squares = rows.multiply(mean_a, mean_b),
    rows.add(rows.square(mean_a), rows.square(mean_b))
  local covariance = rows.subtract(mean(rows.multiply(a, b)), product)
  local variances = rows.subtract(rows.add(mean(rows.square(a)), mean(rows.square(b))), squares)
  local c1, c2 = (k1 * max_val) ^ 2, (k2 * max_val) ^ 2
  local above = rows.multiply(rows.add(rows.multiply(product, 2), c1),
    rows.add(rows.multiply(covariance, 2), c2))
  local below = rows.multiply(rows.add(squares, c1), rows.add(variances, c2))
  return restore(rows.mean(rows.divide(above, below), {down, across, channels}))
end

---------------------------------------------------------------- patches

local function list_of(name, what, value, count)
  if type(value) == "number" then
    local result = {}
    for i = 1, count do result[i] = value end
    return result
  end
  if #value ~= count then
    errors.raise("%s: %s should be an integer or %d of them, got %s", name, what, count,
      errors.describe(value))
  end
  return value
end

-- The padding of "same": enough for every stride, with an odd one at the end.
local function same_padding(size, window, stride)
  local total = math.max(0, ((size + stride - 1) // stride - 1) * stride + window - size)
  return {total // 2, total - total // 2}
end

-- Converts x with channels last, [batch, space..., channels], to [batch, positions..., window *
-- channels].
local function patches(name, x, spatial, size, strides, dilation, padding)
  local shape, width = x.shape, {}
  for i = 1, #shape do width[i] = {0, 0} end
  for i = 1, spatial do
    local window = dilation[i] * (size[i] - 1) + 1
    if padding == "same" then width[i + 1] = same_padding(shape[i + 1], window, strides[i]) end
    if shape[i + 1] + width[i + 1][1] + width[i + 1][2] < window then
      errors.raise("%s: a patch of %d does not fit into %d", name, window, shape[i + 1])
    end
  end
  x = rows.pad(x, width)
  for i = 1, spatial do
    local axis = 2 * i -- each axis before has become two
    local places = (x.shape[axis] - dilation[i] * (size[i] - 1) - 1) // strides[i] + 1
    local indices = {}
    for place = 1, places do
      indices[place] = {}
      for k = 1, size[i] do indices[place][k] = (place - 1) * strides[i] + (k - 1) * dilation[i] end
    end
    x = rows.take(x, engine.tensor(indices, {dtype = "int32"}), axis)
  end
  local order, result, depth = {1}, {shape[1]}, shape[#shape]
  for i = 1, spatial do
    order[i + 1], order[spatial + i + 1] = 2 * i, 2 * i + 1
    result[i + 1] = x.shape[2 * i]
    depth = depth * size[i]
  end
  order[#order + 1] = #x.shape
  result[#result + 1] = depth
  return rows.reshape(rows.transpose(x, order), result)
end

local function extract(name, images, spatial, size, strides, dilation, padding, data_format)
  if padding ~= "valid" and padding ~= "same" then
    errors.raise("%s: padding should be \"valid\" or \"same\", got %s", name,
      errors.describe(padding))
  end
  size = list_of(name, "size", size, spatial)
  strides = strides and list_of(name, "strides", strides, spatial) or size
  dilation = list_of(name, "dilation_rate", dilation, spatial)
  data_format = data_format or require("cusp.base.config").image_data_format()
  local single = #images.shape == spatial + 1
  if single then images = rows.expand_dims(images, 1) end
  if #images.shape ~= spatial + 2 then
    errors.raise("%s: unexpected shape %s", name, errors.shape(images.shape))
  end
  local first = data_format == "channels_first"
  if first then images = rows.moveaxis(images, 2, -1) end
  local result = patches(name, images, spatial, size, strides, dilation, padding)
  if first then result = rows.moveaxis(result, -1, 2) end
  return single and rows.squeeze(result, 1) or result
end

local function extract_patches(images, size, strides, dilation, padding, data_format)
  local spatial = type(size) == "table" and #size == 3 and 3 or 2
  return extract("extract_patches", images, spatial, size, strides, dilation, padding, data_format)
end

local function extract_patches_3d(volumes, size, strides, dilation, padding, data_format)
  return extract("extract_patches_3d", volumes, 3, size, strides, dilation, padding, data_format)
end

local margin_text =
  "top_%s: int = nil, left_%s: int = nil, bottom_%s: int = nil, right_%s: int = nil, "
  .. "target_height: int = nil, "
  .. "target_width: int = nil, data_format: string = nil"
local patch_text =
  "size: ints, strides: ints = nil, dilation_rate: ints = 1, padding: string = valid, "
  .. "data_format: string = nil"

define.ops{
  {"image.rgb_to_grayscale", "images, data_format: string = nil", "The brightness of colours.",
    rgb_to_grayscale, method = false},
  {"image.rgb_to_hsv", "images, data_format: string = nil",
    "Red, green, blue as hue, saturation, value.", rgb_to_hsv, method = false},
  {"image.hsv_to_rgb", "images, data_format: string = nil",
    "Hue, saturation, value as red, green, blue.", hsv_to_rgb, method = false},
  {"image.pad_images", "images, " .. margin_text:gsub("%%s", "padding"),
    "Images with margins of zeros.", pad_images, method = false},
  {"image.crop_images", "images, " .. margin_text:gsub("%%s", "cropping"),
    "Images without margins.", crop_images, method = false},
  {"image.sobel_edges", "images, data_format: string = nil",
    "Differences downwards and across, in a new last axis.", sobel_edges,
    method = false},
  {"image.ssim",
    "image1, image2, max_val: float = 1.0, filter_size: int = 11, filter_sigma: float = 1.5, k1: "
    .. "float = 0.01, k2: float = 0.03, "
      .. "data_format: string = nil",
      "The structural similarity of two images or batches of them, 1 where they are equal.", ssim,
    method = false},
  {"image.extract_patches", "images, " .. patch_text, "Patches of images, flattened into channels.",
    extract_patches, method = false},
  {"image.extract_patches_3d", "volumes, " .. patch_text,
    "Patches of volumes, flattened into channels.", extract_patches_3d,
    method = false},
}
