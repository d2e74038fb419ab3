--- Callbacks: what is called while a model trains, is tested, or predicts.
-- @module cusp.callbacks
local files = {
  BackupAndRestore = "backup_and_restore", CSVLogger = "csv_logger", Callback = "callback", CallbackList = "callback_list",
  EarlyStopping = "early_stopping", History = "history", LambdaCallback = "lambda_callback",
  LearningRateScheduler = "learning_rate_scheduler", ModelCheckpoint = "model_checkpoint", MonitorCallback = "monitor_callback",
  ProgbarLogger = "progbar_logger", ReduceLROnPlateau = "reduce_lr_on_plateau", RemoteMonitor = "remote_monitor",
  SwapEMAWeights = "swap_ema_weights", TensorBoard = "tensorboard", TerminateOnNaN = "terminate_on_nan",
}

local callbacks = setmetatable({}, {
  __index = function(self, name)
    local file = files[name]
    if not file then return nil end
    local class = require("cusp.callbacks." .. file)
    rawset(self, name, class)
    return class
  end,
})

--- The names that this table has.
function callbacks.names()
  local names = {}
  for name in pairs(files) do names[#names + 1] = name end
  table.sort(names)
  return names
end

return callbacks
