-- TFRecord files: TensorFlow's, our own, damaged ones, and Examples.
local cusp = require "cusp"
local events = require "spec.support.events"
local folder = require "spec.support.folder"
local json = require "cusp.formats.json"
local text_files = require "spec.support.text_files"
local tfrecord = cusp.tfrecord

local read = text_files.read

local function write(path, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
  return path
end

local function from_hex(text)
  return (text:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end))
end

local fixture = json.decode(read "spec/fixtures/tensorboard/records.json")
local expected = {}
for i, record in ipairs(fixture.records) do expected[i] = from_hex(record) end

local function all(...)
  local list = {}
  for record in tfrecord.records(...) do list[#list + 1] = record end
  return list
end

-- The event files of a training run in Keras, listed beside them.
local golden = "../shared/golden/models/callbacks/tf2/tensorboard/"
local has_golden = io.open(golden .. "events.json")
if has_golden then has_golden:close() end

local function check_value(wanted, found)
  assert.are.equal(wanted.tag, found.tag)
  assert.are.equal(wanted.plugin, found.plugin)
  for i, number in ipairs(wanted.data or {}) do
    assert.is_true(math.abs(number - found.data[i]) <= 1e-6 * math.max(1, math.abs(number)),
      wanted.tag)
  end
end

local golden_block = has_golden and describe or pending

golden_block("event files of Keras", function()
  it("are read, each value of each record", function()
    for _, file in ipairs(json.decode(read(golden .. "events.json")).files) do
      local found, at = events.values(golden .. file.file:match "^%w+"), 0
      for _, record in ipairs(file.records) do
        for _, value in ipairs(record.values or {}) do
          at = at + 1
          assert.are.equal(record.step, found[at].step)
          check_value(value, found[at])
        end
      end
      assert.are.equal(at, #found)
    end
  end)
end)

describe("tfrecord", function()
  for _, compression in ipairs{"none", "gzip", "zlib"} do
    it("reads TensorFlow's files, compression " .. compression, function()
      local place <close> = folder.new()
      local path = write(place.path .. "/r", from_hex(fixture[compression]))
      assert.are.same(expected, all(path))
      assert.are.same(expected, all(path, {compression = compression}))
    end)
  end

  it("reads gzip files of several members", function()
    local place <close> = folder.new()
    local bytes = from_hex(fixture.gzip)
    assert.are.equal(2 * #expected, #all(write(place.path .. "/r", bytes .. bytes)))
  end)

  it("reads compressed records of every size around that of a buffer", function()
    local place <close> = folder.new()
    for size = 1000, 1016 do
      local writer = tfrecord.writer(place.path .. "/" .. size)
      writer:write(("x"):rep(size))
      writer:close()
      local code, bytes = require("cusp.native.process").run({"gzip", "-c"},
        read(place.path .. "/" .. size))
      assert.are.equal(0, code)
      assert.are.equal(size, #all(write(place.path .. "/gz", bytes))[1])
    end
  end)

  it("writes what TensorFlow writes, and appends", function()
    local place <close> = folder.new()
    local path = place.path .. "/r"
    for half = 1, 2 do
      local writer <close> = tfrecord.writer(path)
      for i = 2 * half - 1, 2 * half do writer:write(expected[i]) end
    end
    assert.are.equal(from_hex(fixture.none), read(path))
  end)

  it("hands records to the system when it is told to", function()
    local place <close> = folder.new()
    local writer <close> = tfrecord.writer(place.path .. "/r")
    writer:write "one"
    writer:flush()
    assert.are.same({"one"}, all(place.path .. "/r"))
  end)

  local function fails(bytes, pattern, options)
    local place <close> = folder.new()
    local path = write(place.path .. "/damaged", bytes)
    local ok, message = pcall(all, path, options)
    assert.is_false(ok)
    assert.matches("damaged", message)
    assert.matches(pattern, message)
  end

  local function changed(bytes, at, by)
    return bytes:sub(1, at - 1) .. string.char((bytes:byte(at) + (by or 1)) % 256)
      .. bytes:sub(at + 1)
  end

  it("says which record of which file is damaged", function()
    local bytes = from_hex(fixture.none)
    fails(changed(bytes, 17, 1),
      "record 2 %(at byte 16%): the checksum of its length is %x+, expected %x+")
    fails(changed(bytes, 16 + 13), "record 2 %(at byte 16%): the checksum of its content")
    fails(bytes:sub(1, 16 + 5), "record 2 .*ends in its header %(5 of 12 bytes%)")
    fails(bytes:sub(1, 16 + 13), "record 2 .*its length is 3 bytes, and the file has 0 more")
    fails(from_hex(fixture.gzip):sub(1, -20), "compressed data ends too early")
    fails(changed(from_hex(fixture.gzip), 60, 77), "damaged")
  end)

  it("takes no memory for a length that only claims to be right", function()
    local length = ("<I8"):pack(1 << 40)
    local bytes = length .. ("<I4"):pack(require("cusp.engine").files.masked_crc32c(length))
      .. "abc"
    fails(bytes, "its length is 1099511627776 bytes")
    fails(bytes, "its length is 1099511627776 bytes", {compression = "none"})
  end)

  it("reads an empty file as no records", function()
    local place <close> = folder.new()
    assert.are.same({}, all(write(place.path .. "/r", "")))
  end)

  it("names the file that cannot be opened or written", function()
    assert.has_error.matches(function() tfrecord.reader "/nowhere/r" end, "cannot read /nowhere/r")
    assert.has_error.matches(function() tfrecord.writer "/nowhere/r" end, "cannot write /nowhere/r")
    local writer = tfrecord.writer "/dev/full"
    writer:write "a"
    assert.has_error.matches(function() writer:flush() end, "cannot write /dev/full: No space left")
    pcall(writer.close, writer)
  end)

  it("refuses what is no string, and use after closing", function()
    local place <close> = folder.new()
    local writer = tfrecord.writer(place.path .. "/r")
    assert.has_error.matches(function()
      writer:write(3)
    end, "a record should be a string, got number 3")
    writer:close()
    writer:close()
    assert.has_error.matches(function() writer:write "a" end, "is closed")
  end)

  it("encodes samples and gives them back", function()
    local bytes = tfrecord.encode_example{
      label = 3, weights = {0.5, 2}, name = "seven", words = {"a", ""},
      pixels = cusp.tensor{{1, 2}, {3, 4}},
      floats = cusp.tensor{0.5, 1.5}, none = {},
    }
    local features = tfrecord.decode_example(bytes)
    assert.are.same({3}, features.label)
    assert.are.same({0.5, 2.0}, features.weights)
    assert.are.same({"seven"}, features.name)
    assert.are.same({"a", ""}, features.words)
    assert.are.same({1, 2, 3, 4}, features.pixels)
    assert.are.same({0.5, 1.5}, features.floats)
    assert.are.same({}, features.none)
    assert.has_error.matches(function()
      tfrecord.encode_example{a = {1, "b"}}
    end, "feature 'a', item 2")
  end)
end)
