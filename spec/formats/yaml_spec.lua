local json = require "cusp.formats.json"
local yaml = require "cusp.formats.yaml"

describe("yaml", function()
  it("brings back what it wrote, order and null and empties kept", function()
    local text =
      '{"b": 1, "a": [], "c": {}, "d": null, "e": [1, 2.5, [1, [2]], {"x": "yes", "y": "a: b", '
      .. '"z": "two\\nlines", '
      .. '"n": "null"}], "f": {"g": {"h": []}}, "i": 1e+20, "s": "é", "t": true, "k": 1e-07, "q": '
        .. '"1e5", "empty": ""}'
    assert.equal(text, json.encode(yaml.decode(yaml.encode(json.decode(text)))))
  end)

  it("reads anchors, block and flow styles", function()
    assert.equal('{"a": [1, 2], "b": [1, 2], "c": null, "d": "x y"}',
      json.encode(yaml.decode "a: &n [1, 2]\nb: *n\nc: ~\nd: x y\n"))
  end)

  it("says where a text is wrong", function()
    local ok, message = pcall(yaml.decode, "a: [1")
    assert.is_false(ok)
    assert.matches("yaml: .*line", message)
  end)

  it("refuses tables that are neither lists nor objects, rather than leave out some of them",
    function()
    for _, value in ipairs{{1, 2, a = 3}, {[1] = 1, [5] = 2}, {[1.5] = 2}} do
      local ok, message = pcall(yaml.encode, {value})
      assert.is_false(ok)
      assert.matches("yaml.encode: a ", message)
    end
  end)
end)
