--- The fields of models that training computes when they are asked for.
-- @module cusp.training.properties
local lists = require "cusp.base.lists"

local properties = {}

--- All metrics of the model: of its loss, one named "compile_metrics" that stands for those given
-- to `compile` (its field `metrics`, once the first batch has shown what they are), its layers'.
function properties.metrics(self) return self:public_metrics() end

--- The names under which their results are reported, in order.
function properties.metrics_names(self) return self:metric_result_names() end

--- The variables of all metrics.
function properties.metrics_variables(self)
  return lists.gather(self:list_metrics(), "variables")
end

return properties
