--- When to save: after each epoch, or after a number of batches, counted across epochs. Defines the
-- argument kinds "save_frequency" and "verbosity", which several callbacks share.
-- @module cusp.callbacks.save_frequency
local frequency = {}

--- A counter of batches.
-- @treturn table plain data
function frequency.new() return {seen = 0, last = 0} end

--- Counts the batches up to this one; a step may run several at once.
-- @tparam table counter
-- @tparam integer batch of its epoch, from 1
-- @tparam integer every
-- @treturn boolean whether `every` batches have passed since the last time
function frequency.due(counter, batch, every)
  counter.seen = counter.seen + (batch <= counter.last and batch or batch - counter.last)
  counter.last = batch
  if counter.seen < every then return false end
  counter.seen = 0
  return true
end

return frequency
