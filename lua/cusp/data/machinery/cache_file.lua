--- Elements kept in a file: `dataset:cache(filename)` and `dataset:save(path)`.
-- The file has the parts of all elements one after another, then an index: JSON with the form, and
-- for each element its parts' offsets, dtypes and shapes; its last 16 bytes are the index's offset
-- and a mark. It is written beside its name and takes its place when the iteration that fills it
-- has come to its end.
-- @module cusp.data.machinery.cache_file
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local json = require "cusp.formats.json"
local spec = require "cusp.data.machinery.spec"

local cache_file = {}
local MARK = "CuspData"

-- Forms as JSON keeps them: positions, lists, and tables by name.
local function part_of(leaf, offset)
  local type = element.type_of(leaf)
  return {offset, type.dtype, type.shape}
end

---------------------------------------------------------------- writing

local function write_leaf(writer, leaf)
  if type(leaf) == "string" then writer:write(("<s8"):pack(leaf))
  elseif element.is_strings(leaf) then
    for _, one in ipairs(leaf) do writer:write(("<s8"):pack(one)) end
  else
    writer:write(leaf)
  end
end

local function finish(writer, index)
  local offset = writer.position
  writer:write(json.encode(index), ("<I8"):pack(offset), MARK)
  writer:commit()
end

--- Opens a dataset, so that a file with its elements is written once all have come.
-- @tparam Dataset dataset
-- @tparam string path
-- @tparam string owner for messages
function cache_file.record(dataset, path, owner)
  local fetch, close = dataset:open()
  local writer = engine.files.create(path)
  local index = {forms = {}, elements = {}}
  local last_form
  local function keep(e)
    local parts = {}
    for k = 1, #e do
      if element.type_of(e[k]).dtype == "dataset" then
        errors.raise("%s: datasets of datasets cannot be written to a file", owner)
      end
      parts[k] = part_of(e[k], writer.position)
      write_leaf(writer, e[k])
    end
    if not last_form or not element.same_form(last_form, e.form) then
      last_form = e.form
      index.forms[#index.forms + 1] = e.form
    end
    index.elements[#index.elements + 1] = {#index.forms, parts}
  end
  return function()
    local e = fetch()
    if e then
      keep(e)
    elseif writer then
      finish(writer, index)
      writer = nil
    end
    return e
  end, function()
    if writer then writer:abort() end
    writer = nil
    close()
  end
end

---------------------------------------------------------------- reading

local function damaged(path, owner)
  errors.raise("%s: %s is not a complete file of elements; remove it to make it anew", owner, path)
end

local function read_strings(reader, offset, count)
  local list = {}
  for i = 1, count do
    local length = ("<I8"):unpack(reader:read(offset, 8))
    list[i] = reader:read(offset + 8, length)
    offset = offset + 8 + length
  end
  return list
end

local function read_leaf(reader, part)
  local offset, dtype, shape = part[1], part[2], part[3]
  if dtype ~= "string" then return reader:tensor(offset, dtype, shape) end
  local list = read_strings(reader, offset, shape[1] or 1)
  return #shape == 0 and list[1] or element.strings(list)
end

local function read_index(path, reader, owner)
  if reader.size < 16 then damaged(path, owner) end
  local tail = reader:read(reader.size - 16, 16)
  local offset = ("<I8"):unpack(tail)
  if tail:sub(9) ~= MARK or offset < 0 or offset > reader.size - 16 then damaged(path, owner) end
  local ok, index = engine.attempt(json.decode, reader:read(offset, reader.size - 16 - offset))
  if not ok or type(index) ~= "table" or type(index.elements) ~= "table"
    or type(index.forms) ~= "table" then
    damaged(path, owner)
  end
  return index
end

--- Gives the elements of a file.
function cache_file.replay(path, owner)
  local reader = engine.files.open(path)
  local index, i = read_index(path, reader, owner), 0
  return function()
    i = i + 1
    local entry = index.elements[i]
    if not entry then return nil end
    local e = {form = index.forms[entry[1]]}
    for k, part in ipairs(entry[2]) do e[k] = read_leaf(reader, part) end
    return e
  end, function() reader:close() end
end

local function types_of(parts)
  local types = {}
  for k, part in ipairs(parts) do types[k] = {dtype = part[2], shape = part[3]} end
  return types
end

--- What is known of the elements of a file.
-- @return form, types, and the number of elements; form and types are nil where elements differ
function cache_file.describe(path, owner)
  if not engine.files.exists(path) then
    errors.raise("%s: %s: there is no such file", owner, path)
  end
  local reader <close> = engine.files.open(path)
  local index = read_index(path, reader, owner)
  local types
  for i, entry in ipairs(index.elements) do
    local own = types_of(entry[2])
    types = i == 1 and own or types and spec.common(types, own)
  end
  local form = types and #index.forms == 1 and index.forms[1] or nil
  return form, form and types, #index.elements
end

--- Opens a cached dataset: from its file where there is one, otherwise from its input, writing the
-- file.
function cache_file.open(dataset)
  local path = dataset.options.filename
  if engine.files.exists(path) then return cache_file.replay(path, "cache") end
  return cache_file.record(dataset.input, path, "cache")
end

return cache_file
