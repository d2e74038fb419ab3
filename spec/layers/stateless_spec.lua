-- Calls that leave variables as they are: layers, metrics, optimizers.
local cusp = require "cusp"
local waves = require "spec.support.waves"

local layers, ops = cusp.layers, cusp.ops

local function values_of(variables, f)
  local values = {}
  for i, variable in ipairs(variables) do values[i] = f(variable.value) end
  return values
end

local function same(value) return value end

describe("stateless_call", function()
  it("computes with other values and returns the state afterwards", function()
    local layer = layers.BatchNormalization()
    layer:build{cusp.None, 3}
    waves.fill(layer.weights, 1)
    local before = values_of(layer.weights, same)
    local outputs, state = layer:stateless_call(
      values_of(layer.trainable_variables, function(x) return x * 2 end),
      values_of(layer.non_trainable_variables, function(x) return x + 3 end),
      waves.cosines{4, 3}, {training = true})
    waves.compare({3.534438133239746, 1.8049099445343018, -1.8984931707382202,
      0.06876301765441895, -1.2767874002456665, -1.1239633560180664, 3.4650726318359375,
      2.356233596801758, -1.59894859790802, 0.20610570907592773, -1.7553958892822266,
      -1.4330148696899414}, outputs)
    waves.compare({3.109856367111206, 2.220269203186035, 2.0199811458587646}, state[1])
    waves.compare({2.2300939559936523, 2.0256192684173584, 2.694019079208374}, state[2])
    for i, variable in ipairs(layer.weights) do waves.compare(before[i]:flat(), variable, 0) end
  end)

  it("lets gradients flow to the values, eagerly and compiled, losses among them", function()
    local model = cusp.Sequential{cusp.Input{shape = {3}},
      layers.Dense{2, kernel_regularizer = cusp.regularizers.L2(0.5)}, layers.Dense{1}}
    waves.fill(model.weights)
    local x = waves.cosines{4, 3}
    local function loss(weights)
      local y, _, losses = model:stateless_call(weights, {}, x, {return_losses = true})
      return y:sum() + losses[1]
    end
    local weights = values_of(model.trainable_variables, same)
    local tape <close> = cusp.GradientTape()
    local want = tape:gradient(model(x):sum() + model.losses[1], model.trainable_variables)
    local gradient = cusp.grad(loss)
    for _, f in ipairs{gradient, cusp.compile(function(...) return gradient(...) end)} do
      local got = f(weights)
      for i = 1, #want do waves.compare(want[i]:flat(), got[i], 1e-6) end
    end
  end)

  it("casts what it is given under a mixed policy", function()
    local layer = layers.Dense{2, dtype = "mixed_bfloat16"}
    layer:build{cusp.None, 3}
    local y = layer:stateless_call(values_of(layer.weights, same), {}, cusp.ones{1, 3})
    assert.are.equal("bfloat16", y.dtype)
  end)

  it("puts variables back after an error, and says what is wrong", function()
    local layer = layers.Dense{2, name = "d"}
    assert.error_matches(function() layer:stateless_call({}, {}, cusp.ones{1, 3}) end,
      "Dense.stateless_call: the layer has no variables yet")
    layer:build{cusp.None, 3}
    local before = layer.kernel.value
    assert.error_matches(function() layer:stateless_call({}, {}, cusp.ones{1, 3}) end,
      "the trainable variables: expected a list of 2 tensors, got 0")
    assert.error_matches(function()
      layer:stateless_call({cusp.zeros{3, 3}, cusp.zeros{2}}, {}, cusp.ones{1, 3})
    end, "item 1 should have shape %[3, 2%], got %[3, 3%]")
    assert.has_error(function()
      layer:stateless_call({cusp.zeros{3, 2}, cusp.zeros{2}}, {}, cusp.ones{1, 4})
    end)
    waves.compare(before:flat(), layer.kernel, 0)
  end)
end)

describe("stateless metrics", function()
  it("count without being changed", function()
    local metric = cusp.metrics.CategoricalAccuracy()
    local state = metric:stateless_update_state(metric:stateless_reset_state(),
      {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, {{1, 0, 0}, {1, 0, 0}, {0, 0, 1.0}})
    waves.compare({2 / 3}, metric:stateless_result(state))
    assert.are.equal(0, metric:result():item())
    assert.error_matches(function() metric:stateless_result{} end,
      "CategoricalAccuracy.stateless_result: expected a list of 2 tensors")
  end)
end)

describe("stateless_apply", function()
  it("gives what apply would make of the variables and the state", function()
    local variable = cusp.Variable(cusp.tensor{1.0, 2.0})
    local twin = cusp.Variable(cusp.tensor{1.0, 2.0})
    local optimizer, other = cusp.optimizers.Adam(0.1), cusp.optimizers.Adam(0.1)
    optimizer:build{variable}
    local values, state = {variable.value}, values_of(optimizer.variables, same)
    for step = 1, 3 do
      local gradient = {cusp.tensor{0.5 * step, -1.0}}
      values, state = optimizer:stateless_apply(state, gradient, values)
      other:apply(gradient, {twin})
    end
    waves.compare(twin.value:flat(), values[1], 1e-6)
    assert.are.equal(3, state[1]:item())
    assert.are.equal(0, optimizer.iterations:item())
    waves.compare({1, 2}, variable, 0)
  end)

  it("needs the state to be there", function()
    assert.error_matches(function() cusp.optimizers.SGD():stateless_apply({}, {}, {}) end,
      "SGD.stateless_apply: the optimizer has no state yet")
  end)
end)

describe("names of Keras on layers:", function()
  it("path, input_dtype, metrics_variables, add_variable, compute_output_spec", function()
    local Own = layers.Layer:extend("Counting", {
      init = function(self, args)
        layers.Layer.init(self, args)
        self.seen = cusp.metrics.Mean{name = "seen"}
        self.inner = layers.Dense{2, name = "inner"}
        self.bias = self:add_variable{name = "bias", shape = {2}, initializer = "zeros"}
      end,
      call = function(self, x) return self.inner(x) + self.bias end,
    })
    local layer = Own{name = "outer"}
    assert.are.equal("outer", layer.path)
    layer(cusp.ones{1, 3})
    assert.are.same({"outer/inner", "float32", 2},
      {layer.inner.path, layer.input_dtype, #layer.metrics_variables})
    local spec = layers.Dense(5):compute_output_spec(cusp.Input{shape = {4, 3}})
    assert.are.same({cusp.None, 4, 5}, {table.unpack(spec.shape)})
  end)

  it("name_scope", function()
    local layer = cusp.name_scope("encoder", function(name)
      local made = layers.Dense{2, name = name}
      made:build{cusp.None, 3}
      return made
    end, "first")
    assert.are.same({"encoder/first", "encoder/first/kernel"}, {layer.path, layer.kernel.path})
    assert.error_matches(function() cusp.name_scope "a" end, "expected a function")
    assert.error_matches(function() cusp.name_scope("a/b", print) end, "expected a name without")
  end)

  it("remat and RematScope leave results and gradients as they are", function()
    local scope <close> = cusp.RematScope{mode = "larger_than", output_size_threshold = 8}
    local cube = cusp.remat(function(x) return (x * x * x):sum() end)
    waves.compare({12}, cusp.grad(cube)(cusp.tensor{2.0}))
    assert.error_matches(function() cusp.RematScope{mode = "some"} end, "argument 'mode'")
    assert.error_matches(function() cusp.remat(3) end, "remat: expected a function or a layer")
    assert.are.equal("larger_than", scope.mode)
  end)

  it("convolution_op may be overridden", function()
    local Halved = layers.Conv1D:extend("HalvedConv", {
      convolution_op = function(self, inputs, kernel)
        return layers.Conv1D.convolution_op(self, inputs, kernel * 0.5)
      end,
    })
    local halved, plain = Halved{2, 2, use_bias = false}, layers.Conv1D{2, 2, use_bias = false}
    local x = waves.cosines{1, 5, 3}
    halved:build{cusp.None, 5, 3}
    plain:build{cusp.None, 5, 3}
    plain:set_weights(halved:get_weights())
    waves.compare((plain(x) * 0.5):flat(), halved(x), 1e-6)
  end)

  it("transform_single_image and the others change one image", function()
    local image = ops.reshape(cusp.arange(24) * 1.0, {2, 4, 3})
    local flip = layers.RandomFlip{"horizontal", seed = 3}
    flip:build{cusp.None, 2, 4, 3}
    local drawn = flip:get_random_transformation(ops.expand_dims(image, 1), flip.generator)
    waves.compare(flip:transform_images(ops.expand_dims(image, 1), drawn):flat(),
      flip:transform_single_image(image, drawn))
    waves.compare(image:flat(), flip:transform_single_image(image, drawn, false))
    local resizing = layers.Resizing{1, 2}
    assert.are.same({1, 2, 3},
      {table.unpack(resizing:transform_single_image(image, {}).shape)})
    waves.compare({1}, flip:transform_single_label(cusp.tensor(1.0), drawn))
  end)

  it("initializers are cloned", function()
    local initializer = cusp.initializers.RandomNormal{stddev = 2.0, seed = 5}
    local clone = initializer:clone()
    assert.are_not.equal(initializer, clone)
    waves.compare(initializer{3}:flat(), clone{3}, 0)
  end)
end)
