--- The base of callbacks: every hook, doing nothing.
-- Epochs and batches count from 1. `logs` is a table of numbers by name; what a callback adds to it, the callbacks after it and
-- the history see. `self.model` is the model and `self.params` a table with `epochs`, `steps` and `verbose`.
-- A plain table with some of these functions in it is a callback too.
-- @classmod cusp.callbacks.Callback
-- @usage local Stopwatch = callbacks.Callback:extend "Stopwatch"
--   function Stopwatch:on_epoch_begin(epoch) self.started = cusp.time() end
--   function Stopwatch:on_epoch_end(epoch, logs) logs.seconds = cusp.time() - self.started end
local Object = require "cusp.class"

local Callback = Object:extend("Callback", {
  init = function() end,
})

--- The hooks in the order of a run; those of batches last.
Callback.hooks = {
  "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end",
  "on_test_begin", "on_test_end", "on_predict_begin", "on_predict_end",
  "on_train_batch_begin", "on_train_batch_end", "on_test_batch_begin", "on_test_batch_end",
  "on_predict_batch_begin", "on_predict_batch_end", "on_batch_begin", "on_batch_end",
}

for _, hook in ipairs(Callback.hooks) do
  Callback[hook] = function() end
end

function Callback:set_model(model) self.model = model end

function Callback:set_params(params) self.params = params end

return Callback
