local json = require "cusp.formats.json"
local message = require "spec.support.message"

describe("json", function()
  it("keeps null, empty lists and objects, key order and numbers", function()
    local text =
      '{"b": 1, "a": [], "c": {}, "d": null, "e": [1, 2.5, -0.0, 1e-07, NaN, Infinity, -Infinity, '
      .. 'true]}'
    assert.equal(text, json.encode(json.decode(text)))
    assert.equal("integer", math.type(json.decode "12"))
    assert.equal("float", math.type(json.decode "12.0"))
    assert.equal("float", math.type(json.decode "123456789012345678901234"))
    assert.equal(json.null, json.decode "null")
    assert.equal(json.decode "[null]"[1], require("cusp").null)
  end)

  it("reads escapes and surrogate pairs, and writes them when asked", function()
    local value = json.decode [["\u00e9\ud83d\ude00\n\"\\\/"]]
    assert.equal("é😀\n\"\\/", value)
    assert.equal([["\u00e9\ud83d\ude00\n\"\\/"]], json.encode(value, {ascii = true}))
    assert.equal(value, json.decode(json.encode(value)))
  end)

  it("adds new keys of a decoded object after the old ones", function()
    local objects = json.decode '[{"z": 1, "y": 2}, {"z": 3, "y": 4}]'
    objects[1].b, objects[1].a = 3, 4
    assert.equal('[{"z": 1, "y": 2, "a": 4, "b": 3}, {"z": 3, "y": 4}]', json.encode(objects))
  end)

  it("writes text over several lines", function()
    assert.equal('{\n  "a": [\n    1\n  ],\n  "b": {}\n}',
      json.encode({a = {1}, b = json.object{}}, {indent = 2}))
    assert.equal('{"a":[1,2]}', json.encode({a = {1, 2}}, {compact = true}))
  end)

  it("says where a text is wrong", function()
    assert.matches("json_spec.lua:%d+: json: .*at line 2, column 3", message(function()
      json.decode '{"a":\n [x]}'
    end))
    local wrong = {"", "[1,]", "{\"a\":1,}", "01", "1.", "1e", "\"abc", "nul", "[1] 2",
      "\"\\x\"", "\"\\u12\"", "[1 2]", "{\"a\" 1}", "\"a\nb\"", "-"}
    for _, text in ipairs(wrong) do
      assert.matches("^.-json: ", message(json.decode, text))
    end
    assert.matches("nested deeper", message(json.decode, ("["):rep(100000)))
  end)

  it("refuses what has no JSON form", function()
    local cycle = {}
    cycle[1] = cycle
    for _, value in ipairs{print, {1, a = 2}, {[3] = 1}, cycle, io.stdout} do
      message(json.encode, value)
    end
  end)

  it("keeps the order of objects with very many keys", function()
    local parts = {}
    for i = 1, 200 do parts[i] = ('"k%d": %d'):format(i * 7 % 200, i) end
    local text = "{" .. table.concat(parts, ", ") .. "}"
    assert.equal(text, json.encode(json.decode(text)))
  end)
end)
