--- The base of callbacks: defines every hook, with no effect. Epochs and batches count from 1.
-- `logs` is a table of numbers by name; later callbacks and the history see what a callback adds to
-- it. `self.model` is the model, and `self.params` a table with `epochs`, `steps` and `verbose`. A
-- plain table of hook functions is a callback too.
--
-- A hook may set the learning rate (`self.model.optimizer.learning_rate = 0.01`), save, or end the
-- run (`self.model.stop_training = true`; `stop_evaluating`, `stop_predicting`). Layers that it
-- freezes stay trainable until the next `compile`, as in Keras; `fit` warns about that. An error in
-- a hook ends the run and names the callback and the hook. The model then keeps its last complete
-- step, and you can train it further.
--
-- Besides Keras's hooks there are `abandon(self)`, called instead of `on_train_end` if an error or
-- Ctrl-C ends the run, and `get_state(self)` and `set_state(self, state)`. With these,
-- BackupAndRestore carries the state of a callback over a restart. By default the state is all
-- fields that are plain data or tensors, except constructor arguments.
-- @classmod cusp.callbacks.Callback
-- @usage local Stopwatch = callbacks.Callback:extend "Stopwatch"
--   function Stopwatch:on_epoch_begin(epoch) self.started = cusp.time() end
--   function Stopwatch:on_epoch_end(epoch, logs) logs.seconds = cusp.time() - self.started end
local Object = require "cusp.base.class"
local kinds = require "cusp.base.kinds"

kinds.define("verbosity", {
  check = function(value)
    if type(value) == "boolean" then return true, value and 1 or 0 end
    return value == 0 or value == 1 or value == 2
  end,
  expects = "0, 1 or 2",
})

kinds.define("save_frequency", {
  check = function(value)
    local batches = type(value) == "number" and math.tointeger(value)
    return value == "epoch" or batches and batches >= 1, batches or nil
  end,
  expects = "\"epoch\" or a positive number of batches",
})

local Callback = Object:extend("Callback", {
  init = function() end,
})

--- The hooks in the order of a run; batch hooks last.
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
