--- Random graphs give the same numbers when computed at once (rewritten, fused, planned), node by
-- node, and compiled.
local engine = require "cusp.engine"
local ops = engine.ops

local unary = {"negative", "exp", "tanh", "sigmoid", "square", "relu", "abs", "sin"}
local binary = {"add", "subtract", "multiply", "maximum", "minimum"}

-- A small private generator, so that a failing graph can be rebuilt from its seed.
local function random(seed)
  local state = seed * 2654435761 % 2 ^ 31
  return function(n)
    state = (state * 1103515245 + 12345) % 2 ^ 31
    return math.floor(state / 65536) % n + 1
  end
end

local function pick(draw, list) return list[draw(#list)] end

-- Shapes that broadcast or multiply with each other, so that most pairs fit.
local sizes = {{4, 6}, {1, 6}, {4, 1}, {6, 4}, {6}, {}, {4, 4}, {6, 6}}

local function leaf(draw, shape)
  local count = 1
  for _, size in ipairs(shape) do count = count * size end
  local data = {}
  for i = 1, count do data[i] = (draw(2001) - 1001) / 1000 end
  return engine.tensor(data, {shape = shape, dtype = "float32"})
end

local function same_shape(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do if a[i] ~= b[i] then return false end end
  return true
end

local function broadcasts(a, b)
  for i = 0, math.min(#a, #b) - 1 do
    local x, y = a[#a - i], b[#b - i]
    if x ~= y and x ~= 1 and y ~= 1 then return false end
  end
  return true
end

-- Each makes a further value from existing ones, or nothing if shapes do not fit.
local makers = {
  function(draw, values) return ops[pick(draw, unary)](pick(draw, values) * 0.5) end,
  function(draw, values)
    local a, b = pick(draw, values), pick(draw, values)
    return broadcasts(a.shape, b.shape) and ops[pick(draw, binary)](a, b) * 0.5 or nil
  end,
  function(draw, values)
    local a, b = pick(draw, values), pick(draw, values)
    local fits = #a.shape == 2 and #b.shape == 2 and a.shape[2] == b.shape[1]
    return fits and ops.matmul(a, b) * 0.1 or nil
  end,
  function(draw, values)
    local a = pick(draw, values)
    if #a.shape == 0 then return nil end
    return ops[pick(draw, {"sum", "max", "mean"})](a, draw(#a.shape), draw(2) == 1)
  end,
  function(draw, values)
    local a = pick(draw, values)
    return #a.shape == 2 and ops.transpose(a) or nil
  end,
  function(draw, values)
    local a = pick(draw, values)
    return #a.shape == 2 and ops.reshape(a, {a.shape[2], a.shape[1]}) or nil
  end,
  function(draw, values)
    local a = pick(draw, values)
    return #a.shape == 2 and a.shape[1] > 2 and a:slice{{2, -1}, {1, -1}} or nil
  end,
  function(draw, values)
    local a, b = pick(draw, values), pick(draw, values)
    return same_shape(a.shape, b.shape) and ops.where(ops.greater(a, b), a, b * 0.3) or nil
  end,
}

-- The graph of a seed over `leaves`; `after(value)` receives each new value.
local function build(seed, leaves, after)
  local draw, values = random(seed + 7), {table.unpack(leaves)}
  for _ = 1, 30 do
    local value = makers[draw(#makers)](draw, values)
    if value then
      if after then after(value) end
      values[#values + 1] = value
    end
  end
  return {table.unpack(values, #leaves + 1)}
end

local function leaves_of(seed)
  local draw, leaves = random(seed), {}
  for i = 1, 6 do leaves[i] = leaf(draw, sizes[(i + seed) % #sizes + 1]) end
  return leaves
end

local function assert_same(expected, got, seed)
  for i, value in ipairs(expected) do
    local a, b = value:flat(), got[i]:flat()
    assert.equal(#a, #b)
    for k = 1, #a do
      local close = a[k] == b[k] or a[k] ~= a[k] and b[k] ~= b[k]
        or math.abs(a[k] - b[k]) <= 1e-5 + 1e-4 * math.abs(a[k])
      assert(close, ("seed %d, value %d, element %d: %g and %g"):format(seed, i, k, a[k], b[k]))
    end
  end
end

describe("random graphs", function()
  local seeds = 150

  it("are the same at once and node by node", function()
    for seed = 1, seeds do
      local leaves = leaves_of(seed)
      local expected = build(seed, leaves, function(value) engine.evaluate{value} end)
      assert_same(expected, build(seed, leaves), seed)
    end
  end)

  it("are the same compiled", function()
    for seed = 1, seeds do
      local leaves = leaves_of(seed)
      local expected = build(seed, leaves, function(value) engine.evaluate{value} end)
      local trace, arguments = engine.trace(), {}
      for i, value in ipairs(leaves) do
        arguments[i] = trace:placeholder(value.shape, value.dtype)
      end
      local compiled = trace:compile(build(seed, arguments))
      assert_same(expected, {compiled(table.unpack(leaves))}, seed)
    end
  end)

  it("have the same gradients compiled and recorded", function()
    for seed = 1, seeds // 3 do
      local leaves = leaves_of(seed)
      local function total(values)
        local sum = 0
        for _, value in ipairs(values) do sum = ops.sum(value) + sum end
        return sum
      end
      local tape = engine.tape()
      for _, value in ipairs(leaves) do tape:watch(value) end
      local values = build(seed, leaves, function(value) engine.evaluate{value} end)
      local expected = tape:gradient({total(values)}, leaves)
      tape:close()
      local trace, arguments = engine.trace(), {}
      for i, value in ipairs(leaves) do
        arguments[i] = trace:placeholder(value.shape, value.dtype)
      end
      local gradients = engine.gradients({total(build(seed, arguments))}, arguments)
      for i, gradient in ipairs(gradients) do
        if not gradient then gradients[i], expected[i] = leaves[i], leaves[i] end
      end
      assert_same(expected, {trace:compile(gradients)(table.unpack(leaves))}, seed)
    end
  end)
end)
