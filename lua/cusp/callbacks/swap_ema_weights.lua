--- Replaces the weights with the moving averages that an optimizer with `use_ema = true` keeps. It
-- does so during testing and prediction, and, with `swap_on_epoch`, from the end of an epoch to the
-- beginning of the next, so that later callbacks save the averages.
-- @classmod cusp.callbacks.SwapEMAWeights
-- @tparam[opt=false] boolean swap_on_epoch
local Callback = require "cusp.callbacks.callback"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local whole = require "cusp.base.whole"

local SwapEMAWeights = Callback:extend("SwapEMAWeights",
  {config = {{"swap_on_epoch", "boolean", default = false}}})

function SwapEMAWeights:init(args)
  self:configure(args)
  self.swapped = false
end

-- The trained variables and their averages.
local function pairs_of(self)
  local optimizer = self.model.optimizer
  optimizer = optimizer and optimizer.inner_optimizer or optimizer
  if not (optimizer and optimizer.use_ema) then
    errors.raise(
      "SwapEMAWeights must be used when `use_ema = true` is set on the optimizer, got use_ema = "
      .. "false")
  end
  optimizer:ensure_built(self.model.trainable_variables)
  local variables, averages = {}, {}
  for i, variable in ipairs(optimizer.__own.trainable_variables) do
    local average = optimizer.__own.averages[i]
    if average then variables[#variables + 1], averages[#averages + 1] = variable, average end
  end
  return variables, averages
end

local function exchange(self, wanted)
  local variables, averages = pairs_of(self)
  local all, values, count = table.move(averages, 1, #averages, #variables + 1,
    table.move(variables, 1, #variables, 1, {})), {}, #variables
  for i, variable in ipairs(all) do values[(i - 1 + count) % (2 * count) + 1] = variable.value end
  engine.assign_all(all, values)
  self.swapped = wanted
end

local function swap(self, wanted)
  if self.swapped ~= wanted then whole.with({self}, exchange, self, wanted) end
end

function SwapEMAWeights:on_epoch_begin() swap(self, false) end

function SwapEMAWeights:on_epoch_end()
  if self.swap_on_epoch then swap(self, true) end
end

--- After the last epoch, the optimizer assigns the averages to the model; this is correct only if
-- they are not swapped already.
function SwapEMAWeights:settle() swap(self, false) end

function SwapEMAWeights:on_test_begin() swap(self, true) end

function SwapEMAWeights:on_test_end() swap(self, false) end

function SwapEMAWeights:on_predict_begin() swap(self, true) end

function SwapEMAWeights:on_predict_end() swap(self, false) end

function SwapEMAWeights:abandon() swap(self, false) end

return SwapEMAWeights
