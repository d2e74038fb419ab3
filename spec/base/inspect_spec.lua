local cusp = require "cusp"
local inspect = cusp.inspect

describe("cusp.inspect", function()
  it("shows tables sorted, nested and abridged", function()
    assert.equal('{1, 2, "a", b = {c = {1}}, ["d e"] = true}',
      inspect{1, 2, "a", b = {c = {1}}, ["d e"] = true})
    assert.equal("{}", inspect{})
    local long = {}
    for i = 1, 100 do long[i] = i end
    assert.matches("20,\n  ... 80 more\n}", inspect(long), 1, true)
    assert.equal("{1, 2, ... 98 more}", inspect(long, {items = 2}))
  end)

  it("shows as many tables within tables as are asked for, and no loop twice", function()
    assert.equal("{{{1}}}", inspect{{{1}}})
    assert.equal("{{{{...}}}}", inspect{{{{1}}}})
    assert.equal("{{{{{1}}}}}", inspect({{{{{1}}}}}, {depth = 9}))
    assert.equal("{...}", inspect({1}, {depth = 0}))
    local loop = {}
    loop.self = loop
    assert.equal("{self = {...}}", inspect(loop, {depth = math.huge}))
  end)

  it("shows a large tensor within a table by its type", function()
    local tensor = require("cusp.engine").tensor
    assert.equal("{tensor(..., shape = {2, 2}, dtype = int32)}", inspect{tensor({{1, 2}, {3, 4}})})
    assert.equal("{tensor([1, 2], shape = {2}, dtype = int32)}", inspect{tensor({1, 2})})
  end)

  it("shows functions with their arguments and their place", function()
    assert.matches("^function%(a, %.%.%.%), .*inspect_spec.lua:%d+$",
      inspect(function(a, ...) return a, ... end))
    assert.equal("function(...), in C", inspect(string.rep))
  end)

  it("refuses options that it does not know", function()
    assert.has_error(function() inspect(1, {dept = 2}) end)
    local _, message = pcall(inspect, 1, {dept = 2})
    assert.matches("unknown argument 'dept' (did you mean 'depth'?)", message, 1, true)
    _, message = pcall(inspect, 1, {depth = "a"})
    assert.matches("depth should be an integer of at least 0, got string \"a\"", message, 1, true)
    _, message = pcall(inspect, 1, 3)
    assert.matches("expected a table of options", message, 1, true)
  end)
end)
