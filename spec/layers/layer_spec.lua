local cusp = require "cusp"
local masks = require "cusp.base.masks"
local message_of = require "spec.support.message"
local layers, ops = cusp.layers, cusp.ops

describe("a layer", function()
  it("makes its weights at the first call, in Keras's order, with paths", function()
    local layer = layers.Dense{3, name = "head"}
    assert.is_false(layer.built)
    assert.equal(0, #layer.weights)
    layer(cusp.ones{2, 4})
    assert.same({4, 3}, layer.weights[1].shape)
    assert.equal("head/kernel", layer.weights[1].path)
    assert.equal("head/bias", layer.weights[2].path)
    assert.equal(15, layer:count_params())
  end)

  it("may be built by hand, once", function()
    local layer = layers.Dense(3)
    layer:build{cusp.None, 4}
    layer:build{cusp.None, 4}
    assert.is_true(layer.built)
    assert.equal(2, #layer.weights)
  end)

  it("takes plain tables of numbers, and casts floats to what it computes in", function()
    assert.same({1, 3}, layers.Dense(3){{1, 2.5}}.shape)
    local layer = layers.Dense{3, dtype = "float64"}
    assert.equal("float64", layer(cusp.ones{1, 2}).dtype)
    assert.equal("float64", layer.kernel.dtype)
  end)

  it("computes in one dtype and keeps its weights in another under a mixed policy", function()
    local layer = layers.Dense{3, dtype = "mixed_bfloat16"}
    local tape <close> = cusp.GradientTape()
    local outputs = layer(cusp.ones{2, 4})
    assert.equal("bfloat16", outputs.dtype)
    assert.equal("float32", layer.kernel.dtype)
    assert.equal("float32", tape:gradient(outputs, layer.kernel).dtype)
    assert.equal("bfloat16", layers.LSTM{3, dtype = "mixed_bfloat16"}(cusp.ones{2, 4, 5}).dtype)
  end)

  it("is a table in the prompt's words", function()
    assert.equal("Dense(32, activation = relu)", tostring(layers.Dense{32, activation = "relu"}))
    assert.equal("Conv2D(16, kernel_size = {3, 3}, padding = same)",
      tostring(layers.Conv2D{16, 3, padding = "same"}))
  end)

  it("may be a plain table", function()
    local Scale = layers.Layer:extend("SpecScale", {
      build = function(self, shape)
        self.gain = self:add_weight{name = "gain", shape = {shape[#shape]}, initializer = "ones"}
      end,
      call = function(self, x) return x * self.gain end,
    })
    local layer = Scale()
    assert.equal(1, layer(cusp.ones{2, 3}):item(2, 3))
    assert.equal("spec_scale", layer.name)
    assert.equal("spec_scale_1", Scale().name)
  end)

  it("finds layers, variables and lists of them among its fields, in order", function()
    local Net = layers.Layer:extend "SpecNet"
    function Net:init(args)
      layers.Layer.init(self, args)
      self.blocks = {layers.Dense(2), layers.Dense(3)}
      self.last = layers.Dense{1, use_bias = false}
      self.offset = cusp.Variable(cusp.zeros{1}, {name = "offset"})
      self.counter = cusp.Variable(cusp.zeros{}, {trainable = false})
    end
    function Net:call(x)
      for _, block in ipairs(self.blocks) do x = block(x) end
      return self.last(x) + self.offset
    end
    local net = Net{}
    net(cusp.ones{1, 4})
    local shapes = {}
    for i, variable in ipairs(net.weights) do
      shapes[i] = #variable.shape .. ":" .. table.concat(variable.shape, "x")
    end
    assert.same({"1:1", "0:", "2:4x2", "1:2", "2:2x3", "1:3", "2:3x1"}, shapes)
    assert.equal(6, #net.trainable_weights)
    assert.equal(1, #net.non_trainable_weights)
    assert.matches("^spec_net/dense.*/kernel$", net.blocks[1].kernel.path)
  end)

  it("hands trainable down", function()
    local model = cusp.Sequential{cusp.Input{4}, layers.Dense(2), layers.BatchNormalization()}
    assert.equal(4, #model.trainable_weights)
    model.trainable = false
    assert.equal(0, #model.trainable_weights)
    assert.equal(6, #model.non_trainable_weights)
    assert.is_false(model.layers[1].trainable)
    model.trainable = true
    assert.equal(4, #model.trainable_weights)
  end)

  it("tells inner layers whether they train", function()
    local seen = {}
    local Probe = layers.Layer:extend("SpecProbe", {call = function(_, x, args)
      seen[#seen + 1] = args.training
      return x
    end})
    local model = cusp.Sequential{cusp.Input{2}, Probe(), Probe()}
    seen = {}
    model(cusp.ones{1, 2})
    model(cusp.ones{1, 2}, {training = true})
    assert.same({false, false, true, true}, seen)
  end)

  it("collects losses of one call: added, activity (by the batch size), and of weights", function()
    local layer = layers.Dense{1, kernel_initializer = "ones", kernel_regularizer = "l2",
      activity_regularizer = "l1"}
    layer(cusp.ones{4, 2})
    layer(cusp.ones{4, 2})
    local losses = layer.losses
    assert.equal(2, #losses)
    assert.near(0.01 * 2, losses[1]:item(), 1e-6)
    assert.near(0.01 * 2, losses[2]:item(), 1e-6)
  end)

  it("passes masks on", function()
    local embedding = layers.Embedding{10, 3, mask_zero = true}
    local vectors = embedding(cusp.tensor{{1, 2, 0}, {3, 0, 0}})
    assert.same({{true, true, false}, {true, false, false}}, masks.get(vectors):tolist())
    assert.is_truthy(masks.get(layers.Dropout(0.5)(vectors)))
    local sequence = layers.LSTM{2, return_sequences = true}(vectors)
    assert.is_truthy(masks.get(sequence))
    local lstm = layers.LSTM(2)
    local last = lstm(vectors)
    local alone = lstm(embedding(cusp.tensor{{3}}))
    assert.near(alone:item(1, 1), last:item(2, 1), 1e-6)
  end)

  it("sets and gets weights", function()
    local layer = layers.Dense(2)
    layer:build{cusp.None, 1}
    layer:set_weights{{{1.0, 2.0}}, {3.0, 4.0}}
    assert.same({{4, 6}}, layer(cusp.ones{1, 1}):tolist())
    assert.matches("set_weights got 1 tensors, but the layer has 2 weights",
      message_of(layer.set_weights, layer, {cusp.ones{1, 2}}))
    assert.matches("weight 2 .*bias.* has shape %[2%], got %[3%]",
      message_of(layer.set_weights, layer, {cusp.ones{1, 2}, cusp.ones{3}}))
  end)
end)

describe("what a layer says of mistakes", function()
  it("names the layer, what it expected and what came", function()
    local layer = layers.Dense{3, name = "head"}
    layer(cusp.ones{2, 4})
    local message = message_of(function() layer(cusp.ones{2, 5}) end)
    assert.matches("head %(Dense%): expected size 4 in axis %-1", message)
    assert.matches("%[2, 5%]", message)
    assert.matches("layer_spec.lua:%d+", message)
    assert.matches("at least 2 axes", message_of(layer, cusp.ones{2}))
  end)

  it("tells where in a model", function()
    local Bad = layers.Layer:extend("SpecBad", {call = function(_, x)
      return ops.matmul(x, cusp.ones{7, 7})
    end})
    local model = cusp.Sequential{layers.Dense(3), Bad{name = "bad"}}
    local message = message_of(model, cusp.ones{2, 4})
    assert.matches("bad %(SpecBad%): matmul", message)
    assert.matches("%[.*3%]", message)
  end)

  it("of arguments", function()
    assert.matches("unknown argument 'unit' %(did you mean 'units'%?%)",
      message_of(layers.Dense, {3, unit = 4}))
    assert.matches("'units' should be a positive integer, got string",
      message_of(layers.Dense, "many"))
    assert.matches("'units' is missing", message_of(layers.Dense))
    assert.matches("there is no activation named 'rellu' %(did you mean 'relu'%?%)",
      message_of(layers.Dense, 3, {activation = "rellu"}))
    assert.matches("between 0 and 1", message_of(layers.Dropout, 1.5))
    assert.matches("unknown argument 'trainin' of the call",
      message_of(layers.Dropout(0.5), cusp.ones{2}, {trainin = true}))
    assert.matches("called without inputs", message_of(layers.Dense(3)))
    assert.matches("expected a tensor", message_of(layers.Dense(3), "text"))
  end)

  it("of weights before there are any", function()
    assert.matches("has no weights yet", message_of(layers.Dense(3).count_params, layers.Dense(3)))
    assert.matches("should have a known size", message_of(layers.Dense(3), cusp.Input{cusp.None}))
  end)

  it("leaves everything usable", function()
    local layer = layers.Dense(3)
    pcall(layer, cusp.ones{2})
    assert.same({2, 3}, layer(cusp.ones{2, 4}).shape)
  end)
end)
