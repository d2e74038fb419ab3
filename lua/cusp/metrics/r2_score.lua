--- The coefficient of determination: 1 for exact predictions, 0 if they are only as good as the
-- mean.
-- @classmod cusp.metrics.R2Score
-- @tparam[opt="uniform_average"] string class_aggregation `"uniform_average"`,
-- `"variance_weighted_average"`, or nil (null) for one
--   score for each output
-- @tparam[opt=0] integer num_regressors if positive, adjusts the score for that many predictors
local Metric = require "cusp.metrics.metric"
local arguments = require "cusp.base.arguments"
local errors = require "cusp.base.errors"
local losses = require "cusp.losses.reduction"
local ops = require "cusp.ops"
local reduction = require "cusp.metrics.reduction"

local R2Score = Metric:extend("R2Score", {
  config = {
    {"class_aggregation", "choice", choices = {"uniform_average", "variance_weighted_average"},
      default = "uniform_average"},
    {"num_regressors", "integer", default = 0, min = 0},
    {"name", "string", default = "r2_score"}, {"dtype", "dtype", optional = true},
  },
})

function R2Score:init(args)
  if self.config == R2Score.config then self:configure(args, R2Score) end
  Metric.init(self, args)
  self.num_samples = self:add_variable{name = "num_samples"}
end

local function build(self, y_true, y_pred)
  if y_true.ndim ~= 2 or y_pred.ndim ~= 2 then
    errors.raise(
      "R2Score: expected targets and predictions of shape [batch, outputs], got shapes %s and %s",
      errors.shape(y_true.shape), errors.shape(y_pred.shape))
  end
  local shape = {y_pred.shape[2]}
  self.squared_sum = self:add_variable{shape = shape, name = "squared_sum"}
  self.sum = self:add_variable{shape = shape, name = "sum"}
  self.total_mse = self:add_variable{shape = shape, name = "residual"}
  self.count = self:add_variable{shape = shape, name = "count"}
end

local bind = arguments.binder("update_state", {
  {"y_true", "tensor"}, {"y_pred", "tensor"}, {"sample_weight", "tensor", optional = true},
})

--- Adds a batch.
function R2Score:update_state(...)
  local y_true, y_pred, weight = bind(...)
  y_true, y_pred = losses.same_rank(reduction.to_tensor(y_true, self.dtype),
    reduction.to_tensor(y_pred, self.dtype))
  if not self.sum then build(self, y_true, y_pred) end
  weight = weight == nil and ops.ones_like(y_true) or reduction.to_tensor(weight, self.dtype)
  if weight.ndim == 1 then weight = ops.expand_dims(weight, 2) end
  weight = ops.broadcast_to(weight, y_true.shape)
  local weighted = y_true * weight
  self.sum:assign_add(ops.sum(weighted, 1))
  self.squared_sum:assign_add(ops.sum(y_true * weighted, 1))
  self.total_mse:assign_add(ops.sum(ops.square(y_true - y_pred) * weight, 1))
  self.count:assign_add(ops.sum(weight, 1))
  self.num_samples:assign_add(y_true.shape[1] * y_true.shape[2])
end

--- A number, or one per output.
function R2Score:result()
  if not self.sum then
    errors.raise("R2Score: call update_state before result; it determines the number of "
      .. "outputs")
  end
  local total = self.squared_sum - self.sum * (self.sum / self.count)
  local scores = 1 - self.total_mse / total
  scores = ops.where(ops.isinf(scores), 0, scores)
  local score = scores
  if self.class_aggregation == "uniform_average" then score = ops.mean(scores)
  elseif self.class_aggregation then score = ops.sum(total * scores) / ops.sum(total) end
  if self.num_regressors == 0 then return score end
  -- With as many predictors as samples the adjustment is undefined, so the plain score is kept.
  local freedom = self.num_samples - self.num_regressors - 1
  local adjusted = 1 - (1 - score) * (self.num_samples - 1) / ops.maximum(freedom, 1)
  return ops.where(ops.greater(freedom, 0), adjusted, score)
end

return R2Score
