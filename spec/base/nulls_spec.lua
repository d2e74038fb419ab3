--- The nulls of other JSON and YAML modules, and ours in theirs.
local cusp = require "cusp"
local engine = require "cusp.engine"
local nulls = require "cusp.base.nulls"

local has_dkjson, dkjson = pcall(require, "dkjson")

-- What lua-cjson, dkjson and lyaml have for null.
local foreign = {
  engine.null_pointer,
  setmetatable({}, {__tojson = function() return "null" end}),
  setmetatable({}, {_type = "LYAML null"}),
}

describe("the nulls of other modules", function()
  it("are nulls, and other values are none", function()
    for _, null in ipairs(foreign) do assert.is_true(nulls.is(null)) end
    assert.is_true(nulls.is(cusp.null))
    local others = {{}, {1}, io.stdout, false, 0, "null", setmetatable({}, {__tojson = error}),
      cusp.ones{1}, cusp.None, cusp.tensor(1).shape}
    for _, other in ipairs(others) do assert.is_false(nulls.is(other)) end
    assert.is_false(nulls.is(nil))
  end)

  it("are written as null", function()
    for _, null in ipairs(foreign) do
      assert.equal('{"a": null}', cusp.json.encode{a = null})
      assert.matches("a: null", cusp.yaml.encode{a = null})
    end
  end)

  it("are read in configurations and given as arguments", function()
    for _, null in ipairs(foreign) do
      local form = {class_name = "Dense", config = {units = 3, activation = null,
        bias_regularizer = null, name = "d"}}
      local dense = cusp.layers.deserialize(form)
      assert.equal(3, dense.units)
      assert.is_nil(dense.bias_regularizer)
      assert.equal(null, form.config.activation)
      assert.equal(2, cusp.layers.Dense:from_config{units = 2, kernel_constraint = null}.units)
      assert.is_nil(cusp.layers.Dense{3, kernel_regularizer = null}.kernel_regularizer)
      assert.is_nil(cusp.regularizers.get(null))
    end
  end)

  it("do not make a configuration that contains itself endless", function()
    local config = {units = 3, a = engine.null_pointer}
    config.b, config.c = config, {config, config}
    assert.error_matches(function() cusp.layers.Dense:from_config(config) end, "unknown argument")
  end)
end)

describe("cusp.null", function()
  it("is written as null by dkjson", function()
    if not has_dkjson then return end
    assert.equal('{"a":null}', dkjson.encode{a = cusp.null})
    assert.is_true(nulls.is(dkjson.null))
  end)
end)
