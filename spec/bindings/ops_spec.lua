local engine = require "cusp.engine"
local message = require "spec.support.message"
local ops, tensor = engine.ops, engine.tensor

describe("the function of a row", function()
  local x = tensor({{1, 2, 3}, {4, 5, 6}})

  it("takes positional and keyword arguments in every form", function()
    local want = {6, 15}
    assert.same(want, ops.sum(x, 2):tolist())
    assert.same(want, ops.sum(x, {axis = 2}):tolist())
    assert.same(want, ops.sum{x, axis = 2}:tolist())
    assert.same(want, ops.sum{x, 2}:tolist())
    assert.same(want, ops.sum{x = x, axis = 2}:tolist())
    assert.same(want, x:sum(2):tolist())
    assert.same(want, x:sum{axis = 2}:tolist())
    assert.same(want, x:sum{2}:tolist())
    assert.same({{6}, {15}}, x:sum{2, keepdims = true}:tolist())
    assert.same({{6}, {15}}, ops.sum(x, 2, true):tolist())
    assert.same({{6}, {15}}, ops.sum(x, nil, {keepdims = true, axis = 2}):tolist())
    assert.equal(21, ops.sum(x, {1, 2}):item())
  end)

  it("stacks a list of tensors where it takes one tensor", function()
    local a, b = tensor{1, 2}, tensor{3, 4}
    assert.same({{1, 2}, {3, 4}}, ops.abs({a, b}):tolist())
    assert.same({{1, 2}, {3, 4}}, tensor{a, b}:tolist())
    assert.same({4, 6}, ops.sum({a, b}, 1):tolist())
    assert.same({4, 6}, ops.sum({a, b}, {axis = 1}):tolist())
    assert.same({{2, 4}, {4, 6}}, ops.add({a, b}, a):tolist())
    assert.same({4, 6}, ops.add{a, b}:tolist()) -- two tensors are its two arguments
    assert.equal(3, ops.sum{a, tensor(1)}:item()) -- a scalar may be the axis
    assert.same({1, 2, 2}, tensor({{a, b}}).shape)
    assert.matches("abs: argument 'x': tensor 2 has shape %[3%]",
      message(ops.abs, {a, tensor{1, 2, 3}}))
    assert.matches("item 2 of the list: expected a tensor", message(ops.abs, {{a, print}}))
    local round = {a}
    round[2] = round
    assert.matches("nested more than 8 deep", message(ops.abs, {round}))
  end)

  it("takes a list as the parameter where that is a list", function()
    assert.same({2, 3}, ops.ones{2, 3}.shape)
    assert.same({2, 3}, ops.ones({2, 3}).shape)
    assert.equal("int32", ops.ones({2, 3}, "int32").dtype)
    assert.equal("int32", ops.ones{2, 3, dtype = "int32"}.dtype)
    assert.equal("int32", ops.ones{{2, 3}, dtype = "int32"}.dtype)
    assert.equal("int32", ops.ones{shape = {2, 3}, dtype = "int32"}.dtype)
    assert.same({{5, 5}}, ops.full{{1, 2}, 5}:tolist())
    assert.same({3, 2}, x:reshape{3, 2}.shape)
    assert.same({6}, x:reshape{-1}.shape)
    assert.same({6}, ops.reshape(x, 6).shape)
    assert.same({{1, 4}, {2, 5}, {3, 6}}, x:transpose{2, 1}:tolist())
  end)

  it("takes lists of tensors, and tensors in their place", function()
    local a, b = tensor({1, 2}), tensor({3})
    assert.same({1, 2, 3}, ops.concatenate({a, b}):tolist())
    assert.same({1, 2, 3}, ops.concatenate{a, b}:tolist())
    assert.same({1, 2, 3, 4}, ops.concatenate{a, {3, 4}}:tolist())
    assert.same({{1, 2}, {1, 2}},
      ops.concatenate({{a:reshape{1, 2}, a:reshape{1, 2}}, axis = 1}):tolist())
    assert.matches("argument 'xs' expects a list of tensors",
      (message(ops.concatenate, 3):gsub("'%w+'", "'xs'")), 1, true)
    assert.matches("is an empty list (expected at least one tensor)", message(ops.concatenate, {}),
      1, true)
    local many = {}
    for i = 1, 200 do many[i] = tensor({i}) end
    assert.same({200}, ops.concatenate(many).shape)
    assert.equal(20100, ops.concatenate(many):sum():item())
  end)

  it("returns a table where the result is a list, and several values where it is a tuple",
    function()
    local parts = ops.split(x, 3, 2)
    assert.equal(3, #parts)
    assert.same({{2}, {5}}, parts[2]:tolist())
    local values, indices = ops.top_k(tensor({3.0, 1.0, 2.0}), 2)
    assert.same({3, 2}, values:tolist())
    assert.same({0, 2}, indices:tolist())
  end)

  it("takes numbers, booleans, tables and variables as tensors", function()
    assert.same({2, 3}, ops.add({1, 2}, 1):tolist())
    assert.equal(3, ops.add(1, 2):item())
    assert.equal(6, ops.sum{1, 2, 3}:item())
    assert.same({1, -2}, ops.where({true, false}, 1, -2):tolist())
    assert.same({2, 3}, ops.add(engine.variable({1, 2}), 1):tolist())
  end)

  it("takes null for an argument that is absent", function()
    local null = require "cusp.base.null"
    assert.equal(21, ops.sum(x, null):item())
    assert.equal(21, ops.sum(x, {axis = null}):item())
    assert.equal(21, ops.sum{x, null, keepdims = null}:item())
    assert.matches("argument 'x' is missing", message(ops.sum, null), 1, true)
  end)

  it("counts axes from 1", function()
    assert.same({3, 2}, ops.swapaxes(x, 1, 2).shape)
    assert.same({1, 2, 3}, ops.expand_dims(x, 1).shape)
    assert.same({2, 3, 1}, ops.expand_dims(x, -1).shape)
    assert.matches("axes count from 1", message(ops.sum, x, 0), 1, true)
    assert.matches("axis 3 is out of range", message(ops.sum, x, 3), 1, true)
    assert.matches("count from 1", message(ops.expand_dims, x, 0), 1, true)
  end)

  it("names what is wrong with the arguments, at the user's line", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local ok, text = pcall(function() ops.sum(x, {axs = 2}) end)
    assert.is_false(ok)
    assert.matches("^[^:]*ops_spec.lua:" .. line .. ": sum: ", text)
    assert.matches(
      "sum: unknown argument 'axs'; did you mean 'axis'? (arguments: x, axis, keepdims)", text, 1,
      true)
    assert.matches("sum: argument 'x' is missing (expected a tensor", message(ops.sum), 1, true)
    assert.matches("sum: takes at most 3 arguments (x, axis, keepdims), got 4",
      message(ops.sum, x, 1, true, 4), 1, true)
    assert.matches("sum: argument 'axis' is given twice, by position and by name",
      message(ops.sum, x, 1, {axis = 2}), 1, true)
    assert.matches("sum: argument 'keepdims' expects true or false, got 1",
      message(ops.sum, x, 1, 1), 1, true)
    assert.matches("sum: argument 'axis': expected a list of integers, got the string \"a\"",
      message(ops.sum, x, "a"), 1, true)
    assert.matches("got the string \"a\" at position 2", message(ops.sum, x, {1, "a"}), 1, true)
    local text_of_function = message(ops.sum, print)
    assert.matches(
      "sum: argument 'x': expected a tensor, a number or nested tables of numbers, got a function",
      text_of_function, 1, true)
    assert.matches("cast: argument 'dtype'", message(ops.cast, x, "flaot"), 1, true)
    assert.matches("add: ", message(ops.add, x, tensor({1, 2})), 1, true)
    assert.matches("ragged", message(ops.add, x, {{1, 2}, {3}}), 1, true)
  end)

  it("goes to the symbolic handler as it was called", function()
    local previous
    local symbolic = setmetatable({}, {__symbolic = true})
    local calls = {}
    local models = package.loaded["cusp.symbolic.tensors"]
    engine.set_symbolic_handler(function(...)
      calls[#calls + 1] = table.pack(...)
      return "result", 2
    end)
    previous = {ops.sum(symbolic, {axis = 2})}
    assert.same({"result", 2}, previous)
    assert.equal("sum", calls[1][1])
    assert.equal(symbolic, calls[1][2])
    assert.same({axis = 2}, calls[1][3])
    assert.equal("result", (ops.concatenate{x, symbolic}))
    assert.equal("concatenate", calls[2][1])
    assert.equal("result", (x + symbolic))
    assert.equal("add", calls[3][1])
    assert.equal(x, calls[3][2])
    assert.equal("result", (ops.add(2, symbolic)))
    assert.equal(2, calls[4][2])
    engine.set_symbolic_handler(function(name, ...)
      return require("cusp.symbolic.tensors").call_operation(name, nil, ...)
    end)
    assert.is_true(models == nil or type(models) == "table")
  end)
end)

describe("engine.describe", function()
  it("lists every row with its arguments", function()
    local rows = {}
    for _, row in ipairs(engine.describe()) do
      rows[row.name] = row
      assert.is_function(ops[row.name], row.name)
      assert.is_true(#row.help > 0, row.name)
      assert.matches("%.$", row.help, 1, false, row.name)
    end
    assert.equal("x", rows.sum.arguments[1].name)
    assert.equal("tensor", rows.sum.arguments[1].kind)
    assert.equal("axes", rows.sum.arguments[2].kind)
    assert.is_true(rows.sum.arguments[2].optional)
    assert.is_true(rows.sum.flags.reduction)
    assert.is_false(rows.sum.arguments[3].default)
    assert.equal("tensors", rows.concatenate.arguments[1].kind)
  end)

  it("shows hidden rows only to those who ask for them", function()
    for _, row in ipairs(engine.describe()) do
      assert.equal(not row.flags.hidden, rawget(ops, row.name) ~= nil, row.name)
    end
  end)
end)
