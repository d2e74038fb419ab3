--- Records the logs of each epoch: `history.history.loss` is the list of losses, `history.epoch`
-- the epoch numbers (from 1). `fit` returns the history of its run.
-- @classmod cusp.callbacks.History
local Callback = require "cusp.callbacks.callback"
local plain = require "cusp.base.plain"

local History = Callback:extend("History", {
  init = function(self)
    self.history, self.epoch = {}, {}
  end,
})

-- Where runs stand: history → {epoch =, first = steps before it}; where one ended early, its text.
-- Not fields, which BackupAndRestore would keep.
local places = setmetatable({}, {__mode = "k"})
local ended = setmetatable({}, {__mode = "k"})
local latest = setmetatable({}, {__mode = "v"})

local function steps_of(self)
  local optimizer = self.model and self.model.optimizer
  return optimizer and math.tointeger(optimizer.iterations:item()) or nil
end

local function place_text(self)
  local place, params = places[self], self.params or {}
  local text = ("stopped in epoch %d"):format(place and place.epoch or 1)
  if params.epochs then text = plain.format("%s of %d", text, params.epochs) end
  local steps = steps_of(self)
  if not steps or not place or not place.first then return text end
  text = plain.format("%s after step %d", text, steps - place.first)
  return params.steps and plain.format("%s of %d", text, params.steps) or text
end

function History:on_train_begin()
  self.epoch = {}
  ended[self] = nil
end

function History:on_epoch_begin(epoch)
  places[self] = {epoch = epoch, first = steps_of(self)}
end

--- Notes where an error or Ctrl-C ended the run.
-- @local
function History:abandon()
  ended[self] = place_text(self)
  latest[1] = self
end

--- The history of the run that was ended last by an error or Ctrl-C; asked once.
-- @treturn ?History
-- @local
function History.interrupted()
  local found = latest[1]
  latest[1] = nil
  return found
end

function History:on_epoch_end(epoch, logs)
  table.insert(self.epoch, epoch)
  for name, value in pairs(logs or {}) do
    self.history[name] = self.history[name] or {}
    table.insert(self.history[name], value)
  end
end

--- Plots the loss and the metrics: `history:plot "run.png"` (or .svg) to a file, or without a name
-- in the terminal.
-- @param[opt] to_file, metrics, title, yscale, width, height, dpi as for `cusp.plot.history`
-- @treturn History
function History:plot(...) return require("cusp.plot").history(self, ...) end

--- `History(3 epochs, accuracy = 0.981, loss = 0.052)`: the values of the last epoch, and where
-- the run stopped if an error or Ctrl-C ended it.
function History:__tostring()
  local parts = {}
  for name, values in pairs(self.history) do
    if type(values[#values]) == "number" then
      parts[#parts + 1] = plain.format(", %s = %.4g", name, values[#values])
    end
  end
  plain.sort(parts)
  if ended[self] then parts[#parts + 1] = ", " .. ended[self] end
  return ("History(%d epoch%s%s)"):format(#self.epoch, #self.epoch == 1 and "" or "s",
    table.concat(parts))
end

return History
