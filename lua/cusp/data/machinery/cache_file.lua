--- Elements kept in a file: `dataset:cache(filename)`.
-- The file has the parts of all elements one after another, then an index: JSON with the form, and
-- for each element its parts' offsets, dtypes and shapes; its last 16 bytes are the index's offset
-- and a mark. It is written beside its name and takes its place when the iteration that fills it
-- has come to its end.
-- @module cusp.data.machinery.cache_file
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local json = require "cusp.formats.json"

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

local function recording(dataset)
  local fetch, close = dataset.input:open()
  local writer = engine.files.create(dataset.options.filename)
  local index = {forms = {}, elements = {}}
  local last_form
  local function keep(e)
    local parts = {}
    for k = 1, #e do
      if element.type_of(e[k]).dtype == "dataset" then
        errors.raise "cache: data sets of data sets cannot be written to a file"
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

local function damaged(path)
  errors.raise("cache: %s is not a complete file of cached elements; remove it to make it anew",
    path)
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

local function read_index(path, reader)
  if reader.size < 16 then damaged(path) end
  local tail = reader:read(reader.size - 16, 16)
  local offset = ("<I8"):unpack(tail)
  if tail:sub(9) ~= MARK or offset < 0 or offset > reader.size - 16 then damaged(path) end
  local ok, index = engine.attempt(json.decode, reader:read(offset, reader.size - 16 - offset))
  if not ok or type(index) ~= "table" or type(index.elements) ~= "table"
    or type(index.forms) ~= "table" then
    damaged(path)
  end
  return index
end

local function replaying(path)
  local reader = engine.files.open(path)
  local index, i = read_index(path, reader), 0
  return function()
    i = i + 1
    local entry = index.elements[i]
    if not entry then return nil end
    local e = {form = index.forms[entry[1]]}
    for k, part in ipairs(entry[2]) do e[k] = read_leaf(reader, part) end
    return e
  end, function() reader:close() end
end

--- Opens a cached data set: from its file where there is one, otherwise from its input, writing the
-- file.
function cache_file.open(dataset)
  if engine.files.exists(dataset.options.filename) then
    return replaying(dataset.options.filename)
  end
  return recording(dataset)
end

return cache_file
