--- Shapes: Lua arrays of integers, and the marker for unknown sizes.
-- @module cusp.base.shape
local engine = require "cusp.engine"
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

-- The metatable of shapes: lists that print, compare and concatenate. What is read of a tensor has
-- it, and what `cusp.shape` copies.
local Shape = engine.shape_class
Shape.__jsontype = "list"

function Shape.__tostring(shape) return errors.shape(shape) end

function Shape.__concat(a, b)
  if getmetatable(a) == Shape then a = errors.shape(a) end
  if getmetatable(b) == Shape then b = errors.shape(b) end
  return a .. b
end

local function is_list(value)
  local meta = getmetatable(value)
  return meta == nil or meta == Shape
end

-- Null and other objects without items are no shapes.
function Shape.__eq(a, b) return is_list(a) and is_list(b) and shapes.equal(a, b) end

function Shape.__index(shape, key)
  if math.type(key) ~= "integer" or key > 0 then return nil end
  errors.raise("shape[%d]: axes of a shape count from 1; shape[#shape] is the last one of %s", key,
    errors.shape(shape))
end

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
  return setmetatable(result, Shape)
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
