--- Keeping elements: in memory, or in a file.
-- @module cusp.data.stages.cache
local engine = require "cusp.engine"
local native = require "cusp.data.machinery.native"

-- Rows that come as they are stored are kept by the engine, each from its first reading on.
local function lower(dataset)
  if dataset.options.filename then return nil end
  local description = dataset.input:lower()
  if not description or #description.stages > 0 or next(description.transforms) then return nil end
  if description.rows.in_memory then return description end
  dataset.options.rows = dataset.options.rows or engine.data.cache(description.rows)
  local copy = native.copy(description)
  copy.rows = dataset.options.rows
  return copy
end

-- Elements that pass for the first time are noted; once all have, they are what the dataset gives.
-- Those that an earlier process had noted (`kept`) come again, in place of what is made for them
-- now.
local function recording(dataset)
  local fetch, close = dataset.input:open()
  local elements, kept = {}, dataset.options.kept or {}
  dataset.options.recorded, dataset.options.kept = elements, nil
  return function()
    local e = fetch()
    e = e and kept[#elements + 1] or e
    if e then elements[#elements + 1] = e else dataset.options.elements = elements end
    return e
  end, close
end

local function replaying(elements)
  local i = 0
  return function()
    i = i + 1
    return elements[i]
  end, function() end
end

return {
  name = "cache",
  open = function(dataset)
    if dataset.options.filename then
      return require("cusp.data.machinery.cache_file").open(dataset)
    end
    if dataset.options.elements then return replaying(dataset.options.elements) end
    return recording(dataset)
  end,
  cardinality = function(dataset) return dataset.input:count() end,
  types = function(dataset, peek) return dataset.input:known_types(peek) end,
  sample = function(dataset)
    local elements = dataset.options.elements
    return elements and elements[1] or dataset.input:sample()
  end,
  lower = lower,
}
