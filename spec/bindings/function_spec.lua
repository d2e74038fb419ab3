local engine = require "cusp.engine"
local message = require "spec.support.message"

local function compile(f, ...)
  local trace <close> = engine.trace()
  local arguments = {}
  for i, shape in ipairs{...} do arguments[i] = trace:placeholder(shape, "float32") end
  return trace:compile({f(table.unpack(arguments))})
end

describe("a compiled function", function()
  it("computes what was traced", function()
    local f = compile(function(x, y) return x * 2 + y, x:sum() end, {2}, {2})
    assert.equal(2, f.n_arguments)
    assert.equal(2, f.n_results)
    local a, b = f(engine.tensor({1.0, 2.0}), engine.tensor({10.0, 20.0}))
    assert.same({12, 24}, a:tolist())
    assert.equal(3, b:item())
    assert.is_false(engine.tracing())
    assert.matches("2 outputs", tostring(f))
  end)

  it("reads variables when it runs, and assigns them", function()
    local v = engine.variable({1.0, 1.0})
    local f = compile(function(x)
      local y = x * v
      v:assign_add(x)
      return y
    end, {2})
    assert.same({1, 1}, v:tolist())
    local x = engine.tensor({2.0, 3.0})
    assert.same({2, 3}, f(x):tolist())
    assert.same({3, 4}, v:tolist())
    assert.same({6, 12}, f(x):tolist())
    assert.same({5, 7}, v:tolist())
  end)

  it("gives gradients within a trace", function()
    local v = engine.variable({3.0})
    local f = compile(function(x)
      local y = (x * v * v):sum()
      return table.unpack(engine.gradients({y}, {x, v}))
    end, {1})
    local dx, dv = f(engine.tensor({2.0}))
    assert.same({9}, dx:tolist())
    assert.same({12}, dv:tolist())
  end)

  it("is seen as a graph of operations, with variables as constants", function()
    local v = engine.variable({1.0, 2.0, 3.0})
    local trace <close> = engine.trace()
    local x = trace:placeholder({2, 3}, "float32")
    local y = engine.ops.softmax(x * v.value + engine.ops.exp(engine.tensor({0.0, 0.0, 0.0})))
    local graph = trace:graph{y, engine.ops.sum(y, {1})}
    local names = {}
    for i, op in ipairs(graph.operations) do names[i] = op.name end
    assert.same({"multiply", "add", "softmax_rows", "sum"}, names)
    assert.same({0}, graph.operations[4].attributes.axis)
    assert.same({3}, graph.values[graph.outputs[2]].shape)
    assert.equal(1, graph.leaves[1].argument)
    assert.same({1, 2, 3}, graph.leaves[2].constant:tolist())
    assert.same({1, 1, 1}, graph.leaves[3].constant:tolist())
    assert.is_true(engine.tracing())
    trace:abandon()
    assert.is_false((pcall(trace.graph, trace, {y})))
  end)

  it("is seen with the values of variables that wait to be computed", function()
    local v = engine.variable(engine.ops.exp(engine.ops.zeros({2})))
    local trace <close> = engine.trace()
    local x = trace:placeholder({2}, "float32")
    local graph = trace:graph{x + v.value}
    assert.same({1, 1}, graph.leaves[2].constant:tolist())
  end)

  it("refuses to give a traced value, with advice", function()
    local trace <close> = engine.trace()
    local x = trace:placeholder({2}, "float32")
    local text = message(function() return x:sum():item() end)
    assert.matches("function_spec.lua:%d+: ", text)
    assert.matches("run_eagerly", text)
  end)

  it("checks its arguments", function()
    local f = compile(function(x) return x + 1 end, {2})
    assert.matches("got 2 arguments, expected 1",
      message(f, engine.tensor({1.0}), engine.tensor({1.0})), 1, true)
    assert.matches("expected a tensor, got nil", message(f, nil), 1, true)
    assert.is_false((pcall(f, engine.tensor({1.0, 2.0, 3.0}))))
    assert.is_false((pcall(f, engine.tensor({1, 2}))))
  end)

  it("suspends traces within engine.untraced", function()
    local trace <close> = engine.trace()
    assert.is_true(engine.tracing())
    local a, b = engine.untraced(function(x)
      assert.is_false(engine.tracing())
      return x, 2
    end, 1)
    assert.same({1, 2}, {a, b})
    assert.is_true(engine.tracing())
    assert.matches("oops", message(engine.untraced, function() error "oops" end))
    assert.is_true(engine.tracing())
    trace:abandon()
    assert.is_false(engine.tracing())
  end)

  it("makes variables outside of the trace", function()
    local trace <close> = engine.trace()
    local v = engine.variable({1.0})
    trace:abandon()
    assert.same({1}, v:tolist())
  end)
end)

describe("run_batches", function()
  local x = engine.tensor({1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0})
  local sum, f

  before_each(function()
    sum = engine.variable(0.0)
    f = compile(function(batch)
      sum:assign_add(batch:sum())
      return batch * 10
    end, {2})
  end)

  it("runs whole batches and counts them", function()
    assert.equal(3, f:run_batches{arrays = {x}, batch_size = 2})
    assert.equal(21, sum:item())
    assert.equal(1, f:run_batches{arrays = {x}, batch_size = 2, first = 1, last = 2})
    assert.equal(28, sum:item())
  end)

  it("takes rows in a given order", function()
    assert.equal(1, f:run_batches{arrays = {x}, order = engine.tensor({6, 5, 4, 3, 2, 1, 0}),
      batch_size = 2, last = 1})
    assert.equal(13, sum:item())
    local function with_order(order)
      return message(f.run_batches, f, {arrays = {x}, batch_size = 2, order = engine.tensor(order)})
    end
    assert.matches("order has sample 7 of 7", with_order({7, 0, 0, 0, 0, 0, 0}), 1, true)
    assert.matches("'order' should hold 7 integers", with_order({1, 2}), 1, true)
  end)

  it("writes results", function()
    local results = engine.empty({7}, "float32")
    f:run_batches{arrays = {x}, batch_size = 2, results = {results}}
    local values = results:tolist()
    for i = 1, 6 do assert.equal(10 * i, values[i]) end
    local text = message(f.run_batches, f,
      {arrays = {x}, batch_size = 2, results = {engine.ops.zeros({7})}})
    assert.matches("not made by engine.empty", text, 1, true)
  end)

  it("checks what it gets", function()
    assert.matches("'arrays' should be a list of tensors", message(f.run_batches, f, {}), 1, true)
    assert.matches("got 2 arrays, expected 1", message(f.run_batches, f, {arrays = {x, x}}),
      1, true)
    assert.matches("'batch_size' should be 1 or more",
      message(f.run_batches, f, {arrays = {x}, batch_size = 0}), 1, true)
    assert.matches("expected 8 samples",
      message(f.run_batches, f, {arrays = {x}, samples = 8, batch_size = 2}), 1, true)
  end)

  it("stops after an interrupt, between steps", function()
    engine.interrupt()
    local text = message(f.run_batches, f, {arrays = {x}, batch_size = 2})
    assert.equal("interrupted!", text)
    assert.is_false(engine.interrupted())
    assert.equal(0, sum:item())
  end)
end)
