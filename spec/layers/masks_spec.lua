local cusp = require "cusp"
local masks = require "cusp.base.masks"
local layers, ops = cusp.layers, cusp.ops
local nan, inf = 0 / 0, 1 / 0

local function attach(x, mask)
  x = x + 0
  masks.set(x, mask)
  return x
end

local function raises(text, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.is_truthy(message:find(text, 1, true), message)
end

local function gradient(f, x)
  local tape <close> = cusp.GradientTape()
  tape:watch(x)
  return tape:gradient(f(x), x):tolist()
end

describe("arguments of a call by position", function()
  local x = cusp.tensor{{{1.0, 2.0}, {3.0, 4.0}, {100.0, 200.0}}}
  local mask = cusp.tensor{{true, true, false}}

  it("are bound in the order of Keras's call", function()
    assert.are.same({{2, 3}}, layers.GlobalAveragePooling1D()(x, mask):tolist())
    assert.are.same({{1, 0}},
      layers.Softmax()(cusp.ones{1, 2}, cusp.tensor{{true, false}}):tolist())
    assert.are.same({{1, 0}}, layers.Softmax()(cusp.ones{1, 2}, {{1.0, 0.0}}):tolist())
    local attended = layers.Attention()({x, x}, {mask, mask})
    assert.are.same({0, 0}, attended:tolist()[1][3])
    assert.are.same(layers.Attention()({x, x}, {mask = {mask, mask}}):tolist(), attended:tolist())
    local half = layers.Attention()({x, x}, {mask = {false, mask}}):tolist()
    assert.are.same(half, layers.Attention()({x, x}, {mask = {nil, mask}}):tolist())
    assert.are.same(half, layers.Attention()({x, x}, {nil, mask}):tolist())
    local attention = layers.MultiHeadAttention(1, 2)
    assert.are.same(attention(x, x, {value_mask = mask}):tolist(),
      attention(x, x, nil, nil, mask):tolist())
    local normalization = layers.BatchNormalization()
    raises("training", normalization, x, x)
  end)

  it("are errors where there is no parameter or no tensor", function()
    local y = cusp.ones{1, 2}
    raises("takes no positional argument after the inputs, got 2", layers.Rescaling(2), y, y, 3)
    raises("takes no positional argument", layers.ReLU(), y, y)
    raises("takes at most 1 positional argument after the inputs (mask), got 2", layers.Softmax(),
      y, y, y)
    raises("only tensors can be given by position", layers.Softmax(), y, true)
    raises("only tensors can be given by position", layers.Dropout(0.5), y, true)
    raises("only tensors can be given by position", layers.Dense(2), y, y)
    raises("given twice", layers.Softmax(), y, y, {mask = y})
    raises("takes no positional argument", layers.TextVectorization(), "a", "b")
  end)

  it("may be nil, and the table of keywords may be empty", function()
    local y = cusp.ones{1, 2}
    assert.are.same({{2, 2}}, layers.Rescaling(2)(y, nil):tolist())
    assert.are.same({{2, 2}}, layers.Rescaling(2)(y, {}):tolist())
    assert.are.same({{2, 2}}, layers.Rescaling(2)(y, nil, {}):tolist())
  end)

  it("reach the parameters of a user-defined class", function()
    local y = cusp.ones{1, 2}
    local Two = layers.Layer:extend("PositionalTwo", {call = function(_, a, b, args)
      return args.training and a or a + b
    end})
    assert.are.same({{2, 2}}, Two()(y, y):tolist())
    assert.are.same({{2, 2}}, Two()(y, {b = y}):tolist())
    assert.are.same({{1, 1}}, Two()(y, y, {training = true}):tolist())
    raises("takes at most 1 positional argument after the inputs (b), got 2", Two(), y, y, y)
    local Pair = layers.Layer:extend("PositionalPair", {call = function(_, a, b) return a + b end})
    assert.are.same({{2, 2}}, Pair()(y, y):tolist())
    local One = layers.Layer:extend("PositionalOne", {call = function(_, a, args)
      return args.training and a or a * 3
    end})
    raises("takes no positional argument", One(), y, y)
    local Keras = layers.Layer:extend("PositionalKeras", {call = function(_, a, training)
      return training and a or a * 3
    end})
    assert.are.same({{3, 3}}, Keras()(y):tolist())
    assert.are.same({{1, 1}}, Keras()(y, {training = true}):tolist())
    local Own = layers.MultiHeadAttention:extend("PositionalAttention", {
      call = function(self, query, args)
        return layers.MultiHeadAttention.call(self, query, args)
      end,
    })
    assert.are.same({1, 3, 2}, Own(1, 2)(x, x).shape)
  end)

  it("work on symbolic tensors, and in models that are read again", function()
    local input, given = cusp.Input{3, 2}, cusp.Input{3, dtype = "bool"}
    local model = cusp.Model{{input, given}, layers.GlobalAveragePooling1D()(input, given)}
    assert.are.same({{2, 3}}, model({x, mask}):tolist())
    assert.are.same({{2, 3}}, cusp.models.clone_model(model)({x, mask}):tolist())
  end)
end)

describe("a mask", function()
  it("selects: what is masked may be NaN or infinite", function()
    local x = cusp.tensor{{{1.0, 2.0}, {inf, inf}}}
    local masked = layers.Masking{mask_value = inf}
    assert.are.same({{{1, 2}, {0, 0}}}, masked(x):tolist())
    assert.are.same({{{1, 1}, {0, 0}}}, gradient(function(t) return masked(t) end, x))
    local mask, y = cusp.tensor{{true, false}}, cusp.tensor{{{1.0, 2.0}, {nan, inf}}}
    local pool = layers.GlobalAveragePooling1D()
    assert.are.same({{1, 2}}, pool(y, {mask = mask}):tolist())
    assert.are.same({{{1, 1}, {0, 0}}}, gradient(function(t) return pool(t, {mask = mask}) end, y))
    assert.are.same({{1, 0}}, layers.Softmax()(cusp.tensor{{1.0, nan}}, {mask = mask}):tolist())
    local lstm = layers.LSTM{2, return_sequences = true, zero_output_for_mask = true}
    local outputs, before = lstm(y, {mask = mask}),
      lstm(cusp.tensor{{{1.0, 2.0}, {0.0, 0.0}}}, {mask = mask})
    assert.are.same(before:tolist(), outputs:tolist())
  end)

  it("of numbers is true above a half in Softmax", function()
    local softmax = layers.Softmax()
    assert.are.same({{0.5, 0.5, 0}},
      softmax(cusp.ones{1, 3}, {mask = cusp.tensor{{0.7, 3.0, 0.5}}}):tolist())
    assert.are.same({{0, 0, 0}}, softmax(cusp.ones{1, 3}, {mask = cusp.zeros{1, 3}}):tolist())
    raises("broadcast", softmax, cusp.ones{1, 3}, {mask = cusp.ones{1, 2}})
  end)

  for _, dtype in ipairs{"bfloat16", "mixed_bfloat16", "float16", "mixed_float16", "float64"} do
    it("does not overflow in " .. dtype, function()
      local mask = cusp.tensor{{true, false, true}}
      assert.are.same({{0.5, 0, 0.5}},
        layers.Softmax{dtype = dtype}(cusp.ones{1, 3}, {mask = mask}):tolist())
      local x = cusp.ones{1, 3, 2}
      for _, scores in ipairs{false, true} do
        local outputs = layers.MultiHeadAttention{2, 2, dtype = dtype}(x, x,
          {value_mask = mask, return_attention_scores = scores})
        assert.is_false(ops.any(ops.isnan(scores and outputs[1] or outputs)):item())
      end
      local both = layers.Attention{dtype = dtype}({x, x}, {mask = {mask, mask}})
      assert.is_false(ops.any(ops.isnan(both)):item())
    end)
  end

  it("of everything makes MultiHeadAttention take the mean, and nothing where the scores are "
    .. "asked for", function()
    local x = cusp.tensor{{{1.0, 0.0}, {3.0, 2.0}}}
    local attention = layers.MultiHeadAttention(1, 2)
    local none = {attention_mask = cusp.zeros({1, 2, 2}, "bool")}
    attention(x, x)
    local values = attention.value_dense(x):mean(2, true)
    local expected = attention.output_dense(ops.concatenate({values, values}, 2))
    assert.is_true(ops.all(ops.isclose(expected, attention(x, x, none))):item())
    none.return_attention_scores = true
    local outputs = attention(x, x, none)
    assert.are.same(attention.output_dense(ops.zeros_like(expected[1]:expand_dims(1)):reshape{1, 2,
      1, 2}):tolist(),
      outputs[1]:tolist())
    assert.are.same({{{{0, 0}, {0, 0}}}}, outputs[2]:tolist())
  end)

  it("goes on where a class computes one, whatever it says of masks", function()
    local x, mask = cusp.ones{1, 2, 1}, cusp.tensor{{true, false}}
    local function outputs_mask(members)
      members.call = function(_, inputs) return inputs * 1 end
      return masks.get(layers.Layer:extend("MaskedOne", members)()(attach(x, mask)))
    end
    local function negate(_, _, given) return ops.logical_not(given) end
    assert.is_nil(outputs_mask{})
    assert.are.same({{true, false}}, outputs_mask({supports_masking = true}):tolist())
    assert.are.same({{false, true}}, outputs_mask({compute_mask = negate}):tolist())
    assert.is_nil(outputs_mask{compute_mask = negate, supports_masking = false})
  end)

  it("goes on where it was given by name, not by position", function()
    local x, mask = cusp.ones{1, 2}, cusp.tensor{{true, false}}
    assert.is_nil(masks.get(layers.Softmax()(x, mask)))
    assert.are.same({{true, false}}, masks.get(layers.Softmax()(x, {mask = mask})):tolist())
    local y = cusp.ones{1, 2, 1}
    assert.is_nil(masks.get(layers.Attention()({y, y}, {mask, mask})))
    assert.are.same({{true, false}},
      masks.get(layers.Attention()({y, y}, {mask = {mask, mask}})):tolist())
  end)

  it("stops where Keras stops it", function()
    local x, mask = cusp.ones{2, 3, 4}, cusp.ones({2, 3}, "bool")
    for _, layer in ipairs{
      layers.RMSNormalization(), layers.EinsumDense("abc,cd->abd", {cusp.None, 2}),
      layers.Flatten(), layers.Conv1D(2, 1),
      layers.Reshape{12}, layers.Lambda(function(t)
        return t * 1
      end), layers.GlobalAveragePooling1D(),
    } do
      assert.is_nil(masks.get(layer(attach(x, mask))), layer.__name)
    end
    for _, name in ipairs{"LayerNormalization", "UnitNormalization", "BatchNormalization", "ReLU",
      "Identity", "PReLU"} do
      assert.is_truthy(masks.get(layers[name]()(attach(x, mask))), name)
    end
  end)

  it("is seen by call while a graph is built", function()
    local seen
    local Look = layers.Layer:extend("MaskLook", {call = function(_, inputs, args)
      seen = args.mask
      return inputs * 1
    end})
    local function mask_of(x)
      seen = nil
      Look()(x)
      return seen and #seen.shape
    end
    local ids = cusp.Input{4}
    local embedded = layers.Embedding{5, 3, mask_zero = true}(ids)
    assert.are.equal(2, mask_of(embedded))
    assert.are.equal(2, mask_of(layers.LSTM{2, return_sequences = true}(embedded)))
    assert.is_nil(mask_of(layers.LSTM(2)(embedded)))
    assert.are.equal(2, mask_of(layers.Dense(2)(layers.Masking()(cusp.Input{4, 2}))))
    assert.is_nil(mask_of(layers.RMSNormalization()(embedded)))
    assert.is_nil(mask_of(layers.Embedding{5, 3}(ids)))
    local inner = cusp.Sequential{cusp.Input{4}, layers.Embedding{5, 2, mask_zero = true}}
    assert.are.equal(2, mask_of(inner(cusp.Input{4})))
    assert.are.equal(2, mask_of(layers.Add(){embedded,
      layers.MultiHeadAttention(1, 2)(embedded, embedded)}))
  end)

  it("is taken off the inputs by MultiHeadAttention, but not off what a graph recorded", function()
    local x, mask = cusp.ones{1, 2, 2}, cusp.tensor{{true, false}}
    local given = attach(x, mask)
    layers.MultiHeadAttention(1, 2)(given, given)
    assert.is_nil(masks.get(given))
    local input = cusp.Input{4}
    local embedded = layers.Embedding{5, 3, mask_zero = true}(input)
    local sum = layers.Add(){embedded, layers.MultiHeadAttention(1, 2)(embedded, embedded)}
    local model = cusp.Model{input, {sum, layers.GlobalAveragePooling1D()(sum)}}
    local outputs = model(cusp.tensor{{1, 2, 0, 0}})
    local expected = outputs[1]:slice{{}, {1, 2}}:mean(2)
    assert.is_true(ops.all(ops.isclose(expected, outputs[2])):item())
  end)

  it("is not found for a recurrent layer that gets states, like in Keras", function()
    local x, mask = cusp.random.normal{1, 3, 2}, cusp.tensor{{true, true, false}}
    local lstm, states = layers.LSTM(2), {cusp.ones{1, 2}, cusp.ones{1, 2}}
    local without = lstm(x, {initial_state = states}):tolist()
    assert.are.same(without, lstm(attach(x, mask), {initial_state = states}):tolist())
    assert.are_not.same(without, lstm(x, {initial_state = states, mask = mask}):tolist())
  end)

  it("of the first step leaves the given state as the output", function()
    local x, mask = cusp.ones{1, 2, 2}, cusp.tensor{{false, true}}
    local given = {initial_state = {ops.full({1, 2}, 0.5)}, mask = mask}
    for _, name in ipairs{"SimpleRNN", "GRU"} do
      local outputs = layers[name]{2, return_sequences = true}(x, given)
      assert.are.same({0.5, 0.5}, outputs:tolist()[1][1])
    end
  end)
end)

describe("a layer that hands no mask on", function()
  it("says so once", function()
    local Plain = cusp.layers.Layer:extend("HandsNoMaskOn", {call = function(_, x)
      return x * 2
    end})
    local layer, masked = Plain(), cusp.layers.Masking()(cusp.ones{1, 2, 3})
    local list = require("cusp.base.warnings").collect(function()
      layer(cusp.ones{1, 2, 3})
      layer(masked)
      layer(masked)
      cusp.layers.Dense(2)(masked)
    end)
    assert.equal(1, #list)
    assert.matches("HandsNoMaskOn.*the input has a mask", list[1])
  end)
end)
