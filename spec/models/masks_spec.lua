-- Masks in functional models, from whose tensors MultiHeadAttention takes them: Keras's numbers
-- (spec/fixtures/layers/masks.json.gz).
local cusp = require "cusp"
local cases = require "spec.support.cases"
local folder = require "spec.support.folder"
local layers = cusp.layers

local fixture = cases.read "layers/masks.json.gz"
local models = {}

local function attention() return layers.MultiHeadAttention(1, 3) end

local function add(...) return layers.Add(){...} end

function models.normalised_after(e)
  local x = layers.LayerNormalization()(add(e, attention()(e, e)))
  x = layers.LayerNormalization()(add(x, attention()(x, x)))
  return {x, layers.GlobalAveragePooling1D()(x), layers.LSTM(2)(x)}
end

function models.normalised_before(e)
  local n = layers.LayerNormalization()(e)
  local x = add(e, attention()(n, n))
  n = layers.LayerNormalization()(x)
  x = add(x, attention()(n, n))
  return {x, layers.GlobalAveragePooling1D()(x)}
end

function models.grouped(e)
  local x = add(e, attention()(e, e, {use_causal_mask = true}))
  x = add(x, layers.Dense{4, activation = "tanh"}(x))
  return {layers.GroupQueryAttention(2, 2, 1)(x, x),
    layers.Bidirectional{layers.GRU{2, return_sequences = true}}(x)}
end

function models.attended_first(e)
  local a = attention()(e, e)
  local x = add(a, layers.Dense(4)(e))
  local z = layers.LSTM{4, return_sequences = true}(x)
  return {layers.Attention(){x, x}, attention()(z, z),
    layers.GlobalAveragePooling1D()(layers.Concatenate(){z, e})}
end

function models.attended_last(e)
  local a = attention()(e, e)
  local x = add(layers.Dense(4)(e), a)
  return {layers.Attention(){x, x}, layers.Concatenate{axis = 2}{x, a},
    layers.GlobalAveragePooling1D()(layers.BatchNormalization()(x))}
end

function models.nested(e)
  local i = cusp.Input{5, 4}
  local x = cusp.Model(i, add(i, attention()(i, i)))(e)
  return {layers.GlobalAveragePooling1D()(x), attention()(x, x), layers.LSTM(2)(add(e, x))}
end

function models.within(e)
  local i = cusp.Input{5, 4}
  local x = add(attention()(i, i), layers.LSTM{4, return_sequences = true}(i))
  x = cusp.Model(i, layers.Concatenate(){x, i})(e)
  return {x, layers.LSTM(2)(x), layers.GlobalAveragePooling1D()(layers.Concatenate(){x, e})}
end

function models.chained(e)
  local x = add(e, attention()(e, e))
  local y = cusp.Sequential{layers.Dense(4), layers.LSTM{4, return_sequences = true}}(x)
  return {layers.TimeDistributed{layers.Dense(2)}(y), attention()(y, y),
    attention()(layers.Dropout(0.1)(x), x)}
end

-- The numbers of weight `start`, as the script has them that made the fixture.
local function steps(variable, start)
  local data, variance, count = {}, variable.path:find "variance", 1
  for _, size in ipairs(variable.shape) do count = count * size end
  for i = 0, count - 1 do
    local value = ((i * 37 + start * 11) % 101 - 50) / 64
    data[i + 1] = variance and math.abs(value) or value
  end
  return cusp.tensor(data, {shape = variable.shape})
end

local function make(name)
  local i = cusp.Input{shape = {5}, dtype = "int32"}
  local model = cusp.Model(i, models[name](layers.Embedding{6, 4, mask_zero = true}(i)))
  for index, weight in ipairs(model.weights) do weight:assign(steps(weight, index - 1)) end
  return model
end

describe("masks in a functional model", function()
  local tokens = cusp.tensor(fixture.tokens, {dtype = "int32"})

  local function compare(outputs, case, what)
    for i, want in ipairs(case.outputs) do cases.compare(outputs[i], want, {}, what .. " " .. i) end
  end

  for _, case in ipairs(fixture.cases) do
    it("go on as in Keras behind MultiHeadAttention: " .. case.name, function()
      local model = make(case.name)
      local outputs = model(tokens)
      compare(outputs, case, "call")
      local loss = cusp.losses.MeanSquaredError()(cusp.ones(outputs[1].shape), outputs[1])
      assert.near(case.loss, loss:item(), 1e-5 + 1e-4 * case.loss)
      compare(model:predict{tokens, verbose = 0}, case, "predict")
      local place <close> = folder.new()
      model:save(place.path .. "/m.keras")
      compare(cusp.models.load_model(place.path .. "/m.keras")(tokens), case, "file")
    end)
  end
end)
