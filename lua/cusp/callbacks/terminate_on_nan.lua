--- Stops training at the first batch whose loss is not finite.
-- @classmod cusp.callbacks.TerminateOnNaN
-- @tparam[opt=false] boolean raise_error whether to raise an error
local Callback = require "cusp.callbacks.callback"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local progress = require "cusp.base.progress"

local TerminateOnNaN = Callback:extend("TerminateOnNaN",
  {config = {{"raise_error", "boolean", default = false}}})

--- Messages count batches from 0, as in Keras.
function TerminateOnNaN:on_batch_end(batch, logs)
  local loss = logs and logs.loss
  if type(loss) ~= "number" or loss - loss == 0 then return end
  if self.raise_error then
    errors.raise(
      "NaN or Inf loss encountered at batch %d. Loss value: %s. Terminating training immediately.",
      batch - 1,
        plain.tostring(loss))
  end
  progress.say("Batch %d: Invalid loss, terminating training", batch - 1)
  self.model.stop_training = true
end

return TerminateOnNaN
