local cusp = require "cusp"
local engine = require "cusp.engine"

local out_of_range = function(x) return cusp.ops.take(x, cusp.tensor({7}, {dtype = "int32"}), 1) end

describe("a tensor that cannot be computed", function()
  it("keeps its error to itself", function()
    local x, kept = cusp.tensor{1.0, 2.0, 3.0}, {}
    local bad = out_of_range(x)
    local of_bad = bad * 2
    for i = 1, 6000 do kept[i] = x * i end
    assert.equal(18000, kept[6000]:item(3))
    for _, one in ipairs{bad, of_bad, bad} do
      local ok, message = pcall(one.item, one, 1)
      assert.is_false(ok)
      assert.matches("failed_spec.lua:4.*out of range", message)
    end
    assert.equal(12, kept[4]:item(3))
  end)

  it("does not keep others from being computed in time", function()
    local x, kept = cusp.ones{4}, {out_of_range(cusp.ones{3})}
    for i = 1, 10000 do kept[#kept + 1] = x + i end
    assert.is_true(engine.stats().pending < 5000)
    assert.equal(10001, kept[10001]:item(1))
  end)
end)
