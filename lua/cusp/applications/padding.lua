--- Zeros around images before a convolution with strides 2 and no padding of its own.
-- @module cusp.applications.padding
local config = require "cusp.base.config"
local shapes = require "cusp.base.shape"

local padding = {}

--- How many zeros, so that the output is where "same" would put it for the trained networks.
-- @tparam KerasTensor x
-- @tparam integer kernel_size
-- @treturn {{integer,integer},...} before and after, for height and width
function padding.before_strides(x, kernel_size)
  local first = config.image_data_format() == "channels_first" and 3 or 2
  local half, result = kernel_size // 2, {}
  for i = 0, 1 do
    -- As Keras does: the height decides whether sizes are known.
    local is_known = x.shape[first] ~= shapes.None
    local adjust = is_known and 1 - x.shape[first + i] % 2 or 1
    result[i + 1] = {half - adjust, half}
  end
  return result
end

return padding
