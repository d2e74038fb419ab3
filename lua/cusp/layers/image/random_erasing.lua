--- Erases a rectangle of images (Zhong et al., "Random erasing data augmentation", 2017).
-- @classmod cusp.layers.RandomErasing
-- @tparam[opt=1] number|table factor probability that an image is changed, drawn between 0 and
-- `factor` or between two numbers
-- @tparam[opt={0.02, 0.33}] number|table scale the squared share of the height and width, between
-- two numbers
-- @tparam[opt] number|table fill_value a number, or one per channel (three); by default noise
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] integer seed
-- @tparam[opt] string data_format
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local boxes = require "cusp.layers.image.random_boxes"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"
local random = require "cusp.tensors.random"

kinds.define("colour", {
  check = function(value)
    if type(value) == "number" then return true end
    if not kinds.is_plain(value) or #value ~= 3 then return false end
    for i = 1, 3 do
      if type(value[i]) ~= "number" then return false end
    end
    return true
  end,
  expects = "a number or a list of three, one for each channel",
})

-- The replacement for pixels: noise of the images' shape, or a value that broadcasts to it.
local function filling(self, images, seed)
  local value, dtype = self.fill_value, self.compute_dtype
  if value == nil then
    return random.normal(images.shape, {stddev = self.value_range[2], dtype = dtype, seed = seed})
  end
  if type(value) == "number" then return ops.full({1, 1, 1, 1}, value, dtype) end
  local channels, shape = select(3, self:axes()), {1, 1, 1, 1}
  if images.shape[channels] ~= 3 then
    errors.raise(
      "RandomErasing: a fill_value of three numbers needs images of three channels, got shape %s",
      errors.shape(images.shape))
  end
  shape[channels] = 3
  return ops.reshape(engine.tensor(value, {dtype = dtype}), shape)
end

return Base.define("RandomErasing", {
  arguments.factor("factor", {0, 1}, {default = 1.0}),
  arguments.factor("scale", {0, 1}, {default = {0.02, 0.33}}),
  {"fill_value", "colour", optional = true}, arguments.value_range(), options.seed(),
  options.data_format(),
}, {
  get_random_transformation = function(self, images, seed)
    local shape = {images.shape[1], 1, 1, 1}
    local across, down = ops.sqrt(self:draw(seed, shape, self.scale)),
      ops.sqrt(self:draw(seed, shape, self.scale))
    local mask = boxes.draw(self, seed, images, across, down)
    local filled = ops.clip(filling(self, images, seed), self.value_range[1], self.value_range[2])
    return {mask = ops.logical_and(mask, self:chances(seed, images, self.factor)), filling = filled}
  end,

  transform = function(_, images, transformation)
    return ops.where(transformation.mask, transformation.filling, images)
  end,
})
