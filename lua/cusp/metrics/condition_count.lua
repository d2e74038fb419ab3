--- Counts one kind of decision at one or several thresholds.
-- @module cusp.metrics.condition_count
local Metric = require "cusp.metrics.metric"
local arguments = require "cusp.base.arguments"
local confusion = require "cusp.metrics.confusion"

local bind = arguments.binder("update_state", {
  {"y_true", "tensor"}, {"y_pred", "tensor"}, {"sample_weight", "tensor", optional = true},
})

--- Makes the class of a count.
-- @tparam string name of the class
-- @tparam string count "tp", "fp", "tn" or "fn"
-- @treturn table
return function(name, count)
  local class = Metric:extend(name, {
    config = {{"thresholds", "any", optional = true}, {"name", "string", optional = true},
      {"dtype", "dtype", optional = true}},
  })

  function class:init(args)
    if self.config == class.config then self:configure(args, class) end
    Metric.init(self, args)
    self.limits = confusion.parse_thresholds(self.__name, self.thresholds, 0.5)
    self.accumulator = self:add_variable{shape = {#self.limits}, name = "accumulator"}
  end

  --- Adds a batch.
  function class:update_state(...)
    local y_true, y_pred, weight = bind(...)
    confusion.update({[count] = self.accumulator}, y_true, y_pred, {
      thresholds = self.limits, even = confusion.is_even(self.limits), sample_weight = weight,
      dtype = self.dtype,
    })
  end

  --- A number, or one per threshold if there are several.
  function class:result()
    local value = self.accumulator.value
    return #self.limits == 1 and value:reshape{} or value
  end

  return class
end
