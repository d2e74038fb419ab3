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

function History:on_train_begin() self.epoch = {} end

function History:on_epoch_end(epoch, logs)
  table.insert(self.epoch, epoch)
  for name, value in pairs(logs or {}) do
    self.history[name] = self.history[name] or {}
    table.insert(self.history[name], value)
  end
end

--- Plots the loss and the metrics: `history:plot "run.png"` (or .svg) to a file, or without a name
-- in the terminal. Takes the arguments of `cusp.plot.history`.
function History:plot(...) return require("cusp.plot").history(self, ...) end

--- `History(3 epochs, accuracy = 0.981, loss = 0.052)`: the values of the last epoch.
function History:__tostring()
  local parts = {}
  for name, values in pairs(self.history) do
    if type(values[#values]) == "number" then
      parts[#parts + 1] = plain.format(", %s = %.4g", name, values[#values])
    end
  end
  plain.sort(parts)
  return ("History(%d epoch%s%s)"):format(#self.epoch, #self.epoch == 1 and "" or "s",
    table.concat(parts))
end

return History
