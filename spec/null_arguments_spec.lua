-- Keras's None, passed for an argument that has a default and does not allow it.
local cusp = require "cusp"
local layers, null, ops = cusp.layers, cusp.null, cusp.ops

local function raises(pattern, f, ...)
  local ok, problem = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, problem, 1, true)
end

describe("null", function()
  it("does not stand for a number that is computed with", function()
    raises("Adam: argument 'epsilon' should be a number, got null", cusp.optimizers.Adam,
      {epsilon = null})
    raises("RMSprop: argument 'rho' should be a number, got null", cusp.optimizers.RMSprop,
      {rho = null})
    raises("SGD: argument 'learning_rate' should be a number, a learning rate schedule",
      cusp.optimizers.SGD, {learning_rate = null})
    raises("BatchNormalization: argument 'epsilon' should be a number, got null",
      layers.BatchNormalization, {epsilon = null})
    raises("LayerNormalization: argument 'axis'", layers.LayerNormalization, {axis = null})
    assert.is_nil(cusp.optimizers.Adam{weight_decay = null}.weight_decay)
  end)

  it("means all axes to Softmax", function()
    local layer = layers.Softmax{axis = null}
    local x = cusp.tensor{{1.0, 2}, {3, 4}}
    assert.same(ops.softmax(x, null):tolist(), layer(x):tolist())
    assert.equal(null, layer:get_config().axis)
    local again = layers.Softmax:from_config(layer:get_config())
    assert.same(layer(x):tolist(), again(x):tolist())
    local masked = layer(x, {mask = cusp.tensor{{true, false}, {true, true}}})
    assert.equal(0, masked:item(1, 2))
    assert.near(1, masked:sum():item(), 1e-6)
  end)

  it("is refused by operations that need an axis, in their own name", function()
    local x = cusp.ones{2, 3}
    for _, name in ipairs{"diff", "trapezoid", "sparsemax"} do
      raises(name .. ": argument 'axis' should be", ops[name], x, {axis = null})
      raises(name .. ": axis 5 is out of range for a tensor of 2 dimensions", ops[name], x,
        {axis = 5})
    end
    raises("cross: axis 5 is out of range", ops.cross, x, x, {axis = 5})
    raises("unique: axis 5 is out of range", ops.unique, x, {axis = 5})
  end)
end)
