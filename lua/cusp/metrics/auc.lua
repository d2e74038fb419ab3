--- Area under a curve over thresholds: true against false positive rate (ROC), precision against
-- recall (PR), or their gains (PRGAIN).
-- @classmod cusp.metrics.AUC
-- @tparam[opt=200] integer num_thresholds
-- @tparam[opt="ROC"] string curve `"ROC"`, `"PR"` or `"PRGAIN"`
-- @tparam[opt="interpolation"] string summation_method `"interpolation"`, `"minoring"` or
-- `"majoring"`
-- @tparam[opt] string name
-- @tparam[opt] string dtype
-- @tparam[opt] table thresholds instead of evenly spread ones
-- @tparam[opt=false] boolean multi_label whether to compute one area per label, then their mean
-- @tparam[opt] integer num_labels
-- @tparam[opt] table label_weights
-- @tparam[opt=false] boolean from_logits whether predictions are before the sigmoid
local ThresholdCurve = require "cusp.metrics.threshold_curve"
local Metric = require "cusp.metrics.metric"
local arguments = require "cusp.base.arguments"
local config = require "cusp.base.config"
local confusion = require "cusp.metrics.confusion"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local reduction = require "cusp.metrics.reduction"
local plain = require "cusp.base.plain"
local registry = require "cusp.base.registry"

local AUC = ThresholdCurve:extend("AUC", {
  config = {
    {"num_thresholds", "integer", default = 200, min = 2},
    {"curve", "choice", choices = {"ROC", "PR", "PRGAIN", "roc", "pr", "prgain"}, default = "ROC"},
    {"summation_method", "choice", choices = {"interpolation", "minoring", "majoring"},
      default = "interpolation"},
    {"name", "string", optional = true}, {"dtype", "dtype", optional = true},
    {"thresholds", "list", optional = true, omit_default = true},
    {"multi_label", "boolean", default = false},
    {"num_labels", "integer", optional = true, min = 1},
    {"label_weights", "any", optional = true}, {"from_logits", "boolean", default = false},
  },
})

function AUC:init(args)
  if self.config == AUC.config then self:configure(args, AUC) end
  Metric.init(self, args)
  self.curve = plain.upper(self.curve)
  -- a file stores them as a serialised tensor
  self.label_weights = registry.deserialize(self.label_weights)
  if self.num_labels and not self.multi_label then
    errors.raise("AUC: num_labels requires multi_label = true")
  end
  local limits
  if self.thresholds then
    limits = table.move(confusion.parse_thresholds("AUC", self.thresholds), 1, #self.thresholds, 1,
      {})
    plain.sort(limits)
    table.insert(limits, 1, 0.0)
    limits[#limits + 1] = 1.0
    self.num_thresholds = #limits
  else
    errors.check_items(self.name, "num_thresholds", self.num_thresholds)
    limits = confusion.even_thresholds(self.num_thresholds)
  end
  self.even = confusion.is_even(limits)
  -- The outermost thresholds are just outside of 0 and 1, to include predictions of exactly 0 and
  -- 1.
  limits[1], limits[#limits] = -config.epsilon(), 1 + config.epsilon()
  self.limits = limits
  if not self.multi_label then self:make_counts(limits)
  elseif self.num_labels then self:make_counts(limits, self.num_labels) end
end

local bind = arguments.binder("update_state", {
  {"y_true", "tensor"}, {"y_pred", "tensor"}, {"sample_weight", "tensor", optional = true},
})

--- Adds a batch.
function AUC:update_state(...)
  local y_true, y_pred, weight = bind(...)
  y_pred = reduction.to_tensor(y_pred)
  if self.multi_label and y_pred.ndim ~= 2 then
    errors.raise("AUC: multi_label = true expects predictions of shape [batch, labels], got shape "
      .. "%s", errors.shape(y_pred.shape))
  end
  if not self.true_positives then self:make_counts(self.limits, y_pred.shape[2]) end
  if self.from_logits then y_pred = ops.sigmoid(y_pred) end
  confusion.update(self:counts(), y_true, y_pred, {
    thresholds = self.limits, even = self.even, sample_weight = weight,
    multi_label = self.multi_label,
    label_weights = not self.multi_label and self.label_weights or nil, dtype = self.dtype,
  })
end

local function but_last(x) return x:slice{{1, x.shape[1] - 1}} end

local function but_first(x) return x:slice{{2, x.shape[1]}} end

-- The area of each label with `multi_label`, then their (weighted) mean.
local function combine(self, terms)
  if not self.multi_label then return ops.sum(terms) end
  local areas = ops.sum(terms, 1)
  if self.label_weights == nil then return ops.mean(areas) end
  local weights = reduction.to_tensor(self.label_weights, areas.dtype)
  return ops.divide_no_nan(ops.sum(areas * weights), ops.sum(weights))
end

-- Precision is not linear between two points of the curve; the counts are (Davis and Goadrich
-- 2006).
local function interpolated_precision_recall(self)
  local tp, fp, fn = self.true_positives.value, self.false_positives.value,
    self.false_negatives.value
  local p = tp + fp
  local difference_tp, difference_p = but_last(tp) - but_first(tp), but_last(p) - but_first(p)
  local slope = ops.divide_no_nan(difference_tp, ops.maximum(difference_p, 0))
  local intercept = but_first(tp) - slope * but_first(p)
  local both = ops.logical_and(ops.greater(but_last(p), 0), ops.greater(but_first(p), 0))
  local ratio = ops.where(both, ops.divide_no_nan(but_last(p), ops.maximum(but_first(p), 0)), 1)
  local area = slope * (difference_tp + intercept * ops.log(ratio))
  return combine(self, ops.divide_no_nan(area, ops.maximum(but_first(tp) + but_first(fn), 0)))
end

local function gain_curve(self)
  local tp = self.true_positives
  local scale = ops.divide_no_nan(tp + self.false_negatives,
    self.true_negatives + self.false_positives)
  local none = ops.equal(tp, 0)
  local recall = ops.where(none, 0, 1 - scale * ops.divide_no_nan(self.false_negatives, tp))
  local precision = ops.where(none, 1, 1 - scale * ops.divide_no_nan(self.false_positives, tp))
  return ops.maximum(recall, 0), precision
end

function AUC:result()
  if self.curve == "PR" and self.summation_method == "interpolation" then
    return interpolated_precision_recall(self)
  end
  local x, y
  if self.curve == "ROC" then
    x, y = ops.divide_no_nan(self.false_positives, self.false_positives + self.true_negatives),
      self:sensitivities()
  elseif self.curve == "PR" then
    x, y = self:sensitivities(), self:precisions()
  else
    x, y = gain_curve(self)
  end
  local first, second = but_last(y), but_first(y)
  local heights
  if self.summation_method == "interpolation" then heights = (first + second) / 2
  elseif self.summation_method == "minoring" then heights = ops.minimum(first, second)
  else heights = ops.maximum(first, second) end
  return combine(self, (but_last(x) - but_first(x)) * heights)
end

return AUC
