--- The base of Precision and Recall: true positives relative to one kind of error.
-- @module cusp.metrics.precision_recall
local Metric = require "cusp.metrics.metric"
local arguments = require "cusp.base.arguments"
local confusion = require "cusp.metrics.confusion"
local ops = require "cusp.ops"

local bind = arguments.binder("update_state", {
  {"y_true", "tensor"}, {"y_pred", "tensor"}, {"sample_weight", "tensor", optional = true},
})

--- Makes the class.
-- @tparam string name
-- @tparam string mistake the count to compare true positives with, "fp" or "fn"
-- @tparam string mistake_name of its variable
return function(name, mistake, mistake_name)
  local class = Metric:extend(name, {
    config = {
      {"thresholds", "any", optional = true}, {"top_k", "integer", optional = true, min = 1},
      {"class_id", "integer", optional = true, min = 0}, {"name", "string", optional = true},
      {"dtype", "dtype", optional = true},
    },
  })

  function class:init(args)
    if self.config == class.config then self:configure(args, class) end
    Metric.init(self, args)
    self.limits = confusion.parse_thresholds(self.__name, self.thresholds,
      self.top_k and confusion.lowest or 0.5)
    self.true_positives = self:add_variable{shape = {#self.limits}, name = "true_positives"}
    self.mistakes = self:add_variable{shape = {#self.limits}, name = mistake_name}
  end

  --- Adds a batch.
  function class:update_state(...)
    local y_true, y_pred, weight = bind(...)
    confusion.update({tp = self.true_positives, [mistake] = self.mistakes}, y_true, y_pred, {
      thresholds = self.limits, even = confusion.is_even(self.limits), top_k = self.top_k,
      class_id = self.class_id,
      sample_weight = weight, dtype = self.dtype,
    })
  end

  --- A number, or one per threshold if there are several.
  function class:result()
    local ratio = ops.divide_no_nan(self.true_positives, self.true_positives + self.mistakes)
    return #self.limits == 1 and ratio:reshape{} or ratio
  end

  return class
end
