--- Joins all axes but the batch axis: `[batch, 3, 4]` becomes `[batch, 12]`.
-- @classmod cusp.layers.Flatten
-- @tparam[opt] string data_format "channels_first" moves the channels last before
local Layer = require "cusp.layers.machinery.layer"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"

return Layer:extend("Flatten", {
  keeps_dtype = true,
  input_spec = {min_ndim = 1},
  config = {options.data_format()},

  call = function(self, inputs)
    local shape = inputs.shape
    if options.channels_first(self) and #shape > 2 then
      local order = {1}
      for axis = 3, #shape do order[#order + 1] = axis end
      order[#order + 1] = 2
      inputs = ops.transpose(inputs, order)
    end
    local size = 1
    for axis = 2, #shape do size = size * shape[axis] end
    return ops.reshape(inputs, {shape[1], size})
  end,

  compute_output_shape = function(_, input_shape)
    local size = 1
    for axis = 2, #input_shape do
      if input_shape[axis] == shapes.None then return {input_shape[1], shapes.None} end
      size = size * input_shape[axis]
    end
    return {input_shape[1], size}
  end,
})
