-- Loops whose body is traced once: drawn at random, they give compiled what they give as they
-- stand, with gradients of the first and the second order.
local cusp = require "cusp"

local ops = cusp.ops
local f64 = {dtype = "float64"}

---------------------------------------------------------------- bodies drawn at random

-- Numbers that depend on the seed alone.
local function generator(seed)
  local state = seed * 7919 + 13
  return function(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return (state >> 8) % n + 1
  end
end

local unary = {
  ops.tanh, ops.sin, ops.sigmoid, ops.negative,
  function(x) return x * 0.5 end, function(x) return ops.log1p(x * x) end,
  function(x) return ops.flip(x, 1) end, function(x) return ops.softmax(x) end,
  function(x) return x - ops.mean(x) end, function(x) return ops.cumsum(x, 1) * 0.3 end,
  function(x) return ops.stop_gradient(x) * x end,
  function(x) return ops.reshape(ops.transpose(ops.reshape(x, {1, 3})), {3}) end,
}
local binary = {
  ops.add, ops.multiply, ops.subtract, ops.maximum,
  function(a, b) return ops.where(a:greater(b), a, b * 0.5) end,
  function(a, b) return a / (1.5 + b * b) end,
}

-- An expression of vectors of three, as a function of a list of them.
local function expression(draw, depth, n_values, weights)
  local kind = depth == 0 and 1 or draw(7)
  if kind == 1 then
    local i = draw(n_values)
    return function(values) return values[i] end
  elseif kind <= 3 then
    local f, x = unary[draw(#unary)], expression(draw, depth - 1, n_values, weights)
    return function(values) return f(x(values)) end
  elseif kind <= 5 then
    local f = binary[draw(#binary)]
    local a = expression(draw, depth - 1, n_values, weights)
    local b = expression(draw, depth - 1, n_values, weights)
    return function(values) return f(a(values), b(values)) end
  elseif kind == 6 then
    local x = expression(draw, depth - 1, n_values, weights)
    return function(values) return ops.matmul(x(values), weights.kernel) end
  end
  local a = expression(draw, depth - 1, n_values, weights)
  local b = expression(draw, depth - 1, n_values, weights)
  return function(values)
    local chosen = ops.sum(values[1]):greater(0.1)
    return ops.cond(chosen, function() return a(values) end, function() return b(values) end)
  end
end

local make_loop

-- The body of a loop: what it makes of carried values, an inner loop's among them, and a slice.
local function body(draw, depth, weights)
  local next_a = expression(draw, 3, 3, weights)
  local next_b, output = expression(draw, 2, 3, weights), expression(draw, 2, 3, weights)
  local inner = depth > 0 and draw(3) == 1 and make_loop(draw, depth - 1, weights)
  local assigns = draw(4) == 1
  return function(a, b, x)
    if inner then b = inner(b, x) end
    if assigns then
      weights.state:assign(weights.state * 0.5 + ops.sum(a))
      x = x + weights.state
    end
    local values = {a, b, x}
    return ops.tanh(next_a(values)), ops.tanh(next_b(values)), output(values)
  end
end

local kinds = {
  function(round, rounds, reverse) -- scan
    return function(a, x)
      local xs = ops.stack{x, x * 0.5, x * -0.3, x + 0.2}
      local last, ys = ops.scan(function(carry, item)
        local p, q, y = round(carry[1], carry.b[1], item)
        return {p, b = {q}}, y
      end, {a, b = {x}}, xs, nil, reverse)
      return last[1] + last.b[1] * ops.sum(ys[rounds.known]) + ops.mean(ys, 1)
    end
  end,
  function(round, rounds) -- while_loop of a traced length
    return function(a, x)
      local _, p, q, total = ops.while_loop(function(i) return ops.less(i, rounds.tensor()) end,
        function(i, u, v, sum)
          local p, q, y = round(u, v, x)
          return i + 1, p, q, sum + ops.sum(y)
        end, {0, a, x, cusp.tensor(0.0, f64)})
      return p * total + q
    end
  end,
  function(round, rounds) -- fori_loop of a known length
    return function(a, x)
      local pair = ops.fori_loop(0, rounds.known, function(i, pair)
        local p, q, y = round(pair[1], pair[2], x * (ops.cast(i, "float64") + 1))
        return {p + y, q}
      end, {a, x})
      return pair[1] * pair[2]
    end
  end,
  function(round) -- map
    return function(a, x)
      local both = ops.map(function(item)
        local p, q, y = round(a, item, x)
        return {p = p, q = q * y}
      end, ops.stack{x, a, x - a})
      return ops.sum(both.p, 1) + both.q[2]
    end
  end,
}

function make_loop(draw, depth, weights)
  local kind, round = kinds[draw(#kinds)], body(draw, depth, weights)
  return kind(round, {known = draw(3), tensor = weights.rounds}, draw(2) == 1)
end

---------------------------------------------------------------- both ways

local function program(seed)
  local draw = generator(seed)
  local rounds
  local weights = {
    kernel = cusp.Variable(cusp.tensor(
      {{0.3, -0.2, 0.5}, {0.1, 0.4, -0.6}, {-0.5, 0.2, 0.1}}, f64)),
    state = cusp.Variable(cusp.tensor(0.25, f64), {trainable = false}),
    rounds = function() return rounds end,
  }
  local loop = make_loop(draw, 1, weights)
  local function run(a, x, n)
    rounds = n
    local outer <close> = cusp.GradientTape()
    outer:watch{a, x}
    local first, y
    do
      local tape <close> = cusp.GradientTape()
      tape:watch{a, x}
      y = loop(a, x)
      first = tape:gradient(ops.sum(y * y), {a, x, weights.kernel},
        {unconnected_gradients = "zero"})
    end
    local total = ops.sum(y)
    for _, gradient in ipairs(first) do total = total + ops.sum(ops.sin(gradient)) end
    local second = outer:gradient(total, {a, x, weights.kernel}, {unconnected_gradients = "zero"})
    return y, first[1], first[2], first[3], second[1], second[2], second[3],
      weights.state * 1
  end
  return function(f, ...)
    weights.state:assign(cusp.tensor(0.25, f64))
    local results = table.pack(f(...))
    for i = 1, results.n do results[i] = results[i]:flat() end
    return results
  end, run
end

local function compare(expected, got, text)
  assert.equal(expected.n, got.n)
  for i = 1, expected.n do
    for k = 1, #expected[i] do
      local a, b = expected[i][k], got[i][k]
      local near = math.abs(a - b) <= 1e-9 * math.max(1, math.abs(a))
      if not near and (a == a or b == b) then
        error(("%s: result %d is %g as it stands, %g compiled"):format(text, i, a, b))
      end
    end
  end
end

describe("loops drawn at random", function()
  local a, x = cusp.tensor({0.5, -0.3, 0.2}, f64), cusp.tensor({-0.1, 0.7, 0.4}, f64)
  for block = 0, 3 do
    it(("give the same compiled, with both gradients (%d)"):format(block), function()
      for seed = block * 15 + 1, block * 15 + 15 do
        local settled, run = program(seed)
        local compiled = cusp.compile(run)
        for _, n in ipairs{3, 0} do
          n = cusp.tensor(n)
          compare(settled(run, a, x, n), settled(compiled, a, x, n), "program " .. seed)
        end
      end
    end)
  end
end)

describe("a loop that is traced once", function()
  local function message(f, ...)
    local ok, text = pcall(cusp.compile(f), ...)
    assert.is_false(ok)
    return tostring(text)
  end

  it("says which carried value does not stay what it is", function()
    local x = cusp.ones{3, 2}
    assert.matches("carried value 1 is float32 %[2%], but the function makes it float16 %[2%]",
      message(function(xs)
        return ops.scan(function(c) return ops.cast(c, "float16"), c end, cusp.zeros{2}, xs)
      end, x))
    assert.matches("scan: the function should return the same structure as the carried values",
      message(function(xs)
        return ops.scan(function(c) return {c}, c end, cusp.zeros{2}, xs)
      end, x))
    local function shrink(v) return v - 1 end
    local function positive(v) return v:greater(0) end
    for _, f in ipairs{function(v) return ops.while_loop(positive, shrink, {v}) end} do
      assert.matches("while_loop: expected one element as the condition, got shape %[3, 2%]",
        message(f, x))
      assert.error_matches(function() f(x) end,
        "while_loop: expected one element as the condition, got shape")
    end
    assert.matches("while_loop: the body should return 1 values, got 2", message(function(v)
      return ops.while_loop(function(u) return ops.sum(u):greater(0) end,
        function(u) return u, u end, {v})
    end, x))
  end)

  it("takes lengths that are tensors, and no rounds", function()
    local function counted(n)
      return (ops.scan(function(c) return c * 2, nil end, cusp.ones{2}, {length = n}))
    end
    local compiled = cusp.compile(counted)
    for _, n in ipairs{0, 3} do
      assert.same(counted(cusp.tensor(n)):tolist(), compiled(cusp.tensor(n)):tolist())
    end
    assert.matches("scan: the length is a traced tensor", message(function(n)
      return ops.scan(function(c) return c, c end, cusp.ones{2}, {length = n})
    end, cusp.tensor(3)))
    local function empty(xs)
      local last, ys = ops.scan(function(c, x) return c + x, {a = x * 2} end, cusp.ones{2}, xs)
      return last, ys.a, ops.map(function(x) return ops.sum(x) end, xs)
    end
    for _, f in ipairs{empty, cusp.compile(empty)} do
      local last, ys, mapped = f(cusp.ones{0, 2})
      assert.same({1, 1}, last:tolist())
      assert.same({0, 2}, {table.unpack(ys.shape)})
      assert.same({0}, {table.unpack(mapped.shape)})
    end
  end)

  it("carries many values that it hands on", function()
    local function many(x)
      local carry = {}
      for i = 1, 30 do carry[i] = x * i end
      local last = ops.scan(function(c)
        local turned = table.move(c, 2, 30, 1, {})
        turned[30] = c[1]
        return turned, nil
      end, carry, nil, 4)
      return last[1], last[30]
    end
    local a, b = cusp.compile(many)(cusp.ones{2})
    assert.same({{5, 5}, {4, 4}}, {a:tolist(), b:tolist()})
  end)

  it("goes on as a graph where known values let it run for long", function()
    local rounds = 0
    local f = cusp.compile(function(x)
      return ops.while_loop(function(i) return ops.less(i, 500) end, function(i, v)
        rounds = rounds + 1
        return i + 1, v + 1
      end, {cusp.tensor(0), x})
    end)
    local i, v = f(cusp.zeros{2})
    assert.same({500, {500, 500}}, {i:item(), v:tolist()})
    assert.is_true(rounds < 50)
  end)

  it("adds up the gradient of a large weight in one product", function()
    local w = cusp.Variable(ops.reshape(ops.sin(cusp.arange(128 * 256) * 1.0), {128, 256}) * 0.05)
    local function gradient(xs)
      local tape <close> = cusp.GradientTape()
      local h = ops.scan(function(h, x)
        return ops.tanh(ops.split(ops.matmul(h + x, w), 2, 2)[1]), nil
      end, cusp.zeros{2, 128}, xs)
      return tape:gradient(ops.sum(h * h), w)
    end
    local xs = ops.reshape(ops.cos(cusp.arange(3 * 2 * 128) * 1.0), {3, 2, 128})
    local difference = ops.max(ops.abs(gradient(xs) - cusp.compile(gradient)(xs)))
    assert.is_true(difference:item() < 1e-4)
  end)

  it("is shown in the plan", function()
    local f = cusp.compile(function(x)
      return ops.map(function(v) return ops.tanh(v) * 2 end, x)
    end)
    f(cusp.ones{3, 4})
    assert.matches("scan_graph %[rounds%][^\n]*\n%s+1  fused %(ends in multiply%)", tostring(f))
  end)
end)
