-- The flags of a call are part of a functional model: false differs from absent.
local cusp = require "cusp"
local Folder = require "spec.support.folder"
local layers = cusp.layers

describe("a call with training = false", function()
  it("stays one in every form of a model", function()
    local folder <close> = Folder.new()
    local input = cusp.Input{3}
    local model = cusp.Model{input,
      layers.BatchNormalization{moving_mean_initializer = "ones"}(input, {training = false})}
    local x = cusp.tensor{{1.0, 2.0, 3.0}, {4.0, 6.0, 8.0}}
    local function values(m) return m(x, {training = true}):flat() end
    local expected = values(model)
    assert.near(0, expected[1], 1e-3)
    assert.matches('"training": ?false', model:to_json())
    assert.same(expected, values(cusp.models.model_from_json(model:to_json())))
    assert.same(expected, values(cusp.models.model_from_yaml(model:to_yaml())))
    assert.same(expected, values(cusp.models.clone_model(model)))
    for _, name in ipairs{"/model.keras", "/model.h5"} do
      model:save(folder.path .. name)
      assert.same(expected, values(cusp.models.load_model(folder.path .. name, {compile = false})))
    end
  end)

  it("is the default that Keras 3 writes of layers whose call has one", function()
    local folder <close> = Folder.new()
    local Noisy = layers.Layer:extend("NoisyWithFlag", {
      call = function(_, x, args) return args.training and x + 1 or x end,
    })
    local made = {layers.Dropout(0.5), layers.GaussianNoise(1.0), layers.AlphaDropout(0.5),
      layers.SpatialDropout1D(0.5), layers.GRU{3, dropout = 0.5, return_sequences = true}, Noisy()}
    for _, layer in ipairs(made) do
      local input = cusp.Input{4, 3}
      local model = cusp.Model{input, layer(input, {training = false})}
      model:save(folder.path .. "/model.keras")
      assert.matches('"training": ?false', model:to_json())
      local loaded = cusp.models.load_model(folder.path .. "/model.keras", {compile = false})
      local x = cusp.random.normal{64, 4, 3}
      local plain = loaded(x, {training = false}):flat()
      assert.same(plain, loaded(x):flat())
      assert.not_same(plain, loaded(x, {training = true}):flat(), layer.name)
    end
  end)
end)
