--- The base of layers that transform images: batches and single images, tables of images with
-- labels, bounding boxes and masks, and the random numbers of a call.
--
-- Such a layer takes images `[batch, height, width, channels]` or one image `[height, width,
-- channels]` (channels first if `data_format` says so), or a table `{images =, labels =,
-- bounding_boxes = {boxes =, labels =}, segmentation_masks =}`, and returns the same form. Other
-- fields of the table are unchanged. It transforms images only during training; when called
-- directly, outside a model, `training` defaults to true. Integers become floats, during training
-- or not.
--
-- A class made with `define` implements
--
-- - `get_random_transformation(self, images, seed)`: draws the transformation of a batch, a table,
-- or nil for none. Called only during
--   training, unless the class sets `always = true`. `seed` is the generator to draw from. The
--   default, `{}`, is for transformations that are the same for every batch.
-- - `transform(self, images, transformation)` for a change of colours, which leaves masks and boxes
-- unchanged, or
--   `move(self, images, transformation, interpolation)` for a geometric change, which moves masks
--   along ("nearest").
-- - `transform_images`, `transform_labels`, `transform_bounding_boxes`,
-- `transform_segmentation_masks` (self, data, transformation)
--   if the defaults do not fit. All of them receive batches only.
-- @classmod cusp.layers.BaseImagePreprocessingLayer
local Layer = require "cusp.layers.machinery.layer"
local calling = require "cusp.layers.machinery.calling"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local options = require "cusp.layers.machinery.options"
local ordered = require "cusp.base.ordered"
local random = require "cusp.tensors.random"
local structure = require "cusp.base.structure"
require "cusp.layers.image.bounding_boxes"
require "cusp.layers.image.image_arguments"

local rows = engine.ops

local Base = Layer:extend("BaseImagePreprocessingLayer", {
  first_is_list = false,
  training_by_default = true,
})

--- Makes a class.
-- @tparam string name
-- @tparam table config rows in Keras's positional order; `data_format` and `bounding_box_format`
-- are added as keyword arguments
-- @tparam table members
-- @tparam[opt] table base
-- @treturn table
function Base.define(name, config, members, base)
  local known = {}
  for _, parameter in ipairs(config) do known[parameter[1]] = true end
  if not known.data_format then
    local row = options.data_format()
    row.keyword_only = true
    config[#config + 1] = row
  end
  config[#config + 1] = {"bounding_box_format", "bounding_box_format", optional = true,
    keyword_only = true, transient = true}
  members.config = config
  members.is_random = known.seed
  local class = (base or Base):extend(name, members)
  return class
end

function Base:build()
  if self.is_random then self.generator = random.SeedGenerator{self.seed} end
end

function Base:get_config()
  local config = Layer.get_config(self)
  if self.bounding_box_format then
    ordered.set(config, "bounding_box_format", self.bounding_box_format)
  end
  return config
end

---------------------------------------------------------------- for the classes

--- The axes of height, width and channels in a batch.
function Base:axes()
  if options.channels_first(self) then return 3, 4, 2 end
  return 2, 3, 4
end

--- The height and the width of a batch.
function Base:size_of(images)
  local down, across = self:axes()
  local shape = images.shape
  return shape[down], shape[across]
end

--- Uniform random numbers in `{low, high}`, in the layer's compute dtype.
function Base:draw(seed, shape, range)
  local dtype = self.compute_dtype
  if range[1] == range[2] then return rows.full(shape, range[1], dtype) end
  return random.uniform(shape, range[1], range[2], {dtype = dtype, seed = seed})
end

--- Whether to transform each image, `[batch, 1, 1, 1]`: with a probability that is itself drawn
-- from a range.
function Base:chances(seed, images, range)
  local shape = {images.shape[1], 1, 1, 1}
  local threshold = self:draw(seed, shape, {0.0, 1.0})
  return rows.less(threshold, self:draw(seed, shape, range))
end

--- Maps numbers from one range of values to another, both `{low, high}`.
function Base.map_range(images, from, to)
  if from[1] == to[1] and from[2] == to[2] then return images end
  local scale = (to[2] - to[1]) / (from[2] - from[1])
  return rows.add(rows.multiply(images, scale), to[1] - from[1] * scale)
end

--- Images in the layer's compute dtype.
function Base:as_computed(images)
  local dtype = self.compute_dtype
  return images.dtype == dtype and images or rows.cast(images, dtype)
end

---------------------------------------------------------------- what is done

function Base:get_random_transformation() return {} end

function Base:transform_images(images, transformation)
  images = self:as_computed(images)
  if not transformation then return images end
  if self.move then
    return self:as_computed(self:move(images, transformation, self.interpolation))
  end
  return self:as_computed(self:transform(images, transformation))
end

function Base:transform_labels(labels) return labels end

function Base:transform_segmentation_masks(masks, transformation)
  if not transformation or not self.move then return masks end
  return self:move(masks, transformation, "nearest")
end

function Base:transform_bounding_boxes(boxes, transformation)
  if transformation and self.move then self:refuse_boxes() end
  return boxes
end

function Base:refuse_boxes()
  errors.raise(
    "%s: does not know where bounding boxes go; leave 'bounding_boxes' out of its inputs, or use "
    .. "another layer",
    getmetatable(self).__name)
end

-- `transform_PART(self, data, transformation)` of a single image's part, and whether it trains: for
-- nothing to be drawn the transformation is none.
local function transform_single(part)
  return function(self, data, transformation, training)
    if training == false and not self.always then transformation = nil end
    local batch = structure.map(data, function(x) return rows.expand_dims(x, 1) end)
    return structure.map(self["transform_" .. part](self, batch, transformation),
      function(x) return rows.squeeze(x, 1) end)
  end
end

--- Changes one image.
-- @function transform_single_image
-- @tparam tensor image `[height, width, channels]`
-- @param transformation what `get_random_transformation` drew for a batch of one
-- @tparam[opt=true] boolean training
-- @treturn tensor
Base.transform_single_image = transform_single "images"

--- Changes the label of one image.
-- @function transform_single_label
Base.transform_single_label = transform_single "labels"

--- Changes the boxes of one image, `{boxes = [boxes, 4], labels = [boxes]}`.
-- @function transform_single_bounding_box
Base.transform_single_bounding_box = transform_single "bounding_boxes"

--- Changes the mask of one image.
-- @function transform_single_segmentation_mask
Base.transform_single_segmentation_mask = transform_single "segmentation_masks"

local parts = {"images", "bounding_boxes", "labels", "segmentation_masks"}

local function check_boxes(self, boxes)
  local name = getmetatable(self).__name
  if not structure.is_container(boxes) or not boxes.boxes or not boxes.labels then
    errors.raise("%s: bounding_boxes should be a table {boxes =, labels =}, got %s", name,
      errors.describe(boxes))
  end
  local shape = boxes.boxes.shape
  if #shape ~= 3 or shape[3] ~= 4 then
    errors.raise(
      "%s: boxes should have shape [batch, boxes, 4], or [boxes, 4] for one image, got %s", name,
      errors.shape(shape))
  end
  local labels = boxes.labels.shape
  if labels[1] ~= shape[1] or labels[2] ~= shape[2] then
    errors.raise(
      "%s: labels of boxes should have shape [batch, boxes], or [boxes] for one image, got %s for "
      .. "boxes %s", name,
      errors.shape(labels), errors.shape(shape))
  end
  if not self.bounding_box_format and not self.takes_any_boxes then
    errors.raise(
      "%s: got bounding boxes, but was made without 'bounding_box_format', for example \"xyxy\"",
      name)
  end
end

-- Whether a part of the inputs lacks the batch axis: boxes of a batch of one image may lack it.
local function lacks_batch(part, value, images)
  local single = #images.shape == 3
  local boxes = part == "bounding_boxes" and structure.is_container(value) and value.boxes
  if not boxes or not single and images.shape[1] ~= 1 then return single end
  return #boxes.shape == 2
end

local function transform_all(self, data, training)
  local images = data.images
  if type(images) ~= "userdata" then
    errors.raise("%s: a table of inputs requires 'images'", getmetatable(self).__name)
  end
  local rank = #images.shape
  if rank ~= 3 and rank ~= 4 then
    errors.raise("%s: expected one image of 3 axes or a batch of 4, got shape %s",
      getmetatable(self).__name, errors.shape(images.shape))
  end
  local result, single = {}, {}
  for key, value in pairs(data) do result[key] = value end
  for _, part in ipairs(parts) do single[part] = lacks_batch(part, result[part], images) end
  local function each(part, value, f)
    return single[part] and structure.map(value, function(x) return f(x, 1) end) or value
  end
  for _, part in ipairs(parts) do
    if result[part] then result[part] = each(part, result[part], rows.expand_dims) end
  end
  if result.bounding_boxes then check_boxes(self, result.bounding_boxes) end
  local transformation = (training or self.always)
    and self:get_random_transformation(result.images, self.generator) or nil
  for _, part in ipairs(parts) do
    if result[part] then
      result[part] = each(part, self["transform_" .. part](self, result[part], transformation),
        rows.squeeze)
    end
  end
  return result
end

function Base:call(inputs, args)
  if type(inputs) == "userdata" then
    return transform_all(self, {images = inputs}, args.training).images
  end
  return transform_all(self, inputs, args.training)
end

function Base:compute_output_shape(input_shape)
  if not structure.is_shape(input_shape) then return calling.infer_shape(self, input_shape) end
  return self:output_shape(input_shape)
end

--- The output shape of the images.
function Base:output_shape(shape) return shape end

-- The parts of a table have several dtypes, which tracing finds.
function Base:known_output_types(inputs)
  if structure.is_container(inputs) then return calling.infer(self, inputs, {n = 0}, {}) end
end

return Base
