--- Names of files as datasets, and datasets in files. They become functions and methods of
-- `cusp.data.Dataset`.
-- @module cusp.data.saved
local arguments = require "cusp.base.arguments"
local cache_file = require "cusp.data.machinery.cache_file"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local saved = {}

local function make(...) return require("cusp.data.dataset").make(...) end

local name = {"name", "any", optional = true}

---------------------------------------------------------------- patterns

local specials = "[%^%$%(%)%%%.%[%]%*%+%-%?]"

-- A class such as [a-z] or [!0-9] at a position: its Lua pattern, and where it ends.
local function class_at(pattern, at)
  local first = pattern:match("^[!^]?", at + 1)
  local last = pattern:find("]", at + 2 + #first, true)
  if not last then return nil end
  local inside = pattern:sub(at + 1 + #first, last - 1):gsub("[%^%]%%%[]", "%%%0")
  return ("[%s%s]"):format(first ~= "" and "^" or "", inside), last
end

-- The Lua pattern for names that a component of a path matches.
local function pattern_of(component)
  local out, at = {"^"}, 1
  while at <= #component do
    local c = component:sub(at, at)
    local class, last
    if c == "[" then class, last = class_at(component, at) end
    if class then
      c, at = class, last
    elseif c == "*" then c = ".*"
    elseif c == "?" then c = "."
    else
      if c == "\\" and at < #component then at, c = at + 1, component:sub(at + 1, at + 1) end
      c = c:gsub(specials, "%%%0")
    end
    out[#out + 1], at = c, at + 1
  end
  return table.concat(out) .. "$"
end

local function names_in(folder)
  local ok, names = engine.attempt(engine.files.list, folder == "" and "." or folder)
  return ok and names or {}
end

-- The paths below those found so far that match the next component.
local function below(found, component)
  if not component:find "[%*%?%[\\]" then
    for i, path in ipairs(found) do found[i] = path .. component end
    return found
  end
  local pattern, result = pattern_of(component), {}
  for _, path in ipairs(found) do
    for _, one in ipairs(names_in(path)) do
      if one:find(pattern) then result[#result + 1] = path .. one end
    end
  end
  return result
end

local function matches(pattern)
  local found = {pattern:match "^/*"}
  local rest = pattern:sub(#found[1] + 1)
  for component, slashes in rest:gmatch "([^/]+)(/*)" do
    found = below(found, component)
    for i, path in ipairs(found) do found[i] = path .. slashes end
  end
  local there = {}
  for _, path in ipairs(found) do
    if engine.files.exists(path) then there[#there + 1] = path end
  end
  return there
end

local bind_list = arguments.binder("list_files", {
  {"file_pattern", "any"}, {"shuffle", "boolean", default = true},
  {"seed", "integer", optional = true}, name,
}, true)

--- The paths that match patterns with `*`, `?` and `[...]`, in random order.
-- @param file_pattern a string, or a list of them
-- @tparam[opt=true] boolean shuffle; otherwise they are sorted by their bytes
-- @tparam[opt] integer seed of the order
-- @treturn Dataset of strings
-- @raise where nothing matches
-- @usage Dataset.list_files "logs/*.txt"
function saved.list_files(...)
  local patterns, shuffle, seed = bind_list(...)
  patterns = type(patterns) == "table" and patterns or {patterns}
  local paths = {}
  for i = 1, #patterns do
    local pattern = patterns[i]
    if type(pattern) ~= "string" then
      errors.raise("list_files: pattern %d should be a string, got %s", i, errors.describe(pattern))
    end
    for _, path in ipairs(matches(pattern)) do paths[#paths + 1] = path end
  end
  if #patterns == 0 then errors.raise "list_files: there is no pattern" end
  if #paths == 0 then
    errors.raise("list_files: no files match %s", table.concat(patterns, ", "))
  end
  table.sort(paths)
  local dataset = require("cusp.data.dataset").from_tensor_slices(paths)
  return shuffle and dataset:shuffle(#paths, {seed = seed}) or dataset
end

---------------------------------------------------------------- files of elements

local bind_save = arguments.binder("save", {{"path", "string"}, name}, false)

--- Writes the elements to a file, whole or not at all.
-- @tparam string path
-- @see the function load
function saved:save(...)
  local path = bind_save(...)
  if self:count() == -1 then errors.raise "save: the dataset has no end; take a part of it" end
  local fetch, close = cache_file.record(self, path, "save")
  local _ <close> = setmetatable({}, {__close = function() close() end})
  repeat until not fetch()
end

local bind_load = arguments.binder("load", {{"path", "string"}, name}, false)

--- The dataset that `save` wrote.
-- @tparam string path
-- @treturn Dataset
-- @raise where the file is missing or damaged
function saved.load(...)
  local path = bind_load(...)
  local form, types, count = cache_file.describe(path, "load")
  return make({
    name = "saved",
    open = function() return cache_file.replay(path, "load") end,
    cardinality = function() return count end,
    types = function() return form, types end,
  })
end

return saved
