--- Writes the progress line of fit, evaluate and predict, which add it unless `verbose` is 0.
-- @classmod cusp.callbacks.ProgbarLogger
local Callback = require "cusp.callbacks.callback"
local engine = require "cusp.engine"
local log_names = require "cusp.callbacks.log_names"
local progress = require "cusp.base.progress"

local ProgbarLogger = Callback:extend("ProgbarLogger", {
  init = function(self) self.fitting = false end,
})

local function begin(self, title)
  local params = self.params
  self.verbose = params.verbose == "auto" and 1 or params.verbose or 1
  if title and self.verbose ~= 0 then progress.say("%s", title) end
  self.bar = progress.new{target = params.steps, verbose = self.verbose}
end

-- Validation within fit has no line of its own.
local function shows(self) return self.bar and not (self.fitting and self.testing) end

--- Restarts the clock: earlier work (tracing) was not part of the steps.
-- @tparam[opt=0] integer done steps done before
function ProgbarLogger:restart(done)
  if shows(self) then self.bar.started, self.bar.before = engine.monotonic(), done or 0 end
end

--- Reports that `seen` steps are done. `names` and `logs` are as in the bar's update; functions are
-- called only when needed.
function ProgbarLogger:update(seen, names, logs)
  if shows(self) then self.bar:update(seen, names, logs) end
end

--- Drops the line, so that another run starts a new one.
function ProgbarLogger.get_state() return nil end

--- Ends a line interrupted by an error.
function ProgbarLogger:abandon()
  if self.bar then self.bar:abandon() end
  self.bar, self.fitting, self.testing = nil, false, false
end

local function names_of(self, logs) return log_names(self.order and self.order() or {}, logs) end

local function finish(self, logs)
  if not self.bar then return end
  logs = logs or {}
  self.bar:finish(names_of(self, logs), logs)
  self.bar = nil
end

function ProgbarLogger:on_train_begin() self.fitting = true end

function ProgbarLogger:on_train_end() self.fitting = false end

function ProgbarLogger:on_epoch_begin(epoch)
  local epochs = self.params.epochs
  begin(self, epochs and epochs > 1 and ("Epoch %d/%d"):format(epoch, epochs) or nil)
end

function ProgbarLogger:on_epoch_end(_, logs) finish(self, logs) end

function ProgbarLogger:on_test_begin()
  self.testing = true
  if not self.fitting then begin(self) end
end

function ProgbarLogger:on_test_end(logs)
  self.testing = false
  if not self.fitting then finish(self, logs) end
end

function ProgbarLogger:on_predict_begin() begin(self) end

function ProgbarLogger:on_predict_end() finish(self) end

return ProgbarLogger
