--- The default shape of chunks.
-- @module cusp.formats.hdf5.chunking
local chunking = {}

local base, least, most = 16 * 1024, 8 * 1024, 1024 * 1024 -- bytes

-- Larger datasets get larger chunks: the size doubles for each tenfold of the data, from 16 KB at 1
-- MB.
local function target(bytes)
  local wanted = base * 2 ^ (math.log(math.max(bytes, 1), 10) - 6)
  return math.max(least, math.min(most, wanted))
end

--- Halves the axes in turn until a chunk has about the right size for the data (h5py's rule).
-- @tparam {integer,...} shape not empty
-- @tparam integer element bytes of one
-- @treturn {integer,...}
function chunking.guess(shape, element)
  local chunk, bytes = {}, element
  for axis, size in ipairs(shape) do
    chunk[axis] = math.max(size, 1)
    bytes = bytes * chunk[axis]
  end
  local wanted, axis = target(bytes), 1
  while bytes > wanted * 1.5 or bytes > most do
    local half, single = (chunk[axis] + 1) // 2, true
    bytes = bytes / chunk[axis] * half
    chunk[axis] = half
    for _, size in ipairs(chunk) do single = single and size == 1 end
    if single then break end
    axis = axis % #chunk + 1
  end
  return chunk
end

--- Iterates over the chunks in row-major order of the grid: (index from 0, list of first positions
-- from 0).
function chunking.starts(shape, chunk)
  local places, count = {}, 1
  for axis, size in ipairs(shape) do
    places[axis] = (size + chunk[axis] - 1) // chunk[axis]
    count = count * places[axis]
  end
  return function(_, index)
    index = index + 1
    if index == count then return nil end
    local start, rest = {}, index
    for axis = #shape, 1, -1 do
      start[axis] = rest % places[axis] * chunk[axis]
      rest = rest // places[axis]
    end
    return index, start
  end, nil, -1
end

return chunking
