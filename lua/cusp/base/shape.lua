--- Shapes: Lua arrays of integers, and the marker for unknown sizes.
-- @module cusp.base.shape
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"

local shapes = {}

local function refuse()
  errors.raise("arithmetic on an axis of unknown size (None): its size is known only when data "
    .. "arrives")
end

--- The size of an unknown axis, such as the batch axis of an `Input`. Prints as `None`; arithmetic
-- on it is an error.
shapes.None = setmetatable({}, {
  __name = "cusp.None",
  __tostring = function() return "None" end,
  __add = refuse, __sub = refuse, __mul = refuse, __div = refuse, __idiv = refuse, __mod = refuse,
  __pow = refuse, __unm = refuse,
  __lt = refuse, __le = refuse, __band = refuse, __bor = refuse, __shl = refuse, __shr = refuse,
  __newindex = function() error("cusp.None cannot have fields", 2) end,
})

--- A copy of a shape.
-- @tparam {integer,...} shape integers and `None`
-- @treturn {integer,...}
-- @raise for an entry that is neither a size nor None
function shapes.copy(shape)
  if not lists.is_container(shape) then
    errors.raise("shape: expected a table of sizes, got %s", errors.describe(shape))
  end
  local result = {}
  for i = 1, #shape do
    local size = shape[i]
    if size ~= shapes.None and not math.tointeger(size) then
      errors.raise("shape: size %d should be an integer or None, got %s", i, errors.describe(size))
    end
    result[i] = size == shapes.None and size or math.tointeger(size)
  end
  return result
end

--- Whether all sizes are known.
function shapes.is_known(shape)
  for i = 1, #shape do
    if shape[i] == shapes.None then return false end
  end
  return true
end

--- Whether two shapes are equal; None equals only None.
function shapes.equal(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end

--- The number of elements; None if an axis is unknown.
function shapes.size(shape)
  local product = 1
  for i = 1, #shape do
    if shape[i] == shapes.None then return shapes.None end
    product = product * shape[i]
  end
  return product
end

--- "[2, None, 3]"
shapes.tostring = errors.shape

return shapes
