--- Names that layers and operations are given when they have none: `dense`, `dense_1`, ...
-- @module cusp.models.names
local plain = require "cusp.plain"

local names = {}
local counts = {}
local scope = {}

--- `MaxPooling2D` as `max_pooling2d`: Keras's rule.
-- @tparam string class_name
-- @treturn string
function names.snake_case(class_name)
  local text = class_name:gsub("[^%w_]", "")
  text = text:gsub("(.)(%u%l+)", "%1_%2")
  text = text:gsub("(%l)(%u)", "%1_%2")
  return plain.lower(text)
end

--- The next name for a prefix: the prefix itself the first time in a program, then with `_1`, `_2`, ...
-- @tparam string prefix
-- @treturn string
function names.unique(prefix)
  local count = counts[prefix] or 0
  counts[prefix] = count + 1
  return count == 0 and prefix or ("%s_%d"):format(prefix, count)
end

--- Starts counting afresh, as at the start of a program.
function names.reset() counts = {} end

--- Runs `f(...)` with `name` on the path of the variables made in it.
function names.within(name, f, ...)
  local depth = #scope
  scope[depth + 1] = name
  local results = table.pack(pcall(f, ...))
  for i = #scope, depth + 1, -1 do scope[i] = nil end
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- Puts a name on the path; `leave(mark)` with what this returns takes it off again.
function names.enter(name)
  scope[#scope + 1] = name
  return #scope - 1
end

function names.leave(mark)
  for i = #scope, mark + 1, -1 do scope[i] = nil end
end

--- The path of a variable made now: `my_model/dense/kernel`.
function names.path(name)
  if #scope == 0 then return name end
  return table.concat(scope, "/") .. "/" .. name
end

return names
