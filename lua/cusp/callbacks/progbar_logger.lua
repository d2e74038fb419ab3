--- Writes the progress line of fit, evaluate and predict. Added by them unless `verbose` is 0.
-- @classmod cusp.callbacks.ProgbarLogger
local Callback = require "cusp.callbacks.callback"
local engine = require "cusp.engine"
local progress = require "cusp.training.progress"

local ProgbarLogger = Callback:extend("ProgbarLogger", {
  init = function(self) self.fitting = false end,
})

local function begin(self, title)
  local params = self.params
  self.verbose = params.verbose == "auto" and 1 or params.verbose or 1
  if title and self.verbose ~= 0 then io.stdout:write(title, "\n"):flush() end
  self.bar = progress.new { target = params.steps, verbose = self.verbose }
end

-- Validation within fit has no line of its own.
local function shows(self) return self.bar and not (self.fitting and self.testing) end

--- Starts the clock again: what came before (tracing) was not part of the steps.
function ProgbarLogger:restart()
  if shows(self) then self.bar.started = engine.monotonic() end
end

--- Says that `seen` steps are done. `names` and `logs` are as of the bar's update, asked only when they are shown.
function ProgbarLogger:update(seen, names, logs)
  if shows(self) then self.bar:update(seen, names, logs) end
end

--- Ends a line left in the middle by an error.
function ProgbarLogger:abandon()
  if self.bar then self.bar:abandon() end
end

local function names_of(self, logs)
  local names, known = {}, {}
  for i, name in ipairs(self.order and self.order() or {}) do names[i], known[name] = name, true end
  local others = {}
  for name in pairs(logs) do
    if not known[name] then others[#others + 1] = name end
  end
  -- Values that the model does not list by itself: its validation's in the same order, then the callbacks', sorted.
  table.sort(others)
  for _, name in ipairs(names) do
    if logs["val_" .. name] ~= nil then known["val_" .. name] = true end
  end
  for i = 1, #names do
    if known["val_" .. names[i]] then names[#names + 1] = "val_" .. names[i] end
  end
  for _, name in ipairs(others) do
    if not known[name] then names[#names + 1] = name end
  end
  return names
end

local function finish(self, logs)
  logs = logs or {}
  self.bar:finish(names_of(self, logs), logs)
  self.bar = nil
end

function ProgbarLogger:on_train_begin() self.fitting = true end

function ProgbarLogger:on_train_end() self.fitting = false end

function ProgbarLogger:on_epoch_begin(epoch)
  local epochs = self.params.epochs
  begin(self, epochs > 1 and ("Epoch %d/%d"):format(epoch, epochs) or nil)
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
