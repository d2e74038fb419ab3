--- Label smoothing: moves part of each target's certainty evenly to all classes.
-- @module cusp.losses.smoothing
local smoothing = {}

smoothing.parameter = {"label_smoothing", "number", min = 0, max = 1, default = 0.0}

--- One-hot (or probability) targets over the classes of the last axis.
function smoothing.categorical(y_true, amount)
  if amount == 0 then return y_true end
  local classes = y_true.shape[y_true.ndim]
  return y_true * (1 - amount) + amount / classes
end

--- Targets of 0 and 1.
function smoothing.binary(y_true, amount)
  if amount == 0 then return y_true end
  return y_true * (1 - amount) + 0.5 * amount
end

return smoothing
