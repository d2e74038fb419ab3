--- The base of layers that take or give strings.
--
-- There are no tensors of strings: such a layer takes a Lua string or a (nested) list of strings
-- and gives a tensor of its shape, or the other way round. It works on data, eagerly and in
-- `dataset:map`, and cannot be part of a model of tensors.
-- @classmod cusp.layers.StringLayer
local Layer = require "cusp.layers.machinery.layer"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local structure = require "cusp.base.structure"
local symbolic = require "cusp.symbolic.tensors"

local StringLayer = Layer:extend("StringLayer")

---------------------------------------------------------------- calls

local function is_of_a_model(leaf)
  return symbolic.is_symbolic(leaf) or type(leaf) == "userdata" and engine.tracing()
end

local function refuse(self, inputs)
  if structure.find(inputs, is_of_a_model) then
    errors.raise(
      "%s (%s): works on data outside of models, whose tensors cannot hold strings; call it on "
      .. "the data before, "
      .. "as in dataset:map(layer)", self.name, getmetatable(self).__name)
  end
end

--- Calls the layer on strings, lists of strings or tensors of integers.
function StringLayer:__call(inputs, args, ...)
  local name = getmetatable(self).__name
  if inputs == nil then errors.raise("%s (%s): called without inputs", self.name, name) end
  if args ~= nil and not kinds.is_plain(args) or args and #args > 0 or (...) ~= nil then
    errors.raise("%s (%s): takes the inputs and a table of keywords, got %s", self.name, name,
      errors.describe(args))
  end
  refuse(self, inputs)
  self.built = true
  self.__own.ran = true
  return self:call(inputs, args or {})
end

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

--- Nested lists of a shape from their leaves.
function StringLayer.nested(leaves, shape)
  local at = 0
  local function build(depth)
    if depth > #shape then
      at = at + 1
      return leaves[at]
    end
    local list = {}
    for i = 1, shape[depth] do list[i] = build(depth + 1) end
    return list
  end
  return build(1)
end

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
