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
end)
