--- Callbacks: hooks into training, testing and prediction.
-- @module cusp.callbacks
local namespace = require "cusp.base.namespace"

return namespace.new("cusp.callbacks", {
  BackupAndRestore = "backup_and_restore", CSVLogger = "csv_logger", Callback = "callback",
  CallbackList = "callback_list",
  EarlyStopping = "early_stopping", History = "history", LambdaCallback = "lambda_callback",
  LearningRateScheduler = "learning_rate_scheduler", ModelCheckpoint = "model_checkpoint",
  MonitorCallback = "monitor_callback",
  ProgbarLogger = "progbar_logger", ReduceLROnPlateau = "reduce_lr_on_plateau",
  RemoteMonitor = "remote_monitor",
  SwapEMAWeights = "swap_ema_weights", TensorBoard = "tensorboard",
  TerminateOnNaN = "terminate_on_nan",
})
