--- Reading and setting an optimizer's learning rate.
-- @module cusp.callbacks.learning_rate
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local learning_rate = {}

--- The current learning rate.
-- @tparam string owner for messages
-- @tparam Model model
-- @treturn number
function learning_rate.get(owner, model)
  local rate = model.optimizer and model.optimizer.learning_rate
  if rate == nil then errors.raise("%s: the model's optimizer has no learning rate", owner) end
  if engine.is_variable(rate) then rate = rate.value end
  return type(rate) == "number" and rate or rate:item()
end

--- Sets it.
-- @raise if the optimizer uses a schedule
function learning_rate.set(model, rate) model.optimizer.learning_rate = rate end

return learning_rate
