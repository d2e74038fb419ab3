--- The base of constraints: called with a weight after each step of the optimizer, they give the
-- value that it shall have instead. A class of one's own defines `call(self, w)`; a plain function
-- of a tensor will do wherever Keras takes a constraint.
-- @classmod cusp.constraints.Constraint
local Object = require "cusp.base.class"

local Constraint = Object:extend "Constraint"
Constraint.__module = "keras.constraints"

--- The projected weight.
-- @tparam tensor w
-- @treturn tensor of the same shape
function Constraint:__call(w)
  return self:call(w)
end

--- Leaves the weight as it is.
function Constraint:call(w) -- luacheck: ignore self
  return w
end

return Constraint
