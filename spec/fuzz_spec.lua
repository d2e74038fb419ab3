--- A short portion of scripts/fuzz with fixed seeds; `make fuzz` runs longer ones.
package.path = "scripts/fuzz/?.lua;" .. package.path

local function failures_of(kind, options)
  local found = {}
  function options.report(_, what) found[#found + 1] = what end
  options.seconds, options.shrink = 0, options.shrink or 0
  local counts = require(kind).fuzz(options)
  return table.concat(found, "\n\n"), counts
end

describe("random programs", function()
  it("give the same eagerly, compiled, looked at, and by reference kernels", function()
    local found, counts = failures_of("programs", {seed = 7000, count = 8})
    assert.equal("", found)
    assert.is_true(counts.tried >= 8 and counts.ran >= 4)
  end)
end)

describe("random calls", function()
  it("end in a result or in an error in the library's own words", function()
    local found, counts = failures_of("calls", {seed = 7000, count = 400, shrink = false})
    assert.equal("", found)
    assert.equal(400, counts.tried)
  end)
end)

describe("what is looked for", function()
  local compare = require "program_compare"
  local faults = require "call_faults"

  it("a difference in numbers, shapes, dtypes, structure and errors", function()
    local a = {{1, 2, dtype = "float32", shape = "2"}}
    assert.is_nil(compare(a, {{1, 2.0001, dtype = "float32", shape = "2"}}))
    assert.matches("2 and 2.1", compare(a, {{1, 2.1, dtype = "float32", shape = "2"}}), 1, true)
    assert.matches("dtype", compare(a, {{1, 2, dtype = "float64", shape = "2"}}))
    assert.matches("shape", compare(a, {{1, 2, dtype = "float32", shape = "2,1"}}))
    assert.matches("only in one", compare(a, {{1, 2, dtype = "float32", shape = "2"}, 1}))
    assert.matches("in one alone", compare(a, {error = "x:1: no"}))
    assert.is_nil(compare({error = "a:1: no"}, {error = "b:2: no"}))
    assert.matches("nan and 1", compare({0 / 0}, {1}))
    assert.is_nil(compare({0 / 0}, {0 / 0}))
  end)

  it("raw Lua's errors and the library's own lines", function()
    assert.equal("raw", faults.of("a.lua:1: attempt to index a nil value",
      "layers/dense.lua:3").kind)
    assert.equal("raw", faults.of("bad argument #1 to 'ipairs' (table expected, got nil)",
      "layers/dense.lua:3").kind)
    assert.equal("library's line",
      faults.of("lua/cusp/layers/dense.lua:3: no units", "layers/dense.lua:3").kind)
    assert.is_nil(faults.of("call:1: Dense: argument 'units' is missing", "kinds.lua:3"))
  end)
end)

describe("a program of statements", function()
  local tree = require "program_tree"
  local nodes = {"a = 1", {head = "do", tail = "end", open = true, "b = 2", "c = 3"}, "return a"}

  it("is printed, and made smaller", function()
    assert.equal("a = 1\ndo\n  b = 2\n  c = 3\nend\nreturn a", tree.text(nodes))
    assert.equal(5, tree.count(nodes))
    assert.equal("do\n  b = 2\n  c = 3\nend\nreturn a", tree.text(tree.without(nodes, 1)))
    assert.equal("a = 1\ndo\n  b = 2\nend\nreturn a", tree.text(tree.without(nodes, 4)))
    assert.equal("a = 1\nb = 2\nc = 3\nreturn a", tree.text(tree.opened(nodes, 2)))
    assert.is_nil(tree.opened(nodes, 1))
    assert.is_nil(tree.without(nodes, 5))
  end)
end)
