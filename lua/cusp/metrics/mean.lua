--- The (weighted) mean of all values.
-- @classmod cusp.metrics.Mean
local Metric = require "cusp.metrics.metric"
local arguments = require "cusp.base.arguments"
local ops = require "cusp.ops"
local reduction = require "cusp.metrics.reduction"

local Mean = Metric:extend("Mean", {
  config = {{"name", "string", default = "mean"}, {"dtype", "dtype", optional = true}},
})

function Mean:init(args)
  if self.config == Mean.config then self:configure(args, Mean) end
  Metric.init(self, args)
  self.total = self:add_variable{name = "total"}
  self.count = self:add_variable{name = "count"}
end

local bind = arguments.binder("update_state",
  {{"values", "tensor"}, {"sample_weight", "tensor", optional = true}})

--- Adds values `[batch]` or `[batch, ...]` (each sample counts once, with the mean of its values),
-- or a single one.
-- @param values tensor
-- @param[opt] sample_weight
function Mean:update_state(...)
  local values, weight = bind(...)
  values, weight = reduction.samplewise(values, weight, ops.mean, self.dtype)
  self.total:assign_add(ops.sum(values))
  if weight ~= nil then
    self.count:assign_add(ops.sum(weight))
  else
    self.count:assign_add(values.ndim >= 1 and values.shape[1] or 1)
  end
end

function Mean:result() return ops.divide_no_nan(self.total, self.count) end

return Mean
