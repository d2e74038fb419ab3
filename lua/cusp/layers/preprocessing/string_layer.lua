--- The base of layers that take or give strings: tensors of dtype "string", Lua strings, or
-- (nested) lists of these, which become such tensors. May be part of a model.
-- @classmod cusp.layers.StringLayer
local Layer = require "cusp.layers.machinery.layer"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local structure = require "cusp.base.structure"
local symbolic = require "cusp.symbolic.tensors"

local StringLayer = Layer:extend("StringLayer", {autocast = false, input_dtype = "string"})

---------------------------------------------------------------- calls

--- Reads what every layer takes. Shapes and dtypes in files of Keras 2's say nothing here.
-- @tparam table args
-- @tparam[opt] string dtype of vectors of categories or of integers
function StringLayer:init(args, dtype)
  for _, key in ipairs{"dtype", "batch_input_shape", "input_shape"} do
    arguments.touch(args, key)
  end
  Layer.init(self, {name = args.name, trainable = args.trainable, dtype = dtype})
end

---------------------------------------------------------------- nested lists

local function walk(owner, value, depth, shape, out)
  if not structure.is_container(value) then
    if shape[depth] ~= nil then
      errors.raise("%s: expected lists of one depth, got %s beside a list", owner,
        errors.describe(value))
    end
    if type(value) ~= "string" and math.type(value) ~= "integer" then
      errors.raise("%s: expected strings or integers, got %s", owner, errors.describe(value))
    end
    out[#out + 1] = value
    if not shape.rank then shape.rank = depth - 1 end
    if shape.rank ~= depth - 1 then
      errors.raise("%s: expected lists of one depth, got some within others", owner)
    end
    return
  end
  if shape.rank and depth > shape.rank then
    errors.raise("%s: expected lists of one depth, got a list beside a string", owner)
  end
  structure.deeper(depth)
  shape[depth] = shape[depth] or #value
  if shape[depth] ~= #value then
    errors.raise(
      "%s: expected lists of one length, got one of %d and one of %d; fill up the shorter ones",
      owner, shape[depth], #value)
  end
  for i = 1, #value do walk(owner, value[i], depth + 1, shape, out) end
end

--- The leaves of a tensor, a string, an integer, or nested lists of these, row by row, and their
-- shape.
-- @tparam string owner for messages
-- @param value
-- @treturn table
-- @treturn {integer,...}
-- @raise if lists differ in length, or something is neither a string nor an integer
function StringLayer.leaves(owner, value)
  if engine.is_tensor(value) or engine.is_variable(value) then return value:flat(), value.shape end
  local out, shape = {}, {}
  walk(owner, value, 1, shape, out)
  shape.rank = nil
  return out, shape
end

--- Strings or integers as a tensor; tensors as they are.
-- @tparam string owner for messages
-- @param value a tensor, a string, an integer, or nested lists of these
-- @tparam[opt="string"] string dtype of lists without items
-- @treturn tensor
function StringLayer.tensor_of(owner, value, dtype)
  if engine.is_tensor(value) or symbolic.is_symbolic(value) then return value end
  if engine.is_variable(value) then return value:value() end
  local leaves, shape = StringLayer.leaves(owner, value)
  local first = leaves[1]
  if first ~= nil then dtype = type(first) == "string" and "string" or "int64" end
  for _, leaf in ipairs(leaves) do
    if type(leaf) ~= type(first) then
      errors.raise("%s: expected strings or integers, got both", owner)
    end
  end
  return engine.tensor(leaves, {dtype = dtype or "string", shape = shape})
end

--- Lists of strings or integers become tensors.
function StringLayer:prepare_inputs(inputs) return StringLayer.tensor_of(self.name, inputs) end

--- The leaves of each entry along the first axis; of a string, one entry.
function StringLayer.rows(leaves, shape)
  local rows, count = {}, #shape == 0 and 1 or shape[1]
  local width = count > 0 and #leaves // count or 0
  for i = 1, count do rows[i] = table.move(leaves, (i - 1) * width + 1, i * width, 1, {}) end
  return rows
end

---------------------------------------------------------------- arguments

local function is_salt(value)
  return math.type(value) == "integer"
    or kinds.is_plain(value) and #value == 2 and math.type(value[1]) == "integer"
    and math.type(value[2]) == "integer"
end

-- A key of two integers; one stands for both.
kinds.define("salt", {
  check = function(value)
    if not is_salt(value) then return false end
    return true, type(value) == "number" and {value, value} or {value[1], value[2]}
  end,
  expects = "an integer or a list of two",
})

kinds.define("token", {
  check = function(value)
    if type(value) == "string" then return true end
    local integer = type(value) == "number" and math.tointeger(value)
    return integer ~= nil and integer ~= false, integer or nil
  end,
  expects = "a string or an integer",
})

return StringLayer
