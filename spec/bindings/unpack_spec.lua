local cusp = require "cusp"
require "cusp.engine"

describe("table.unpack", function()
  it("is Lua's for lists", function()
    assert.are.same({1, 2, 3}, {table.unpack{1, 2, 3}})
    assert.are.same({2, 3}, {table.unpack({1, 2, 3}, 2)})
    assert.are.same({2}, {table.unpack({1, 2, 3}, 2, 2)})
    assert.are.equal(0, select("#", table.unpack({}, 1, 0)))
    assert.are.equal(3, select("#", table.unpack({}, 1, 3)))
    assert.are.equal(2, select("#", table.unpack({}, math.maxinteger - 1, math.maxinteger)))
    assert.are.same({1, 2}, {table.unpack(setmetatable({}, {__len = function()
      return 2
    end, __index = function(_, i)
      return i
    end}))})
  end)

  it("refuses what Lua's refuses", function()
    assert.error_matches(function() table.unpack(nil) end, "nil value")
    assert.error_matches(function() table.unpack({}, "x") end, "bad argument #2 to 'unpack'")
    assert.error_matches(function() table.unpack({}, 1, 1e8) end, "too many results")
    assert.error_matches(function()
      table.unpack({}, math.mininteger, math.maxinteger)
    end, "too many results")
  end)

  it("gives the values that evaluate returns", function()
    local model = cusp.Sequential{cusp.layers.Dense{2, activation = "softmax"}}
    model:compile{loss = "mse", metrics = {"mae"}}
    local x, y = cusp.ones{4, 3}, cusp.zeros{4, 2}
    local loss, error_ = model:evaluate{x, y, verbose = 0}
    assert.are.same({loss, error_}, {table.unpack(model:evaluate{x, y, verbose = 0})})
    model:compile{loss = "mse"}
    assert.are.same({model:evaluate{x, y, verbose = 0}},
      {table.unpack(model:evaluate{x, y, verbose = 0})})
  end)
end)
