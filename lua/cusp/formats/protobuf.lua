--- Protobuf messages in TensorFlow's and TensorBoard's files, as Lua tables. A message is a table
-- of its fields by name: a list for a repeated field (a map is a list of `{key =, value =}`), a
-- string for text and bytes, an integer or a float, a boolean, and a table for a nested message.
-- Enumerated values are accepted by name or number and returned by name, or by number if they have
-- none. Omitted fields are zero, empty or absent.
--
-- A decoded table has every number, text and list, even zero or empty ones. Nested messages and
-- members of a "oneof" appear only if they are in the bytes. Unknown fields are skipped. The
-- descriptions are in `bindings/protobuf/*.proto`.
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

--- Encodes a table as a message.
-- @tparam string message name with its package, "tensorflow.Event"
-- @tparam table value its fields
-- @treturn string
-- @raise if the message or a field is unknown, or a value does not fit its field
function protobuf.encode(message, value) return call("encode", message, value) end

--- Decodes a message.
-- @tparam string message name with its package, "tensorflow.Event"
-- @tparam string bytes may be untrusted: sizes and nesting are checked, memory is limited
-- @treturn table
-- @raise if the message is unknown or the bytes are invalid
function protobuf.decode(message, bytes) return call("decode", message, bytes) end

--- The names of all messages.
-- @treturn {string,...}
function protobuf.names() return call "names" end

return protobuf
