--- The axes of images, and products along one of them; shared by the image operations.
-- @module cusp.ops.image.layout
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local layout = {}
local rows = engine.ops

--- The axes of images `[batch, height, width, channels]` or `[height, width, channels]`, or with
-- channels first.
-- @tparam string name of the operation, for messages
-- @tparam tensor images
-- @tparam ?string data_format
-- @treturn integer axis of the height
-- @treturn integer axis of the width
-- @treturn integer axis of the channels
function layout.axes(name, images, data_format)
  data_format = data_format or require("cusp.base.config").image_data_format()
  local rank = #images.shape
  if rank ~= 3 and rank ~= 4 then
    errors.raise("%s: expected one image of 3 axes or a batch of 4, got shape %s", name,
      errors.shape(images.shape))
  end
  if data_format == "channels_last" then return rank - 2, rank - 1, rank end
  if data_format == "channels_first" then return rank - 1, rank, rank - 2 end
  errors.raise("%s: data_format should be \"channels_last\" or \"channels_first\", got %s", name,
    errors.describe(data_format))
end

--- The slice `first .. last` (from 1) of an axis.
function layout.part(x, axis, first, last)
  local spec = {}
  for i = 1, #x.shape do spec[i] = {} end
  spec[axis] = {first, last}
  return x:slice(spec)
end

--- The product of an axis with a matrix `[in, out]`.
function layout.along(x, axis, matrix)
  return rows.moveaxis(rows.matmul(rows.moveaxis(x, axis, -1), rows.cast(matrix, x.dtype)), -1,
    axis)
end

--- Converts to floats for computing; also returns a function that converts the result to the
-- images' dtype.
function layout.as_float(images)
  local dtype = images.dtype
  if dtype:find "float" then return images, function(x) return x end end
  return rows.cast(images, "float32"), function(x) return rows.cast(x, dtype) end
end

--- The same, for results between pixels: rounds for integer images.
function layout.as_float_rounded(images)
  local x, restore = layout.as_float(images)
  if images.dtype:find "float" then return x, restore end
  return x, function(result) return restore(rows.round(result)) end
end

return layout
