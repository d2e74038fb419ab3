--- Sequences of different lengths as one tensor.
-- @module cusp.utils.sequences
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local structure = require "cusp.base.structure"

local sequences = {}

local side = {"pre", "post"}
local bind = arguments.binder("pad_sequences", {
  {"sequences", "any"},
  {"maxlen", "integer", optional = true, min = 0},
  {"dtype", "dtype", default = "int32"},
  {"padding", "choice", choices = side, default = "pre"},
  {"truncating", "choice", choices = side, default = "pre"},
  {"value", "number", default = 0},
}, "nested")

---------------------------------------------------------------- arguments

local function is_tensor_of_rows(value) return engine.is_tensor(value) and value.ndim > 1 end

local function is_list_of_lists(value)
  if not structure.is_container(value) or #value == 0 then return false end
  for i = 1, #value do
    if type(value[i]) ~= "table" and not engine.is_tensor(value[i]) then return false end
  end
  return true
end

-- In `pad_sequences{sequences, maxlen = 3}` the table is the call's arguments; in
-- `pad_sequences{{1, 2}, {3}}` it is the sequences.
local function spread(first, ...)
  local only = structure.is_container(first) and #first == 1 and select("#", ...) == 0
  if not only or not (is_list_of_lists(first[1]) or is_tensor_of_rows(first[1])) then
    return first, ...
  end
  local options = {}
  for key, value in pairs(first) do
    if key ~= 1 then options[key] = value end
  end
  return first[1], options
end

---------------------------------------------------------------- sequences

-- The sizes of one entry of a sequence: none for a number.
local function entry_shape(entry)
  local shape = {}
  while type(entry) == "table" do
    shape[#shape + 1] = #entry
    entry = entry[1]
  end
  return shape
end

local function flatten(entry, out, shape, axis, at)
  if axis > #shape then
    if type(entry) ~= "number" and type(entry) ~= "boolean" then
      errors.raise("pad_sequences: entry %d of sequence %d should be %s, got %s", at.entry,
        at.sequence, #shape == 0 and "a number" or "numbers in the shape " .. errors.shape(shape),
        errors.describe(entry))
    end
    out[#out + 1] = entry
    return
  end
  if type(entry) ~= "table" or #entry ~= shape[axis] then
    errors.raise("pad_sequences: entry %d of sequence %d should have the shape %s, as the first, "
      .. "got %s", at.entry, at.sequence, errors.shape(shape),
      type(entry) == "table" and errors.shape(entry_shape(entry)) or errors.describe(entry))
  end
  for i = 1, #entry do flatten(entry[i], out, shape, axis + 1, at) end
end

local function sequence_of(value, i)
  if engine.is_tensor(value) and value.ndim > 0 then return value:tolist() end
  if type(value) ~= "table" then
    errors.raise("pad_sequences: sequence %d should be a list of numbers, got %s", i,
      errors.describe(value))
  end
  return value
end

-- Lists, the longest one's length, and the shape of an entry.
local function lists_of(given)
  if engine.is_tensor(given) then given = given:tolist() end
  if not structure.is_container(given) then
    errors.raise("pad_sequences: expected a list of sequences, got %s", errors.describe(given))
  end
  local lists, longest, shape = {}, 0, nil
  for i, value in ipairs(given) do
    lists[i] = sequence_of(value, i)
    longest = math.max(longest, #lists[i])
    if #lists[i] > 0 then shape = shape or entry_shape(lists[i][1]) end
  end
  return lists, longest, shape or {}
end

local function fill_up(out, count, value)
  for _ = 1, count do out[#out + 1] = value end
end

--- Lists of numbers or of vectors, cut and filled up to one length.
-- @param sequences lists or tensors, in a list; their entries are numbers, or all of one shape
-- @tparam[opt] integer maxlen by default the longest one's
-- @tparam[opt="int32"] string dtype
-- @tparam[opt="pre"] string padding "pre" or "post": where to pad
-- @tparam[opt="pre"] string truncating "pre" or "post": where to cut
-- @tparam[opt=0] number value to fill with
-- @treturn tensor `[sequences, maxlen, ...]`
-- @usage cusp.utils.pad_sequences({{1}, {2, 3}}, {maxlen = 3})
function sequences.pad_sequences(...)
  local given, maxlen, dtype, padding, truncating, value = bind(spread(...))
  local lists, longest, shape = lists_of(given)
  maxlen = maxlen or longest
  errors.check_items("pad_sequences", "maxlen", maxlen)
  local volume, flat = 1, {}
  for _, size in ipairs(shape) do volume = volume * size end
  for row, list in ipairs(lists) do
    local kept = math.min(#list, maxlen)
    local skipped = truncating == "pre" and #list - kept or 0
    local missing, at = (maxlen - kept) * volume, {sequence = row}
    if padding == "pre" then fill_up(flat, missing, value) end
    for i = skipped + 1, skipped + kept do
      at.entry = i
      flatten(list[i], flat, shape, 1, at)
    end
    if padding == "post" then fill_up(flat, missing, value) end
  end
  return engine.tensor(flat, {dtype = dtype, shape = {#lists, maxlen, table.unpack(shape)}})
end

return sequences
