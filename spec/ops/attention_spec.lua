-- Attention in tiles against the same made of other operations.
local cusp = require "cusp"
local ops, random = cusp.ops, cusp.random

local function unfused(query, key, value, args)
  local heads, shared = query.shape[3], query.shape[3] // key.shape[3]
  local function first(x)
    if x.shape[3] ~= heads then x = ops["repeat"](x, shared, 3) end
    return ops.transpose(x, {1, 3, 2, 4})
  end
  local scores = first(query):matmul(ops.swapaxes(first(key), 3, 4))
    * (args.scale or 1 / math.sqrt(query.shape[4]))
  local cap = args.attn_logits_soft_cap
  if cap then scores = ops.tanh(scores / cap) * cap end
  if args.bias then scores = scores + args.bias end
  if args.mask then scores = ops.where(args.mask, scores, -1e30) end
  if args.is_causal then
    local seen = ops.tril(ops.ones({query.shape[2], key.shape[2]}, {dtype = "int32"}))
    scores = ops.where(seen:cast "bool", scores, -1e30)
  end
  return ops.transpose(ops.softmax(scores, -1):matmul(first(value)), {1, 3, 2, 4})
end

local function draw(shape, dtype) return random.normal(shape, {dtype = dtype, seed = 7}) end

--- batch, targets, sources, heads, groups, size, depth.
local shapes = {
  {1, 1, 1, 1, 1, 1, 1}, {2, 5, 7, 2, 1, 3, 4}, {1, 130, 70, 2, 2, 8, 5}, {2, 64, 64, 4, 2, 16, 16},
  {1, 65, 600, 1, 1, 7, 3}, {1, 300, 300, 2, 1, 5, 6}, {3, 1, 300, 4, 4, 9, 9},
  {2, 33, 20, 6, 3, 32, 31},
}
local variants = {
  plain = {}, causal = {is_causal = true}, scaled = {scale = 0.3, is_causal = true},
  capped = {attn_logits_soft_cap = 1.5, is_causal = true}, padded = {mask = "padding"},
  masked = {mask = "full", is_causal = true}, biased = {bias = "heads", mask = "padding"},
  ["biased by column"] = {bias = "column"},
}

local function grid(kind, s, dtype)
  local generator = random.SeedGenerator(11)
  if kind == "heads" then return random.normal({1, s[4], s[2], s[3]}, {dtype = dtype,
    seed = generator}) end
  if kind == "column" then return random.normal({s[2], 1}, {dtype = dtype, seed = generator}) end
  local shape = kind == "padding" and {s[1], 1, 1, s[3]} or {s[1], s[4], s[2], s[3]}
  return random.uniform(shape, {seed = generator}):greater(0.4)
end

local function case(s, variant, dtype)
  local args = {}
  for name, value in pairs(variant) do
    args[name] = type(value) == "string" and grid(value, s, dtype) or value
  end
  return draw({s[1], s[2], s[4], s[6]}, dtype), draw({s[1], s[3], s[5], s[6]}, dtype),
    draw({s[1], s[3], s[5], s[7]}, dtype), args
end

local function assert_close(expected, got, tolerance, what)
  local distance = (expected - got):abs():max():item()
  assert.is_true(distance <= tolerance, ("%s: off by %g"):format(what, distance))
end

local function values_and_gradients(f, query, key, value, args)
  local tape <close> = cusp.GradientTape()
  for _, x in ipairs{query, key, value} do tape:watch(x) end
  local y = f(query, key, value, args)
  local weights = ops.cos(ops.cast(ops.arange(ops.size(y)), y.dtype)):reshape(y.shape)
  return y, tape:gradient((y * weights):sum(), {query, key, value})
end

describe("dot_product_attention in tiles", function()
  for dtype, tolerance in pairs{float32 = 3e-5, float64 = 1e-12} do
    for name, variant in pairs(variants) do
      it(("equals softmax(q k') v, %s, %s"):format(name, dtype), function()
        for _, s in ipairs(shapes) do
          local query, key, value, args = case(s, variant, dtype)
          local y, dy = values_and_gradients(ops.dot_product_attention, query, key, value, args)
          local expected, expected_dy = values_and_gradients(unfused, query, key, value, args)
          assert.same(expected.shape, y.shape)
          assert.equal(dtype, y.dtype)
          local what = table.concat(s, " ")
          assert_close(expected, y, tolerance, what)
          for i = 1, 3 do
            assert_close(expected_dy[i], dy[i], 8 * tolerance, what .. " gradient " .. i)
          end
        end
      end)
    end
  end
end)

describe("dot_product_attention", function()
  it("does not depend on the number of threads", function()
    local threads = cusp.get_num_threads()
    local query, key, value, args = case({4, 100, 300, 4, 2, 16, 16}, {is_causal = true}, "float32")
    local found = {}
    for count = 1, 3 do
      cusp.set_num_threads(count)
      local y, dy = values_and_gradients(ops.dot_product_attention, query, key, value, args)
      found[count] = {y, table.unpack(dy)}
      for _, tensor in ipairs(found[count]) do tensor:sum():item() end
    end
    cusp.set_num_threads(threads)
    for i = 1, 4 do
      for count = 2, 3 do
        assert.is_true(ops.all(ops.equal(found[count][i], found[1][i])):item())
      end
    end
  end)

  it("reads views without copies of their elements in the way", function()
    local packed = draw({2, 9, 3, 2, 8}, "float32")
    local query, key, value = table.unpack(ops.unstack(packed, 3, 3))
    local expected = unfused(query, key, value, {})
    assert_close(expected, ops.dot_product_attention(query, key, value), 1e-5, "views")
    local turned = ops.transpose(draw({2, 2, 9, 8}, "float32"), {1, 3, 2, 4})
    assert_close(unfused(turned, turned, turned, {}),
      ops.dot_product_attention(turned, turned, turned), 1e-5, "turned")
    local flipped = ops.flip(draw({1, 5, 1, 4}, "float32"), -1)
    assert_close(unfused(flipped, flipped, flipped, {}),
      ops.dot_product_attention(flipped, flipped, flipped), 1e-5, "flipped")
  end)

  it("widens half precision within", function()
    for _, dtype in ipairs{"float16", "bfloat16"} do
      local query, key, value = case({2, 5, 7, 2, 1, 3, 4}, {}, dtype)
      local y = ops.dot_product_attention(query, key, value)
      local wide = unfused(query:cast "float32", key:cast "float32", value:cast "float32", {})
      assert.equal(dtype, y.dtype)
      assert_close(wide:cast(dtype), y, dtype == "float16" and 2e-3 or 1.6e-2, dtype)
    end
  end)

  it("multiplies what came in bfloat16 to its precision, forward and backward", function()
    local function all(operands, args)
      local tape <close> = cusp.GradientTape()
      for _, x in ipairs(operands) do tape:watch(x) end
      local y = ops.dot_product_attention(operands[1], operands[2], operands[3], args)
      local loss = (y:cast "float32" * draw(y.shape, "float32")):sum()
      return {y, table.unpack(tape:gradient(loss, operands))}
    end
    for _, s in ipairs(shapes) do
      for name, variant in pairs(variants) do
        local query, key, value, args = case(s, variant, "bfloat16")
        local found, wide = all({query, key, value}, args), {}
        for i, x in ipairs{query, key, value} do wide[i] = x:cast "float32" end
        if args.bias then args.bias = args.bias:cast "float32" end
        for i, expected in ipairs(all(wide, args)) do
          local size = expected:abs():max():item()
          assert_close(expected, found[i]:cast "float32", 0.02 * size + 1e-6, name .. " " .. i)
        end
      end
    end
  end)

  it("gives zeros where there is no key, and nothing for no query", function()
    local function empty(time) return cusp.zeros{2, time, 1, 3} end
    assert.same(cusp.zeros{2, 4, 1, 3}:flat(),
      ops.dot_product_attention(empty(4), empty(0), empty(0)):flat())
    assert.same({2, 0, 1, 3}, ops.dot_product_attention(empty(0), empty(4), empty(4)).shape)
  end)

  it("takes the mean of all values where all keys are hidden", function()
    local query, key, value = case({1, 3, 300, 1, 1, 2, 2}, {}, "float32")
    local y = ops.dot_product_attention(query, key, value,
      {mask = cusp.zeros({1, 1, 1, 300}, {dtype = "bool"}), is_causal = true})
    assert_close(ops.broadcast_to(value:mean(2, true), y.shape), y, 1e-5, "mean")
  end)

  it("lets bias of minus infinity hide a position", function()
    local query, key, value = case({1, 2, 300, 1, 1, 2, 2}, {}, "float32")
    local seen = ops.greater_equal(ops.arange(300), 299)
    local bias = ops.where(seen, 0.0, -math.huge)
    local y = ops.dot_product_attention(query, key, value, {bias = bias})
    assert_close(ops.broadcast_to(value:slice{{}, {300, 300}}, y.shape), y, 1e-6, "the last")
  end)

  it("has a second gradient where the operands are one tensor", function()
    local function curvature(f)
      local q = draw({1, 4, 2, 3}, "float64")
      local outer <close> = cusp.GradientTape()
      outer:watch(q)
      local first
      do
        local inner <close> = cusp.GradientTape()
        inner:watch(q)
        first = inner:gradient(f(q, q, q, {is_causal = true}):square():sum(), q)
      end
      return outer:gradient(first:square():sum(), q)
    end
    assert_close(curvature(unfused), curvature(ops.dot_product_attention), 1e-9, "curvature")
  end)

  it("counts what its rows are given before looking at it", function()
    local x = cusp.ones{2, 3, 4, 4}
    for name, expected in pairs{attention_tiles = 3, attention_tiles_gradient = 6} do
      for count = 1, 2 do
        local list = table.move({x, x}, 1, count, 1, {})
        assert.error_matches(function() cusp.ops[name](list, false, false, false, 1, 0) end,
          ("expected %d tensors, got %d"):format(expected, count))
        assert.error_matches(function() cusp.ops[name](list, true, true, false, 1, 0) end,
          ("expected %d tensors, got %d"):format(expected + 2, count))
      end
    end
  end)

  it("names what does not fit", function()
    local q, k = cusp.zeros{2, 3, 4, 5}, cusp.zeros{2, 6, 2, 5}
    local function refuses(message, ...)
      local arguments = table.pack(...)
      assert.error_matches(function()
        ops.dot_product_attention(table.unpack(arguments, 1, arguments.n))
      end, message)
    end
    refuses("dot_product_attention: query should have shape %[batch, time, heads, size%]",
      cusp.zeros{3, 4}, k, k)
    refuses("dot_product_attention: the number of query heads %(4%) should be a multiple",
      q, cusp.zeros{2, 6, 3, 5}, cusp.zeros{2, 6, 3, 5})
    refuses("dot_product_attention: key should have the size of query", q, k,
      cusp.zeros{2, 7, 2, 5})
    refuses("dot_product_attention: query, key and value should have one batch size",
      q, cusp.zeros{3, 6, 2, 5}, cusp.zeros{3, 6, 2, 5})
    refuses("dot_product_attention: mask should have a shape that broadcasts to", q, k, k,
      {mask = cusp.ones({7}, {dtype = "bool"})})
  end)
end)
