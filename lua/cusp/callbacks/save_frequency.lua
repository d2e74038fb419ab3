--- When to save: after each epoch, or every so many batches, counted on from epoch to epoch.
-- Defines the kinds of arguments that callbacks share: "save_frequency" and "verbosity".
-- @module cusp.callbacks.save_frequency
local frequency = {}

--- A counter of batches.
-- @treturn table plain data
function frequency.new() return {seen = 0, last = 0} end

--- Counts the batches up to this one; several at once where a step runs several.
-- @tparam table counter
-- @tparam integer batch of its epoch, from 1
-- @tparam integer every
-- @treturn boolean whether that many were seen since it last was
function frequency.due(counter, batch, every)
  counter.seen = counter.seen + (batch <= counter.last and batch or batch - counter.last)
  counter.last = batch
  if counter.seen < every then return false end
  counter.seen = 0
  return true
end

return frequency
