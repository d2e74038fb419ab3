--- Which buffers are needed when, and so which may share their place.
-- @module cusp.export_c.lifetimes
local arrays = require "cusp.export_c.arrays"
local places = require "cusp.export_c.places"

local lifetimes = {}

local function sources_of(item)
  if item.step then return item.step.parameters end
  return item.array and item.array.source and {item.array.source} or {}
end

local function note_uses(items)
  for index, item in ipairs(items) do
    for _, source in ipairs(sources_of(item)) do
      local whole = arrays.whole(source)
      whole.first, whole.last = whole.first or index, index
    end
  end
end

-- What was made before a loop and is used in it stays for all rounds.
local function extend(buffers, first, last)
  for _, buffer in ipairs(buffers) do
    if buffer.first and buffer.made < first and buffer.first <= last and buffer.last >= first then
      buffer.first, buffer.last = math.min(buffer.first, first), math.max(buffer.last, last)
    end
  end
end

local function extend_over_loops(buffers, items)
  local open = {}
  for index, item in ipairs(items) do
    if item.opens then
      open[#open + 1] = index
    elseif item.closes then
      extend(buffers, table.remove(open), index)
    end
  end
end

--- Gives each buffer its offset among those of its type.
-- @tparam {table,...} buffers
-- @tparam {table,...} items of the program, in order: steps, and where loops and branches begin and
-- end
-- @treturn table by dtype: how many elements all need
function lifetimes.place(buffers, items)
  local by_type, work = {}, {}
  note_uses(items)
  extend_over_loops(buffers, items)
  for _, buffer in ipairs(buffers) do
    if buffer.first then
      by_type[buffer.dtype] = by_type[buffer.dtype] or {}
      table.insert(by_type[buffer.dtype], buffer)
    end
  end
  for dtype, list in pairs(by_type) do work[dtype] = places.assign(list) end
  return work
end

return lifetimes
