--- The (weighted) sum of all values.
-- @classmod cusp.metrics.Sum
local Metric = require "cusp.metrics.metric"
local arguments = require "cusp.base.arguments"
local ops = require "cusp.ops"
local reduction = require "cusp.metrics.reduction"

local Sum = Metric:extend("Sum", {
  config = {{"name", "string", default = "sum"}, {"dtype", "dtype", optional = true}},
})

function Sum:init(args)
  if self.config == Sum.config then self:configure(args, Sum) end
  Metric.init(self, args)
  self.total = self:add_variable{name = "total"}
end

local bind = arguments.binder("update_state",
  {{"values", "tensor"}, {"sample_weight", "tensor", optional = true}})

--- Adds values.
-- @param values tensor
-- @param[opt] sample_weight
function Sum:update_state(...)
  local values, weight = bind(...)
  values = reduction.samplewise(values, weight, ops.sum, self.dtype)
  self.total:assign_add(ops.sum(values))
end

function Sum:result() return self.total.value end

return Sum
