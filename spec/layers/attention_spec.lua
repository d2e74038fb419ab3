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
