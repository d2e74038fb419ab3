-- Graphs with TensorFlow's functions and slices (scripts/fixtures/tensorflow_operations.py).
local cusp = require "cusp"
local folders = require "spec.support.folder"
local models = cusp.models

local file = io.open "spec/fixtures/keras2_files/operations.json"
local fixture = cusp.json.decode(file:read "a")
file:close()
local x = cusp.tensor(fixture.x)

local function off(model, y)
  return cusp.ops.max(cusp.ops.abs(model:predict{x, verbose = 0} - cusp.tensor(y))):item()
end

describe("TensorFlow's functions in graphs", function()
  for name, case in pairs(fixture.cases) do
    it("compute the same, also saved again: " .. name, function()
      local model = models.model_from_json(cusp.json.encode(case.config))
      assert.is_true(off(model, case.y) < 1e-5, tostring(off(model, case.y)))
      for _, format in ipairs{"tf2", "h5", "keras3"} do
        local again = models.model_from_json(model:to_json{format = format})
        assert.is_true(off(again, case.y) < 1e-5, format)
      end
      local folder <close> = folders.new()
      model:save(folder.path .. "/m.keras")
      local loaded = models.load_model(folder.path .. "/m.keras", {compile = false})
      assert.is_true(off(loaded, case.y) < 1e-5)
    end)
  end

  it("write t:slice{...} as Keras's x[...], and read it", function()
    local given, input = cusp.random.normal{3, 5, 4}, cusp.Input{shape = {5, 4}}
    local ranges = {
      {{}, {2, 3}}, {{}, -1, {}}, {"...", 2}, {{}, cusp.newaxis, "...", {-2, -1}},
      {"...", {-1, 1, -1}}, {{}, {4, 2, -1}}, {{}, {-2, -4, -2}, cusp.null}, {{}, {1, -2}, {2}},
    }
    local outputs, wanted = {}, {}
    for i, spec in ipairs(ranges) do
      outputs[i], wanted[i] = input:slice(spec), given:slice(spec):tolist()
    end
    local model = cusp.Model(input, outputs)
    for _, options in ipairs{{}, {format = "keras3"}} do
      local loaded = models.model_from_json(model:to_json(options))
      for i, result in ipairs(loaded(given)) do assert.same(wanted[i], result:tolist(), i) end
    end
    local config = cusp.json.decode(model:to_json{format = "keras3"}).config
    local call = config.layers[2].inbound_nodes[1].args[2]
    assert.equal("GetItem", config.layers[2].class_name)
    assert.same({start = 1, stop = 3, step = cusp.null}, call[2].config)
  end)

  it("keep their names, and slices their class", function()
    local model = models.model_from_json(cusp.json.encode(fixture.cases.slice.config))
    local text = model:to_json()
    assert.is_truthy(text:find('"SlicingOpLambda"', 1, true))
    assert.is_truthy(text:find('"tf.__operators__.getitem"', 1, true))
    assert.is_truthy(model:to_json{format = "keras3"}:find('"__slice__"', 1, true))
  end)

  it("refuse indices that are none", function()
    local text = cusp.json.encode(fixture.cases.slice.config)
    for _, wrong in ipairs{'"x"', "1.5", '{"start": "a"}', '{"step": 0}', "true", "[[1]]"} do
      local damaged = text:gsub('"slice_spec": (%b[])', '"slice_spec": [' .. wrong .. "]")
      local ok, message = pcall(models.model_from_json, damaged)
      assert.is_false(ok, wrong)
      assert.is_falsy(message:find "attempt to", message)
    end
    for _, wrong in ipairs{'[{"start": null}, 99]', "[1, 1, 1, 1]"} do
      local damaged = text:gsub('"slice_spec": (%b[])', '"slice_spec": ' .. wrong)
      assert.is_false((pcall(models.model_from_json, damaged)))
    end
  end)
end)
