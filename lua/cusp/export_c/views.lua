--- Operations that move nothing: other sizes and strides over the same memory.
-- @module cusp.export_c.views
local arrays = require "cusp.export_c.arrays"

local views = {forward = {}, reversed = {}}

function views.forward.transpose(array, attributes)
  local shape, strides, rank = {}, {}, #array.shape
  for i = 1, rank do
    local axis = attributes.axes and attributes.axes[i] + 1 or rank + 1 - i
    shape[i], strides[i] = array.shape[axis], array.strides[axis]
  end
  return arrays.view(array, shape, strides)
end

-- What is to be transposed, of which the result lies in `array`.
function views.reversed.transpose(array, attributes, shape)
  local strides, rank = {}, #shape
  for i = 1, rank do
    strides[attributes.axes and attributes.axes[i] + 1 or rank + 1 - i] = array.strides[i]
  end
  return arrays.view(array, shape, strides)
end

function views.forward.broadcast_to(array, _, shape) return arrays.broadcast(array, shape) end

--- nil where the elements do not lie one after another.
function views.forward.reshape(array, _, shape)
  if not array.literal and not arrays.is_dense(array) then return nil end
  return arrays.view(array, shape, arrays.strides(shape))
end

views.reversed.reshape = views.forward.reshape

function views.forward.strided_slice(array, attributes, shape)
  local strides, offset = {}, array.offset
  for axis, stride in ipairs(array.strides) do
    strides[axis] = stride * attributes.step[axis]
    offset = offset + stride * attributes.start[axis]
  end
  return arrays.view(array, shape, strides, offset)
end

--- One position of an axis, in the place of which the result may have several axes.
function views.select(array, axis, position, shape)
  if position < 0 then position = position + array.shape[axis] end
  local strides, added = {}, #shape - #array.shape + 1
  for i = 1, #shape do
    strides[i] = i < axis and array.strides[i] or i >= axis + added and array.strides[i - added + 1]
      or 0
  end
  return arrays.view(array, shape, strides, array.offset + position * array.strides[axis])
end

function views.forward.diagonal(array, attributes, shape)
  local first, second = attributes.axis1 + 1, attributes.axis2 + 1
  local strides, offset = {}, attributes.offset
  for axis, stride in ipairs(array.strides) do
    if axis ~= first and axis ~= second then strides[#strides + 1] = stride end
  end
  strides[#strides + 1] = array.strides[first] + array.strides[second]
  local skipped = offset > 0 and offset * array.strides[second] or -offset * array.strides[first]
  return arrays.view(array, shape, strides, array.offset + skipped)
end

return views
