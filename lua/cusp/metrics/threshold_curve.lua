--- The base of metrics over a curve of thresholds: the four counts at evenly spaced thresholds.
-- @classmod cusp.metrics.ThresholdCurve
local Metric = require "cusp.metrics.metric"
local arguments = require "cusp.base.arguments"
local confusion = require "cusp.metrics.confusion"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local ThresholdCurve = Metric:extend("ThresholdCurve")

--- Creates the counts.
-- @tparam table limits thresholds
-- @tparam[opt] integer labels number of labels, if each is counted separately
function ThresholdCurve:make_counts(limits, labels)
  self.limits = limits
  local shape = {#limits, labels}
  for _, name in ipairs{"true_positives", "false_positives", "true_negatives", "false_negatives"} do
    self[name] = self:add_variable{shape = shape, name = name}
  end
end

--- The counts by their short names.
function ThresholdCurve:counts()
  return {tp = self.true_positives, fp = self.false_positives, tn = self.true_negatives,
    fn = self.false_negatives}
end

local bind = arguments.binder("update_state", {
  {"y_true", "tensor"}, {"y_pred", "tensor"}, {"sample_weight", "tensor", optional = true},
})

--- Adds a batch.
function ThresholdCurve:update_state(...)
  local y_true, y_pred, weight = bind(...)
  confusion.update(self:counts(), y_true, y_pred, {
    thresholds = self.limits, even = #self.limits > 1, class_id = self.class_id,
    sample_weight = weight, dtype = self.dtype,
  })
end

local function ratio(a, b) return ops.divide_no_nan(a, a + b) end

function ThresholdCurve:sensitivities() return ratio(self.true_positives, self.false_negatives) end

function ThresholdCurve:specificities() return ratio(self.true_negatives, self.false_positives) end

function ThresholdCurve:precisions() return ratio(self.true_positives, self.false_positives) end

--- Makes a class that reports the best value of one ratio where another is at least a given value.
-- @tparam table definition `class`; `value`: name of the argument; `constrained`, `maximised`:
-- names of methods above
function ThresholdCurve.define(definition)
  local class = ThresholdCurve:extend(definition.class, {
    config = {
      {definition.value, "number", min = 0, max = 1},
      {"num_thresholds", "integer", default = 200, min = 1},
      {"class_id", "integer", optional = true, min = 0}, {"name", "string", optional = true},
      {"dtype", "dtype", optional = true},
    },
  })
  function class:init(args)
    if self.config == class.config then self:configure(args, class) end
    Metric.init(self, args)
    errors.check_items(self.name, "num_thresholds", self.num_thresholds)
    self:make_counts(self.num_thresholds == 1 and {0.5}
      or confusion.even_thresholds(self.num_thresholds))
  end
  function class:result()
    local feasible = ops.greater_equal(self[definition.constrained](self), self[definition.value])
    return ops.max(ops.where(feasible, self[definition.maximised](self), 0))
  end
  return class
end

return ThresholdCurve
