--- Gives all images the same number of bounding boxes: drops or adds boxes. Images are unchanged.
-- @classmod cusp.layers.MaxNumBoundingBoxes
-- @tparam integer max_number
-- @tparam[opt=-1] integer fill_value of added boxes and labels
-- @usage local data = layers.MaxNumBoundingBoxes(10){
--   images = x, bounding_boxes = {boxes = boxes, labels = labels},
-- }
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local ops = require "cusp.ops"

-- x [batch, boxes, ...] with that many boxes.
local function filled(x, count, value)
  local shape, ranges, width = x.shape, {}, {}
  for i = 1, #shape do ranges[i], width[i] = {}, {0, 0} end
  ranges[2], width[2] = {1, math.min(shape[2], count)}, {0, math.max(count - shape[2], 0)}
  return ops.pad(x:slice(ranges), width, {constant_values = value})
end

return Base.define("MaxNumBoundingBoxes", {
  {"max_number", "integer", min = 1}, {"fill_value", "integer", default = -1, omit_default = true},
}, {
  keeps_dtype = true,
  takes_any_boxes = true,

  transform_images = function(_, images) return images end,

  transform_bounding_boxes = function(self, data)
    return {
      boxes = filled(data.boxes, self.max_number, self.fill_value),
      labels = filled(data.labels, self.max_number, self.fill_value),
    }
  end,
})
