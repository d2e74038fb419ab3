--- Places in the working memory: buffers that are not needed at the same time share theirs.
-- @module cusp.export_c.places
local places = {}

local function larger(a, b)
  if a.count ~= b.count then return a.count > b.count end
  return a.first < b.first
end

-- The lowest offset at which a buffer meets none of those placed before and alive with it.
local function lowest(buffer, placed)
  local offset = 0
  for _, other in ipairs(placed) do -- by offset
    local together = other.first <= buffer.last and buffer.first <= other.last
    if together then
      if offset + buffer.count <= other.offset then break end
      offset = math.max(offset, other.offset + other.count)
    end
  end
  return offset
end

local function insert(placed, buffer)
  local at = #placed + 1
  while at > 1 and placed[at - 1].offset > buffer.offset do at = at - 1 end
  table.insert(placed, at, buffer)
end

--- Gives each buffer its `offset`, large ones first.
-- @tparam {table,...} buffers of one type: `count` elements, needed from step `first` to `last`
-- @treturn integer how many elements all need
function places.assign(buffers)
  local order, placed, total = table.move(buffers, 1, #buffers, 1, {}), {}, 0
  table.sort(order, larger)
  for _, buffer in ipairs(order) do
    buffer.offset = lowest(buffer, placed)
    insert(placed, buffer)
    total = math.max(total, buffer.offset + buffer.count)
  end
  return total
end

return places
