-- Nested tables.
local cusp = require "cusp"

local tree = cusp.tree

describe("tree", function()
  local nested = {b = 2, a = {1, {3}}}

  it("flattens in Keras's order, with paths", function()
    assert.are.same({1, 3, 2}, tree.flatten(nested))
    assert.are.same({5}, tree.flatten(5))
    assert.are.same({}, tree.flatten{})
    assert.are.same({false, 1}, tree.flatten{false, 1})
    assert.are.same({{{1, "foo"}, 42}}, tree.flatten_with_path{{foo = 42}})
    assert.are.same({{{"a", 1}, 1}, {{"a", 2, 1}, 3}, {{"b"}, 2}}, tree.flatten_with_path(nested))
    local x = cusp.ones{2}
    assert.are.equal(x, tree.flatten{{x}}[1])
  end)

  it("packs what was flattened", function()
    assert.are.same({b = 30, a = {10, {20}}}, tree.pack_sequence_as(nested, {10, 20, 30}))
    assert.are.equal(7, tree.pack_sequence_as("leaf", {7}))
    assert.error_matches(function() tree.pack_sequence_as(nested, {1}) end,
      "the structure has 3 leaves, but the list 1")
    assert.error_matches(function() tree.pack_sequence_as(nested, 1) end,
      "expected a list of leaves")
  end)

  it("maps one structure or several", function()
    assert.are.same({{1}, {4}, {9}}, tree.map_structure(function(v) return v * v end,
      {{1}, {2}, {3}}))
    local function sum(a, b) return a + b end
    assert.are.same({b = 4, a = {2, {6}}}, tree.map_structure(sum, nested, nested))
    assert.error_matches(function() tree.map_structure(sum, nested, {b = 1, a = {1, {3, 4}}}) end,
      "tree.map_structure: the structures differ at a.2: a list of 1 and a list of 2")
    assert.error_matches(function() tree.map_structure(sum) end, "expected a structure")
    assert.error_matches(function() tree.map_structure(3, nested) end, "expected a function")
  end)

  it("maps up to a shallow structure", function()
    local function count(list) return #list end
    assert.are.same({2, 3}, tree.map_structure_up_to({0, 0}, count, {{1, 1}, {2, 2, 2}}))
    assert.error_matches(function() tree.map_structure_up_to({0, {0}}, count, {{1}, 2}) end,
      "the structures differ at 2: a list of 1 and a leaf")
  end)

  it("compares structures", function()
    tree.assert_same_structure({{1, {x = 2}}}, {{3, {x = {} and 4}}})
    tree.assert_same_paths({1, 2}, {3, 4})
    assert.error_matches(function() tree.assert_same_structure({a = 1}, {b = 1}) end,
      "at the top: a is in one of them alone")
    assert.error_matches(function() tree.assert_same_structure({1}, {1, 2}) end, "at the top")
    assert.error_matches(function() tree.assert_same_paths({1}, {{1}}) end, "at 1: a leaf")
  end)

  it("traverses top down and bottom up", function()
    local seen = {}
    local function note(value) seen[#seen + 1] = type(value) == "table" and #value or value end
    assert.are.same({{1, 2}, {3}}, tree.traverse(note, {{1, 2}, {3}}))
    assert.are.same({2, 2, 1, 2, 1, 3}, seen)
    seen = {}
    tree.traverse(note, {{1, 2}, {3}}, false)
    assert.are.same({1, 2, 2, 3, 1, 2}, seen)
    local replaced = tree.traverse(function(value)
      if value == 1 then return tree.MAP_TO_NONE end
      if type(value) == "table" and #value == 1 then return "one" end
    end, {{1, 2}, {3}})
    assert.are.same({{cusp.null, 2}, "one"}, replaced)
  end)

  it("takes shapes for leaves, and tells nested from not", function()
    assert.are.same({a = 2, b = {1, 3}}, tree.map_shape_structure(function(shape) return #shape end,
      {a = {1, cusp.None}, b = {{4}, {1, 2, 3}}}))
    assert.are.same({true, false, false, false}, {tree.is_nested{}, tree.is_nested(1),
      tree.is_nested(cusp.ones{2}), tree.is_nested(cusp.layers.Dense(1))})
  end)

  it("ends at a table that contains itself", function()
    local circle = {}
    circle[1] = circle
    for _, f in ipairs{tree.flatten, tree.flatten_with_path} do
      assert.error_matches(function() f(circle) end, "contains itself")
    end
    assert.error_matches(function() tree.map_structure(print, circle) end, "contains itself")
    assert.error_matches(function() tree.map_structure(print, circle, circle) end,
      "contains itself")
    assert.error_matches(function() tree.traverse(function() end, circle) end, "contains itself")
  end)
end)
