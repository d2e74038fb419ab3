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
