-- Libraries loaded on demand: the message if one is missing.
local native = require "cusp.base.native"

describe("native.load", function()
  it("gives the module", function()
    assert.are.equal(require "cusp.native.protobuf", native.load("protobuf", "a test"))
  end)

  it("names what needs it and the packages to install", function()
    local kept, path = package.loaded["cusp.native.png"], package.cpath
    package.loaded["cusp.native.png"], package.cpath = nil, ""
    local ok, message = pcall(native.load, "png", "summary.image")
    package.loaded["cusp.native.png"], package.cpath = kept, path
    assert.is_false(ok)
    assert.matches(
      "summary.image needs cusp.native.png, which cannot be loaded: it was not built; install "
      .. "libpng16%-16", message)
  end)
end)
