--- What datasets hold in memory and could not make again: elements of caches whose making is
-- random. BackupAndRestore keeps them.
-- @module cusp.data.machinery.kept_caches
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local structure = require "cusp.base.structure"

local kept_caches = {}

local run_length = 256 -- elements of one type that are kept as one tensor

---------------------------------------------------------------- finding them

-- Stages that give the same elements in each process; functions of the user's need not.
local deterministic = {}
local names = [[from_tensor_slices from_tensors range reader rows cache batch padded_batch unbatch
  rebatch rescale repeat take skip shard prefetch zip concatenate enumerate window counter unique
  ragged_batch saved choose_from_datasets]]
for name in names:gmatch "%S+" do deterministic[name] = true end

local function is_random(dataset)
  if not deterministic[dataset.stage.name] then return true end
  for _, input in ipairs(dataset.inputs) do
    if is_random(input) then return true end
  end
  return false
end

-- The caches of a dataset in memory, those that others are made from first.
local function find(dataset, out, seen)
  if seen[dataset] then return out end
  seen[dataset] = true
  for _, input in ipairs(dataset.inputs) do find(input, out, seen) end
  local in_memory = dataset.stage.name == "cache" and not dataset.options.filename
  if in_memory and is_random(dataset.input) then out[#out + 1] = dataset end
  return out
end

---------------------------------------------------------------- elements as plain data

local function type_of(part)
  if engine.is_tensor(part) then return part.dtype .. errors.shape(part.shape) end
  if type(part) == "string" then return "string" end
  return element.is_strings(part) and "strings" or nil
end

local function key_of(e)
  local parts = {structure.describe(e.form)}
  for k = 1, #e do
    local kind = type_of(e[k])
    if not kind then return nil end -- a dataset, which is no data
    parts[#parts + 1] = kind
  end
  return table.concat(parts, ";")
end

local function column_of(elements, k)
  local column = {}
  for i, e in ipairs(elements) do
    column[i] = element.is_strings(e[k]) and {strings = table.move(e[k], 1, #e[k], 1, {})} or e[k]
  end
  return engine.is_tensor(column[1]) and ops.stack(column) or column
end

local function pack_run(elements)
  local columns = {}
  for k = 1, #elements[1] do columns[k] = column_of(elements, k) end
  return {form = elements[1].form, count = #elements, columns = columns}
end

-- Runs of elements of one type; nil where one cannot be kept.
local function pack(elements)
  local runs, current, current_key = {}, {}, nil
  for _, e in ipairs(elements) do
    local key = key_of(e)
    if not key then return nil end
    if key ~= current_key or #current == run_length then
      if #current > 0 then runs[#runs + 1] = pack_run(current) end
      current, current_key = {}, key
    end
    current[#current + 1] = e
  end
  if #current > 0 then runs[#runs + 1] = pack_run(current) end
  return runs
end

local function unpack_run(run, out)
  local first = #out
  for i = 1, run.count do out[first + i] = {form = run.form} end
  for k, column in ipairs(run.columns) do
    local parts = engine.is_tensor(column) and ops.unstack(column) or column
    if engine.is_tensor(column) then engine.evaluate(parts) end
    for i = 1, run.count do
      local part = parts[i]
      out[first + i][k] = structure.is_container(part) and element.strings(part.strings) or part
    end
  end
end

---------------------------------------------------------------- keeping

--- What the caches of a dataset hold now.
-- @tparam Dataset dataset
-- @treturn table plain data and tensors, for `restore`
function kept_caches.capture(dataset)
  local result = {}
  for i, cache in ipairs(find(dataset, {}, {})) do
    local options = cache.options
    local runs = pack(options.elements or options.recorded or {})
    result[i] = runs and {complete = options.elements ~= nil, runs = runs} or false
  end
  return result
end

--- Gives the caches of a dataset what they held. What was kept of a cache that was not full yet
-- takes the place of its first elements when they are made again, in the pass that is opened next.
-- @tparam Dataset dataset
-- @tparam table kept
-- @tparam boolean within whether the pass goes on in which they were kept
function kept_caches.restore(dataset, kept, within)
  for i, cache in ipairs(find(dataset, {}, {})) do
    if kept[i] and (kept[i].complete or within) then
      local elements = {}
      for _, run in ipairs(kept[i].runs) do unpack_run(run, elements) end
      cache.options[kept[i].complete and "elements" or "kept"] = elements
    end
  end
end

return kept_caches
