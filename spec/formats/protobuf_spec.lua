-- Messages: the same bytes as Google's library, decoding, and damaged bytes.
local json = require "cusp.formats.json"
local protobuf = require "cusp.formats.protobuf"
local text_files = require "spec.support.text_files"

local read = text_files.read

local function to_hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end
local function from_hex(text)
  return (text:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- Every given field comes back; the others are empty.
local function check_fields(given, found, path)
  for key, value in pairs(given) do
    local own = ("%s.%s"):format(path, key)
    if type(value) == "table" then
      assert.are.equal("table", type(found[key]), own)
      if #value > 0 then assert.are.equal(#value, #found[key], own) end
      check_fields(value, found[key], own)
    else
      assert.are.equal(value, found[key], own)
    end
  end
end

describe("protobuf", function()
  local cases = json.decode(read "spec/fixtures/tensorboard/messages.json")

  for i, case in ipairs(cases) do
    it(("encodes and decodes case %d, %s, as Google's library does"):format(i, case.message),
      function()
      assert.are.equal(case.hex, to_hex(protobuf.encode(case.message, case.fields)))
      check_fields(case.fields, protobuf.decode(case.message, from_hex(case.hex)), case.message)
    end)
  end

  it("gives numbers, text and lists that are absent as zero and empty, messages and members of a "
    .. "oneof not at all", function()
    local entry = protobuf.decode("tensorflow.BundleEntryProto", "")
    assert.are.equal(0, entry.offset)
    assert.are.equal("DT_INVALID", entry.dtype)
    assert.are.same({}, entry.slices)
    assert.is_nil(entry.shape)
    local event = protobuf.decode("tensorflow.Event", "")
    assert.is_nil(event.file_version)
    assert.are.equal("", protobuf.decode("tensorflow.Event",
      protobuf.encode("tensorflow.Event", {file_version = ""})).file_version)
  end)

  it("keeps zero bytes in text and every value of integers", function()
    local bytes = protobuf.encode("tensorflow.Event",
      {file_version = "a\0b", step = math.mininteger})
    local event = protobuf.decode("tensorflow.Event", bytes)
    assert.are.equal("a\0b", event.file_version)
    assert.are.equal(math.mininteger, event.step)
  end)

  it("takes enumerated values by number, and gives unknown ones as numbers", function()
    local bytes = protobuf.encode("tensorflow.BundleEntryProto", {dtype = 99})
    assert.are.equal(99, protobuf.decode("tensorflow.BundleEntryProto", bytes).dtype)
    assert.are.equal("DT_HALF",
      protobuf.decode("tensorflow.BundleEntryProto", protobuf.encode("tensorflow.BundleEntryProto",
      {dtype = 19})).dtype)
  end)

  it("passes over fields it does not know", function()
    local bytes = protobuf.encode("tensorflow.SummaryMetadata", {display_name = "x"})
      .. "\xf8\x07\x01"
    assert.are.equal("x", protobuf.decode("tensorflow.SummaryMetadata", bytes).display_name)
  end)

  it("says which field is wrong", function()
    local function fails(message, value, pattern)
      local ok, text = pcall(protobuf.encode, message, value)
      assert.is_false(ok)
      assert.matches(pattern, text)
    end
    fails("tensorflow.Nothing", {}, "there is no message 'tensorflow.Nothing'")
    fails("tensorflow.BundleEntryProto", {offest = 1},
      "has no field 'offest'; its fields: dtype, shape")
    fails("tensorflow.BundleEntryProto", {1}, "has no field '1'")
    fails("tensorflow.BundleEntryProto", {offset = 1.5},
      "offset: expected an integer, got number 1.5")
    fails("tensorflow.BundleEntryProto", {shard_id = 1 << 31},
      "shard_id: expected an integer of 32 bits")
    fails("tensorflow.BundleEntryProto", {crc32c = -1},
      "crc32c: expected an integer of 32 bits without sign")
    fails("tensorflow.BundleEntryProto", {dtype = "DT_NONE"},
      "expected a name of tensorflow.DataType")
    fails("tensorflow.BundleEntryProto", {shape = 3},
      "expected a table for tensorflow.TensorShapeProto, got number 3")
    fails("tensorflow.BundleEntryProto", {slices = "a"}, "slices: expected a list")
    fails("tensorflow.TensorProto", {float_val = {1, "a"}},
      "float_val%[2%]: expected a number, got string a")
    fails("tensorflow.Event", {file_version = "a", graph_def = "b"}, "only one of")
    local circle = {}
    circle.list_value = {values = {circle}}
    fails("google.protobuf.Value", circle, "nested too deep")
  end)

  describe("of bytes from anywhere", function()
    local function decode(message, bytes) return pcall(protobuf.decode, message, bytes) end

    it("refuses what is cut off, wherever", function()
      for _, case in ipairs(cases) do
        local bytes = from_hex(case.hex)
        for length = 1, #bytes - 1 do decode(case.message, bytes:sub(1, length)) end
      end
      assert.is_false(decode("tensorflow.Event", "\x1a\x7fabc"))
      assert.is_false(decode("tensorflow.Event", "\x0b"))
      assert.is_false(decode("tensorflow.Event", ("\xff"):rep(20)))
    end)

    it("bounds the depth of messages", function()
      local function field(key, bytes)
        local size = #bytes < 128 and string.char(#bytes)
          or string.char(#bytes & 0x7f | 0x80, #bytes >> 7)
        return key .. size .. bytes
      end
      local function nest(levels)
        local bytes = "\x20\x01" -- bool_value
        -- list_value of one value
        for _ = 1, levels do bytes = field("\x32", field("\x0a", bytes)) end
        return bytes
      end
      assert.is_true(decode("google.protobuf.Value", nest(20)))
      local ok, message = decode("google.protobuf.Value", nest(100))
      assert.is_false(ok)
      assert.matches("nested too deep", message)
    end)

    it("bounds the memory that few bytes can ask for", function()
      local ok, message = decode("tensorflow.TrackableObjectGraph", ("\x0a\x00"):rep(2000000))
      assert.is_false(ok)
      assert.matches("too much memory", message)
    end)

    it("survives any change of a byte", function()
      local seed = 7
      local function random(n)
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        return seed >> 8 & 0xffff, (seed >> 8) % n
      end
      for _, case in ipairs(cases) do
        local bytes = from_hex(case.hex)
        for _ = 1, #bytes > 0 and 300 or 0 do
          local byte, at = random(#bytes)
          local changed = bytes:sub(1, at) .. string.char(byte & 0xff) .. bytes:sub(at + 2)
          local ok, result = decode(case.message, changed)
          assert.is_true(ok or type(result) == "string")
          if ok then protobuf.encode(case.message, result) end
        end
      end
    end)
  end)
end)
