--- One value up to and including the first boundary, the next up to the second, and so on.
-- @classmod cusp.optimizers.schedules.PiecewiseConstantDecay
-- @tparam table boundaries steps in ascending order
-- @tparam table values one more than there are boundaries
local Schedule = require "cusp.optimizers.schedules.learning_rate_schedule"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local PiecewiseConstantDecay = Schedule:extend("PiecewiseConstantDecay", {
  config = {{"boundaries", "list"}, {"values", "list"},
    {"name", "string", default = "PiecewiseConstant"}},
  first_is_list = false,
})

function PiecewiseConstantDecay:init(args)
  self:configure(arguments.wrap(PiecewiseConstantDecay, args), PiecewiseConstantDecay)
  if #self.values ~= #self.boundaries + 1 then
    errors.raise(
      "PiecewiseConstantDecay: expected one value more than boundaries, got %d boundaries and %d "
      .. "values", #self.boundaries,
      #self.values)
  end
end

function PiecewiseConstantDecay:call(step)
  local rate = engine.tensor(self.values[#self.values], {dtype = step.dtype})
  for i = #self.boundaries, 1, -1 do
    rate = ops.where(ops.less_equal(step, self.boundaries[i]), self.values[i], rate)
  end
  return rate
end

return PiecewiseConstantDecay
