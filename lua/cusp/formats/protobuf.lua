--- Protobuf messages of TensorFlow's and TensorBoard's files, as Lua tables.
-- A message is a table of its fields by name: a list for a repeated field (a map is a list of `{key
-- =, value =}`), a string for text and bytes, an integer or a float, a boolean, a table for a
-- message within. An enumerated value is given as its name or its number and comes back as its name
-- (as a number where it has none). What is left out is zero, empty or absent.
--
-- A decoded table has every number, text and list, zero and empty ones too; messages within and the
-- members of a "oneof" are there only when the bytes have them. Fields that the description does
-- not know are passed over. The descriptions are in `bindings/protobuf/*.proto`.
-- @module cusp.formats.protobuf
-- @usage local bytes = protobuf.encode("tensorflow.BundleEntryProto",
--   {dtype = "DT_FLOAT", shape = {dim = {{size = 3}}}, size = 12})
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local protobuf = {}

local native

local function call(name, message, value)
  native = native or require("cusp.base.native").load("protobuf", "protobuf")
  local ok, result = engine.attempt(native[name], message, value)
  if not ok then errors.raise("protobuf: %s", result) end
  return result
end

--- A table as the bytes of a message.
-- @tparam string message name with its package, "tensorflow.Event"
-- @tparam table value its fields
-- @treturn string
-- @raise where the message or a field is unknown, or a value does not fit its field
function protobuf.encode(message, value) return call("encode", message, value) end

--- The bytes of a message as a table.
-- @tparam string message name with its package, "tensorflow.Event"
-- @tparam string bytes from anywhere: sizes and nesting are checked, memory is bounded
-- @treturn table
-- @raise where the message is unknown or the bytes are none of it
function protobuf.decode(message, bytes) return call("decode", message, bytes) end

--- The names of all messages.
-- @treturn {string,...}
function protobuf.names() return call "names" end

return protobuf
