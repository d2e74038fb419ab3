--- Saves the model, or its weights, after each epoch or after a number of batches.
-- @classmod cusp.callbacks.ModelCheckpoint
-- @tparam string filepath the file; replacement fields as in Python's format strings take the epoch
-- (from 1), the batch, and values of `logs`: "best-{epoch:02d}-{val_loss:.2f}.keras". Models are
-- saved as ".keras" or ".h5"; weights as ".weights.h5", ".h5", or, under any other name, as a
-- TensorFlow checkpoint
-- @tparam[opt="val_loss"] string monitor name of the value that decides which model is best
-- @tparam[opt=0] integer verbose 1: print a message for each save
-- @tparam[opt=false] boolean save_best_only whether to save only if the model is better than all
-- before
-- @tparam[opt=false] boolean save_weights_only
-- @tparam[opt="auto"] string mode "min", "max" or "auto"
-- @param[opt="epoch"] save_freq "epoch", or a number of batches
-- @tparam[opt] number initial_value_threshold the value that the first saved model has to beat
local MonitorCallback = require "cusp.callbacks.monitor_callback"
local errors = require "cusp.base.errors"
local frequency = require "cusp.callbacks.save_frequency"
local plain = require "cusp.base.plain"
local progress = require "cusp.base.progress"
local python = require "cusp.callbacks.python_format"
local warnings = require "cusp.base.warnings"

local ModelCheckpoint = MonitorCallback:extend("ModelCheckpoint", {
  writes = true,
  saves_weights = true,
  config = {
    {"filepath", "string"}, {"monitor", "string", default = "val_loss"},
    {"verbose", "verbosity", default = 0},
    {"save_best_only", "boolean", default = false},
    {"save_weights_only", "boolean", default = false},
    {"mode", "any", default = "auto"}, {"save_freq", "save_frequency", default = "epoch"},
    {"initial_value_threshold", "number", optional = true},
  },
})

local model_endings = {".keras", ".h5", ".hdf5"}

local function check_ending(self)
  if self.save_weights_only then return end
  for _, ending in ipairs(model_endings) do
    if self.filepath:sub(-#ending) == ending then return end
  end
  errors.raise(
    "ModelCheckpoint: filepath should end in .keras (Keras's format) or .h5, got %q; weights "
    .. "alone, "
    .. "save_weights_only = true, can go to other names", self.filepath)
end

function ModelCheckpoint:init(args)
  MonitorCallback.init(self, args)
  if self.filepath == "" then errors.raise("ModelCheckpoint: filepath is empty") end
  check_ending(self)
  self.best = self.initial_value_threshold
  if self.save_freq ~= "epoch" then
    self.counter = frequency.new()
    self.on_train_batch_end = function(_, batch, logs)
      if frequency.due(self.counter, batch, self.save_freq) then
        self:save(self.current_epoch, batch, logs)
      end
    end
  end
end

function ModelCheckpoint:on_epoch_begin(epoch) self.current_epoch = epoch end

function ModelCheckpoint:on_epoch_end(epoch, logs)
  if self.save_freq == "epoch" then self:save(epoch, nil, logs) end
end

local function path_for(self, epoch, batch, logs)
  local values = {epoch = epoch, batch = batch}
  for name, value in pairs(logs) do values[name] = value end
  return python.fill("ModelCheckpoint: filepath", self.filepath, values)
end

local function show_best(best) return best and plain.format("%.5f", best) or "None" end

local function is_best(self, epoch, logs, path)
  local current = self:value(logs)
  if current == nil then
    warnings.warn("Can save best model only with %s available; available metrics are: %s",
      self.monitor, self:available(logs))
    return true
  end
  if type(current) ~= "number" then
    warnings.warn(
      "Can save best model only when `monitor` is a scalar value, got %s. Falling back to "
      .. "`save_best_only = false`.",
      errors.describe(current))
    return true
  end
  local better = self:improves(current, self.best)
  if self.verbose > 0 and better then
    progress.say("\nEpoch %d: %s improved from %s to %.5f, saving model to %s", epoch, self.monitor,
      show_best(self.best), current, path)
  elseif self.verbose > 0 then
    progress.say("\nEpoch %d: %s did not improve from %s", epoch, self.monitor,
      show_best(self.best))
  end
  return better, current
end

local function write(self, path)
  local files = require("cusp.engine").files
  if files.is_directory(path) then
    errors.raise("ModelCheckpoint: filepath should be a file; %s is a folder", path)
  end
  local folder = path:match "^(.+)/[^/]*$"
  if folder then files.make_directories(folder) end
  if self.save_weights_only then self.model:save_weights(path) else self.model:save(path) end
end

--- Saves now, if the model should be saved.
-- @tparam integer epoch
-- @tparam[opt] integer batch
-- @tparam table logs
-- @raise if the file cannot be written; the old file remains
function ModelCheckpoint:save(epoch, batch, logs)
  logs = logs or {}
  local path, value = path_for(self, epoch, batch, logs), nil
  if self.save_best_only then
    local wanted
    wanted, value = is_best(self, epoch, logs, path)
    if not wanted then return end
  elseif self.verbose > 0 then
    progress.say("\nEpoch %d: saving model to %s", epoch, path)
  end
  write(self, path)
  -- Only a saved model counts as the best so far.
  if value then self.best = value end
  if self.verbose > 0 then progress.say("\nEpoch %d: finished saving model to %s", epoch, path) end
end

return ModelCheckpoint
