--- Numerical helpers: one-hot class ids, unit norms, seeds.
-- @module cusp.utils.numerical
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local numerical = {}
local rows = engine.ops

local bind_categorical = arguments.binder("to_categorical", "x, num_classes: int = nil", "nested")

-- Ids below 0 count from the last class, as indices of NumPy do.
local function checked_ids(x, num_classes)
  local count = 1
  for _, size in ipairs(x.shape) do count = count * size end
  if count == 0 and num_classes then return x, num_classes end
  if count == 0 then
    errors.raise "to_categorical: there are no class ids to count the classes of; give num_classes"
  end
  local smallest, largest = rows.min(x):item(), rows.max(x):item()
  num_classes = num_classes or largest + 1
  if smallest < -num_classes or largest >= num_classes then
    errors.raise("to_categorical: class ids should be from 0 to %d, or from %d, which count from "
      .. "the last class; got %d to %d", num_classes - 1, -num_classes, smallest, largest)
  end
  return rows.where(rows.less(x, 0), rows.add(x, num_classes), x), num_classes
end

--- Class ids as vectors with a 1 at the id.
-- @tparam tensor x integers from 0, or below 0 to count from the last class; a last axis of size 1
-- is dropped
-- @tparam[opt] integer num_classes by default one more than the largest id
-- @treturn tensor float32, with an axis of classes at the end
-- @usage cusp.utils.to_categorical({0, 2, 1}, 3)
function numerical.to_categorical(...)
  local x, num_classes = bind_categorical(...)
  x = rows.cast(define.tensor(x), "int64")
  local shape = x.shape
  if #shape > 1 and shape[#shape] == 1 then x = rows.squeeze(x, #shape) end
  x, num_classes = checked_ids(x, num_classes)
  return rows.one_hot(x, num_classes, -1, "float32")
end

local bind_normalize = arguments.binder("normalize", "x, axis: axis = -1, order: float = 2")

--- Divides `x` by its norm along an axis; unchanged where the norm is 0.
-- @tparam tensor x
-- @tparam[opt=-1] integer axis
-- @tparam[opt=2] number order
-- @treturn tensor
function numerical.normalize(...)
  local x, axis, order = bind_normalize(...)
  x = define.tensor(x)
  local norm = require("cusp.ops").norm(x, {ord = order, axis = axis, keepdims = true})
  return rows.divide(x, rows.where(rows.equal(norm, 0), 1.0, norm))
end

--- Makes a program reproducible: seeds Cusp's random numbers and Lua's.
-- @tparam integer seed
function numerical.set_random_seed(seed)
  if math.type(seed) == nil or not math.tointeger(seed) then
    errors.raise("set_random_seed: expected an integer, got %s", errors.describe(seed))
  end
  require("cusp.tensors.random").set_seed(seed)
  math.randomseed(seed)
end

return numerical
