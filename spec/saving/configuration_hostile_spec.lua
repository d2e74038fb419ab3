local configuration = require "cusp.saving.configuration"
local cusp = require "cusp"
local golden_models = require "spec.support.golden_models"
local mutate = require "spec.support.mutate"
local mutate_tree = require "spec.support.mutate_tree"
local warnings = require "cusp.base.warnings"

local models = cusp.models

local function fails(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, message)
end

--- A graph of two dense layers as text, with one change.
local function graph(pattern, replacement)
  local x = cusp.Input{shape = {3}, name = "x"}
  local model = cusp.Model{x,
    cusp.layers.Dense{2, name = "b"} (cusp.layers.Dense{4, name = "a"} (x))}
  local text, count = model:to_json():gsub(pattern, replacement)
  assert(count > 0, pattern)
  return text
end

describe("hostile configurations:", function()
  it("errors name the place", function()
    local cases = {
      {'"units": 4', '"units": "two"',
        "layers%[2%] %(Dense 'a'%), config.units: should be a positive integer, got "
          .. "string \"two\""},
      {'"units": 4', '"units": 1e99',
        "layers%[2%] %(Dense 'a'%), config.units: should be a positive integer, got number 1e%+99"},
      {'"units": 4, ', '', "layers%[2%] %(Dense 'a'%), config.units: is missing"},
      {'"units": 4', '"units": 4, "colour": 1',
        "layers%[2%] %(Dense 'a'%): config has the unknown key 'colour'"},
      {'%["a", 0, 0', '["b", 0, 0', "depend on each other or on themselves: 'b'"},
      {'%["a", 0, 0', '["z", 0, 0',
        "layers%[3%] %(Dense 'b'%): there is no layer named string \"z\""},
      {'%["a", 0, 0', '["a", 9, 0',
        "the layer 'a' is called 1 time in the configuration; there is no output of call 9"},
      {'%["a", 0, 0', '["a", 0, 9', "the layer 'a' has no output 9"},
      {'%["a", 0, 0', '["a", "0", 0', "should be given by two integers, got string"},
      {'"name": "b"', '"name": "a"', "layers%[3%] %(Dense 'a'%): the name is used twice"},
      {'"class_name": "Dense"', '"class_name": 7', "class_name should be a string, got number 7"},
      {'"class_name": "Dense"', '"class_name": "Dens"',
        "there is no class named 'Dens' in keras.layers %(did you mean 'Dense'%?%)"},
      {'"class_name": "Dense"', '"class_name": "Adam"',
        "layers%[2%] %(Adam 'a'%): config has the unknown key"},
      {'"output_layers": %[%["b", 0, 0%]%]', '"output_layers": 5',
        "output_layers should be a list"},
      {'"layers": %[', '"layers": 5, "rest": [', "layers should be a list, got number 5"},
      {'"float32"', '"float33"', "layers%[1%] %(InputLayer 'x'%), config.dtype: should be a dtype"},
    }
    for _, case in ipairs(cases) do
      fails("model configuration.*" .. case[3], models.model_from_json, graph(case[1], case[2]))
    end
  end)

  it("texts that are no model's are refused", function()
    for text, pattern in pairs{
      ["[1, 2]"] = "class_name should be a string",
      ['{"class_name": "Adam", "config": {}}'] = "'Adam' is not a model",
      ["null"] = "got null",
      ["{"] = "json: ", ['{"class_name": "Sequential", "config": 3}'] =
      "the configuration should be a table, got number 3",
    } do fails(pattern, models.model_from_json, text) end
    fails("expected the text", models.model_from_json, nil)
    fails("expected the text", models.model_from_yaml, 5)
    fails("format should be", configuration.of_model, cusp.Sequential{}, {format = "keras"})
  end)

  it("no tag of YAML makes an object", function()
    for _, tag in ipairs{"python/object/apply:os.system", "python/object:a.B",
      "python/name:os.system", "python/module:os"} do
      fails("the tag !!" .. tag .. " at line 2 is not for a plain value", models.model_from_yaml,
        "class_name: x\nconfig: !!" .. tag .. " [ls]\n")
    end
    fails("the tag !own", models.model_from_yaml, "a: !own 1")
  end)

  it("aliases of aliases are bounded", function()
    local lines = {"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"}
    for i = 1, 12 do
      lines[i + 1] = ("a%d: &a%d [%s]"):format(i, i, (", *a" .. i - 1):rep(10):sub(3))
    end
    fails("expands to more than %d+ values", models.model_from_yaml, table.concat(lines, "\n"))
  end)

  it("nesting is bounded, in texts and in objects", function()
    local open = '{"class_name": "TimeDistributed", "config": {"layer": '
    fails("nested deeper than", models.model_from_json, open:rep(200) .. "null" .. ("}}"):rep(200))
    fails("nested deeper than", models.model_from_json, open:rep(100000))
    fails("nested deeper than", models.model_from_yaml, ("["):rep(100000))
  end)

  it("a graph in any order is read in time that grows with its size", function()
    local layers, count = {}, 3000
    for i = count, 1, -1 do
      local name = "i" .. i
      local calls = {{{"i" .. i - 1, 0, 0}}}
      layers[#layers + 1] = {class_name = "Identity", name = name, config = {name = name},
        inbound_nodes = calls}
    end
    layers[#layers + 1] = {class_name = "InputLayer", name = "i0",
      config = {name = "i0", batch_input_shape = {cusp.null, 2}}}
    local config = {layers = layers, input_layers = {{"i0", 0, 0}},
      output_layers = {{"i" .. count, 0, 0}}}
    local start = os.clock()
    local model = configuration.to_model{class_name = "Model", config = config}
    assert.equal(count + 1, #model.layers)
    assert(os.clock() - start < 20)
  end)

  -- Every change gives a model, or an error that describes the fault in the configuration.
  local function check(name, f, value)
    local ok, message = pcall(f, value)
    if ok then return end
    assert(type(message) == "string", name)
    assert(not message:find "attempt to" and not message:find "stack overflow",
      name .. ": " .. message)
  end

  local root = "spec/fixtures/config"
  for i, file in ipairs(golden_models.files(root, "[_/]%w*model%w*%.%a+$")) do
    it("changes of " .. file.path, function()
      golden_models.custom_objects()
      local text = mutate.read(root .. "/" .. file.path)
      local is_yaml = file.path:find "%.yaml$"
      local read_text = is_yaml and models.model_from_yaml or models.model_from_json
      warnings.collect(function()
        for name, tree in mutate_tree.mutations((is_yaml and cusp.yaml or cusp.json).decode(text),
          {seed = i, count = 12}) do
          check(file.path .. ", " .. name, configuration.to_model, tree)
        end
        for name, damaged in mutate.mutations(text, {seed = i, count = 6}) do
          check(file.path .. ", " .. name, read_text, damaged)
        end
      end)
    end)
  end
end)
