--- Attention layers give the same numbers in tiles and by way of the scores.
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops

local query = cusp.random.normal({2, 5, 6}, {seed = 1})
local value = cusp.random.normal({2, 7, 6}, {seed = 2})
local value_mask = cusp.tensor{{true, true, false, true, true, false, true},
  {true, false, true, true, true, true, false}}
local query_mask = cusp.tensor{{true, true, true, false, false}, {true, true, true, true, true}}
-- every query sees the first key: with all of them hidden, the two ways differ in Keras too
local attention_mask = ops.logical_or(ops.greater(cusp.random.uniform({2, 5, 7}, {seed = 3}), 0.3),
  ops.equal(ops.arange(7), 0))

local function with(options, more)
  local all = {}
  for _, list in ipairs{options, more} do
    for name, option in pairs(list) do all[name] = option end
  end
  return all
end

local function assert_close(expected, got)
  assert.same(expected.shape, got.shape)
  assert.is_true(ops.max(ops.abs(expected - got)):item() < 2e-6)
end

local calls = {
  ["nothing hidden"] = {}, causal = {use_causal_mask = true},
  ["a value mask"] = {value_mask = value_mask},
  ["a mask of pairs"] = {attention_mask = attention_mask, use_causal_mask = true},
}

local makers = {
  MultiHeadAttention = function(more)
    return layers.MultiHeadAttention(with({num_heads = 2, key_dim = 3, value_dim = 4}, more))
  end,
  GroupQueryAttention = function(more)
    return layers.GroupQueryAttention(with(
      {head_dim = 3, num_query_heads = 4, num_key_value_heads = 2}, more))
  end,
}

for name, make in pairs(makers) do
  describe(name .. " without its scores", function()
    for what, options in pairs(calls) do
      it("is the same with " .. what, function()
        for _, more in ipairs{{}, {use_gate = true}, {sliding_window = 2}, {use_bias = false}} do
          local attention = make(more)
          local given = with(options, {value = value})
          if more.sliding_window then given.value_mask, given.attention_mask = nil, nil end
          local tiled = attention(query, given)
          local scored = attention(query, with(given, {return_attention_scores = true}))
          assert_close(scored[1], tiled)
        end
      end)
    end

    it("skips dropout in inference, and draws it in training", function()
      local attention = make{dropout = 0.5, seed = 4}
      local still = attention(query, value, {use_causal_mask = true})
      local scored = attention(query, value,
        {use_causal_mask = true, return_attention_scores = true})
      assert_close(scored[1], still)
      local drawn = attention(query, value, {use_causal_mask = true, training = true})
      assert.is_true(ops.max(ops.abs(drawn - still)):item() > 1e-3)
    end)
  end)
end

describe("Attention without its scores", function()
  local masks = {
    {}, {mask = {query_mask, value_mask}}, {use_causal_mask = true},
    {mask = {query_mask, value_mask}, use_causal_mask = true},
  }
  for i, options in ipairs(masks) do
    it("is the same, " .. i, function()
      for _, scale in ipairs{false, true} do
        local attention = layers.Attention{use_scale = scale}
        attention{query, value}
        if scale then attention.scale:assign(0.7) end
        local scored = attention({query, value}, with(options, {return_attention_scores = true}))
        assert_close(scored[1], attention({query, value}, options))
      end
    end)
  end
end)

---------------------------------------------------------------- decoding

local cached = {
  MultiHeadAttention = function(more)
    return layers.MultiHeadAttention(with({num_heads = 2, key_dim = 3}, more)), {2, 2, 8, 2, 3}
  end,
  GroupQueryAttention = function(more)
    return layers.GroupQueryAttention(with(
      {head_dim = 3, num_query_heads = 4, num_key_value_heads = 2}, more)), {2, 2, 8, 2, 3}
  end,
}

local function part(x, first, last) return x:slice{{}, {first, last}} end

for name, make in pairs(cached) do
  describe(name .. " with a cache", function()
    for what, more in pairs{plainly = {}, ["in a window"] = {sliding_window = 3},
      ["with a gate"] = {use_gate = true}, ["with dropout"] = {dropout = 0.3}} do
      it("gives the numbers of the whole sequence, " .. what, function()
        local attention, shape = make(more)
        local whole = attention(value, value, {use_causal_mask = true})
        local cache, outputs = cusp.zeros(shape), {}
        for _, range in ipairs{{1, 3}, {4, 4}, {5, 7}} do
          local x = part(value, range[1], range[2])
          local both = attention(x, x, {use_causal_mask = true, cache = cache,
            cache_update_index = range[1] - 1})
          outputs[#outputs + 1], cache = both[1], both[2]
        end
        assert_close(whole, ops.concatenate(outputs, 2))
        assert.same(shape, cache.shape)
        local again = attention(part(value, 7, 7), part(value, 7, 7), {cache = cache,
          attention_mask = ops.reshape(ops.less(ops.arange(8), 7), {1, 1, 8})})
        if not more.sliding_window then assert_close(part(whole, 7, 7), again[1]) end
      end)
    end

    it("is traced once for all positions, and gives no numbers beyond its end", function()
      local attention, shape = make{}
      local whole = attention(value, value, {use_causal_mask = true})
      local traces = 0
      local step = cusp.compile(function(x, cache, index)
        traces = traces + 1
        return attention(x, x, {use_causal_mask = true, cache = cache, cache_update_index = index})
      end)
      local cache = cusp.zeros(shape)
      for i = 1, 7 do
        local both = step(part(value, i, i), cache, cusp.tensor(i - 1, {dtype = "int32"}))
        cache = both[2]
        assert_close(part(whole, i, i), both[1])
      end
      local beyond = step(part(value, 1, 1), cache, cusp.tensor(8, {dtype = "int32"}))
      assert.is_true(ops.all(ops.isnan(beyond[1])):item())
      assert.equal(1, traces)
    end)

    it("refuses one that does not fit", function()
      local attention, shape = make{name = "heads"}
      attention(value, value)
      local function refuses(message, args)
        assert.error_matches(function() attention(value, value, args) end, message)
      end
      refuses("heads: a cache of 8 positions has no room for 7 more from position 2",
        {cache = cusp.zeros(shape), cache_update_index = 2})
      refuses("heads: a cache of 6 positions has no room for 7",
        {cache = cusp.zeros{2, 2, 6, 2, 3}, cache_update_index = 0})
      refuses("heads: cache should have shape %[batch, 2, length, heads, size%] = %[2, 2, length, "
        .. "2, 3%], got %[2, 2, 8, 3, 3%]",
        {cache = cusp.zeros{2, 2, 8, 3, 3}, cache_update_index = 0})
      refuses("heads: cache_update_index is given, but no cache", {cache_update_index = 0})
      refuses("heads: cache_update_index should be an integer",
        {cache = cusp.zeros(shape), cache_update_index = 0.5})
      refuses("heads: the cache has dtype int32",
        {cache = cusp.zeros(shape, {dtype = "int32"}), cache_update_index = 0})
      refuses("heads: with a cache, give an attention_mask",
        {cache = cusp.zeros(shape), cache_update_index = 0, value_mask = value_mask})
    end)
  end)
end
