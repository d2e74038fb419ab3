local cusp = require "cusp"
local layers = cusp.layers

local function new_model()
  cusp.utils.clear_session()
  local model = cusp.Sequential({
    cusp.Input{shape = {1}, name = "my_input"},
    layers.Dense{1, activation = "sigmoid", name = "my_dense"},
  }, {name = "my_sequential"})
  model:compile{optimizer = "adam", loss = "mse", metrics = {"mae"}}
  model:fit{cusp.ones{1, 1}, cusp.ones{1, 1}, verbose = 0}
  return model
end

describe("get_state_tree", function()
  it("nests all variables by the parts of their paths", function()
    local model = new_model()
    local tree = model:get_state_tree()
    assert.same({1, 1}, {table.unpack(
      tree.trainable_variables.my_sequential.my_dense.kernel.shape)})
    assert.same({}, tree.non_trainable_variables)
    assert.equal(1, model:get_state_tree("numpy_array").optimizer_variables.adam.iteration)
    assert.is_not_nil(tree.metrics_variables.loss.total)
    assert.is_not_nil(tree.metrics_variables.mean_absolute_error.count)
  end)

  it("is what set_state_tree takes, whole or in part", function()
    local model = new_model()
    local tree, before = model:get_state_tree(), model:predict{cusp.ones{1, 1}, verbose = 0}
    model:fit{cusp.ones{1, 1}, cusp.zeros{1, 1}, epochs = 5, verbose = 0}
    model:set_state_tree(tree)
    assert.equal(before:tobytes(), model:predict{cusp.ones{1, 1}, verbose = 0}:tobytes())
    assert.equal(1, model.optimizer.iterations:item())
    model:set_state_tree{trainable_variables = {my_sequential = {my_dense = {bias = {7}}}}}
    assert.equal(7, model.layers[1].bias:item(1))
  end)

  it("refuses names and shapes that are not the model's, and changes nothing", function()
    local model = new_model()
    local bias = model.layers[1].bias:item(1)
    local function refuses(tree, pattern)
      assert.error_matches(function() model:set_state_tree(tree) end, pattern)
      assert.equal(bias, model.layers[1].bias:item(1))
    end
    refuses({weights = {}}, "expected trainable_variables, .*got 'weights'")
    refuses({trainable_variables = {my_sequential = {my_dense = {bias = {7}, kernal = {{1}}}}}},
      "no variable 'my_sequential/my_dense/kernal'")
    refuses({trainable_variables = {my_sequential = {my_dense = {bias = {7}, kernel = {1, 2}}}}},
      "'my_sequential/my_dense/kernel' has shape")
    refuses(3, "expected a table")
    assert.error_matches(function() model:get_state_tree "list" end, "value_format")
  end)
end)
