local cusp = require "cusp"
local registry = require "cusp.base.registry"
local Object = require "cusp.base.class"
local message = require "spec.support.message"

describe("serialised forms", function()
  it("carry module, class name and configuration", function()
    local form = cusp.initializers.serialize(cusp.initializers.HeNormal{seed = 3})
    assert.equal(
      '{"module": "keras.initializers", "class_name": "HeNormal", "config": {"seed": 3, '
      .. '"input_axes": null, '
      .. '"output_axes": null}, "registered_name": null}', cusp.json.encode(form))
    assert.equal(3, cusp.initializers.deserialize(form).seed)
    assert.equal(3, cusp.initializers.deserialize{class_name = "HeNormal",
      config = {seed = 3}}.seed)
  end)

  it("find user-defined classes by name, or as custom objects", function()
    local Double = cusp.regularizers.Regularizer:extend("SpecDouble",
      {config = {{"factor", "number", default = 2}}})
    local form = registry.serialize(Double{factor = 3})
    assert.equal(cusp.null, form.module)
    assert.equal("SpecDouble", form.registered_name)
    assert.equal(3, registry.deserialize(form).factor)
    local Other = Object:extend("SpecOther", {config = {{"factor", "number"}}})
    Object.classes.SpecOther = nil
    assert.matches("there is no class named 'SpecOther'",
      message(registry.deserialize, {class_name = "SpecOther", config = {factor = 1}}))
    local found = registry.deserialize({class_name = "SpecOther", config = {factor = 1}},
      {custom_objects = {SpecOther = Other}})
    assert.equal(1, found.factor)
    do
      local _ <close> = cusp.utils.custom_object_scope{SpecOther = Other}
      assert.equal(1, registry.deserialize{class_name = "SpecOther", config = {factor = 1}}.factor)
    end
    message(registry.deserialize, {class_name = "SpecOther", config = {factor = 1}})
  end)

  it("find functions by name", function()
    local function mine(x) return x end
    registry.register("spec_mine", mine)
    local form = registry.serialize(mine)
    assert.equal("spec_mine", form.config)
    assert.equal(mine, registry.deserialize(form))
    assert.equal(mine, cusp.activations.get "spec_mine")
    assert.matches("no function named 'spec_absent'",
      message(registry.deserialize, {class_name = "function", config = "spec_absent"}))
  end)

  it("refuse bytecode and read Keras's own forms of Python values", function()
    assert.matches("bytecode",
      message(registry.deserialize, {class_name = "__lambda__", config = {}}))
    assert.same({1, 2}, registry.deserialize{class_name = "__tuple__", items = {1, 2}})
  end)

  it("suggest the nearest name", function()
    assert.matches("did you mean 'glorot_uniform'", message(cusp.initializers.get, "glorot_unifrm"))
    assert.matches("did you mean 'relu'", message(cusp.activations.get, "rleu"))
    assert.matches("did you mean", message(cusp.constraints.get, "maxnorm"))
  end)
end)
