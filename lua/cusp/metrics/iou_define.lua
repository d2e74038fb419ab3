--- Makes the variants of IoU that fix some of its arguments.
-- @module cusp.metrics.iou_define
local IoU = require "cusp.metrics.iou"
local Metric = require "cusp.metrics.metric"
local kinds = require "cusp.base.kinds"
local ordered = require "cusp.base.ordered"

--- @tparam string name of the class
-- @tparam table config its arguments
-- @tparam[opt] table fixed values for the arguments of IoU that the class lacks
return function(name, config, fixed)
  local members = {config = config}
  for key, value in pairs(fixed or {}) do members[key] = value end
  local class = IoU:extend(name, members)
  -- The configuration contains only the class's own arguments.
  function class:get_config()
    local result = Metric.get_config(self)
    for _, parameter in ipairs(config) do
      ordered.set(result, parameter[1], kinds.to_config(parameter, self[parameter[1]]))
    end
    return result
  end
  return class
end
