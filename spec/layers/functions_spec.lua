-- Functions of layers, and layers of functions, compared with values computed by hand.
local cases = require "spec.support.cases"
local cusp = require "cusp"
local layers = cusp.layers

local a, b = cusp.tensor{{1, 5}, {3, 2}}, cusp.tensor{{4, 2}, {0, 7}}

local function check(got, expected) cases.compare(got, {data = expected}, {}, "value") end

describe("functions of layers:", function()
  it("merge two tensors element by element", function()
    check(layers.add{a, b}, {5, 7, 3, 9})
    check(layers.subtract{a, b}, {-3, 3, 3, -5})
    check(layers.multiply{a, b}, {4, 10, 0, 14})
    check(layers.average{a, b}, {2.5, 3.5, 1.5, 4.5})
    check(layers.maximum{a, b}, {4, 5, 3, 7})
    check(layers.minimum{a, b}, {1, 2, 0, 2})
  end)

  it("put two tensors together", function()
    check(layers.concatenate{a, b}, {1, 5, 4, 2, 3, 2, 0, 7})
    check(layers.dot({a, b}, {axes = 2}), {14, 14})
  end)

  it("make a layer of a function", function()
    check(layers.Lambda(function(x) return x * 2 + 1 end)(a), {3, 11, 7, 5})
  end)
end)
