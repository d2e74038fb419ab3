--- F-beta score: the harmonic mean of precision and recall, with recall `beta` times as important.
-- Targets are one-hot `[batch, classes]`.
-- @classmod cusp.metrics.FBetaScore
-- @tparam[opt] string average nil (a score for each class), `"micro"`, `"macro"` or `"weighted"`
-- @tparam[opt=1] number beta
-- @tparam[opt] number threshold predictions above it count as positive; nil: only the largest one
local Metric = require "cusp.metrics.metric"
local arguments = require "cusp.base.arguments"
local config = require "cusp.base.config"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local reduction = require "cusp.metrics.reduction"

local FBetaScore = Metric:extend("FBetaScore", {
  config = {
    {"average", "choice", choices = {"micro", "macro", "weighted"}, optional = true},
    {"beta", "number", default = 1.0, above = 0},
    {"threshold", "number", optional = true, above = 0, max = 1},
    {"name", "string", default = "fbeta_score"}, {"dtype", "dtype", optional = true},
  },
})

FBetaScore.beta = 1.0

local function build(self, y_true, y_pred)
  if y_true.ndim ~= 2 or y_pred.ndim ~= 2 then
    errors.raise(
      "%s: expected targets and predictions of shape [batch, classes], got shapes %s and %s",
      self.__name,
      errors.shape(y_true.shape), errors.shape(y_pred.shape))
  end
  local shape = self.average ~= "micro" and {y_pred.shape[2]} or {}
  for _, name in ipairs{"true_positives", "false_positives", "false_negatives",
    "intermediate_weights"} do
    self[name] = self:add_variable{shape = shape, name = name}
  end
end

local bind = arguments.binder("update_state", {
  {"y_true", "tensor"}, {"y_pred", "tensor"}, {"sample_weight", "tensor", optional = true},
})

--- Adds a batch.
function FBetaScore:update_state(...)
  local y_true, y_pred, weight = bind(...)
  y_true, y_pred = reduction.to_tensor(y_true, self.dtype), reduction.to_tensor(y_pred, self.dtype)
  if not self.true_positives then build(self, y_true, y_pred) end
  local chosen
  if self.threshold then
    chosen = ops.greater(y_pred, self.threshold)
  else
    chosen = ops.logical_and(ops.greater_equal(y_pred, ops.max(y_pred, -1, true)),
      ops.greater(ops.abs(y_pred), 1e-9))
  end
  chosen = ops.cast(chosen, self.dtype)
  if weight ~= nil then weight = ops.expand_dims(reduction.to_tensor(weight, self.dtype), 2) end
  local axis = self.average ~= "micro" and 1 or nil
  local function total(values)
    if weight ~= nil then values = values * weight end
    return ops.sum(values, axis)
  end
  self.true_positives:assign_add(total(chosen * y_true))
  self.false_positives:assign_add(total(chosen * (1 - y_true)))
  self.false_negatives:assign_add(total((1 - chosen) * y_true))
  self.intermediate_weights:assign_add(total(y_true))
end

--- One score per class, or their average.
function FBetaScore:result()
  if not self.true_positives then
    errors.raise(
      "%s: call update_state before result; it determines the number of classes",
      self.__name)
  end
  local epsilon, beta_squared = config.epsilon(), self.beta * self.beta
  local precision = self.true_positives / (self.true_positives + self.false_positives + epsilon)
  local recall = self.true_positives / (self.true_positives + self.false_negatives + epsilon)
  local score = precision * recall / (precision * beta_squared + recall + epsilon)
    * (1 + beta_squared)
  if self.average == "weighted" then
    return ops.sum(score * (self.intermediate_weights
      / (ops.sum(self.intermediate_weights) + epsilon)))
  end
  return self.average and ops.mean(score) or score
end

return FBetaScore
