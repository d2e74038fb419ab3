--- Default names of layers and operations: `dense`, `dense_1`, ...
-- @module cusp.base.names
local context = require "cusp.base.context"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local whole = require "cusp.base.whole"

local names = {}
local counts = {}
whole.keep(counts)

--- `MaxPooling2D` as `max_pooling2d`: Keras's rule.
-- @tparam string class_name
-- @treturn string
function names.snake_case(class_name)
  local text = class_name:gsub("[^%w_]", "")
  text = text:gsub("(.)(%u%l+)", "%1_%2")
  text = text:gsub("(%l)(%u)", "%1_%2")
  return plain.lower(text)
end

--- What a table has under the name of an object's class, or of the nearest base that it names.
-- @param object
-- @tparam table map by the names of classes
function names.by_class(object, map)
  local class = getmetatable(object)
  while class do
    local found = map[rawget(class, "__name")]
    if found then return found end
    class = rawget(class, "__super")
  end
end

--- The next name for a prefix: the prefix itself first, then with `_1`, `_2`, ...
-- @tparam string prefix
-- @treturn string
function names.unique(prefix)
  local count = counts[prefix] or 0
  counts[prefix] = count + 1
  return count == 0 and prefix or ("%s_%d"):format(prefix, count)
end

--- Restarts the counters, as at the start of a program.
function names.reset()
  for prefix in pairs(counts) do counts[prefix] = nil end
end

--- The path of a variable or layer that is created now: `my_model/dense/kernel`.
function names.path(name)
  local path = context.get().path
  return path and path .. "/" .. name or name
end

--- Runs `f(...)` with `name` added to the path of variables created in it.
function names.within(name, f, ...) return context.within({path = names.path(name)}, f, ...) end

--- Calls a function with a name on the paths of the layers and variables that it makes.
-- @tparam string name
-- @tparam function f
-- @param ... its arguments
-- @return its results
-- @usage cusp.name_scope("encoder", function() return layers.Dense{4, name = "in"}(x) end)
function names.scope(name, f, ...)
  if type(name) ~= "string" or name == "" or name:find "/" then
    errors.raise("name_scope: expected a name without \"/\", got %s", errors.describe(name))
  end
  if type(f) ~= "function" then
    errors.raise("name_scope: expected a function that is called within the scope, got %s",
      errors.describe(f))
  end
  return names.within(name, f, ...)
end

return names
