--- The base of constraints. They are called with a weight after each optimizer step and return its
-- new value. Your own class defines `call(self, w)`; a plain function of a tensor works wherever
-- Keras takes a constraint.
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

--- Returns the weight unchanged.
function Constraint:call(w) -- luacheck: ignore self
  return w
end

return Constraint
