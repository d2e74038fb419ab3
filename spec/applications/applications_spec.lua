-- What goes with the known networks: pixels, classes, weights in files, wrong arguments.
local Folder = require "spec.support.folder"
local cusp = require "cusp"
local text_files = require "spec.support.text_files"
local message = require "spec.support.message"

local applications, null, ops = cusp.applications, cusp.null, cusp.ops

-- The message where Keras's cache is empty.
local function without_files(f, ...)
  local folder <close> = Folder.new()
  local getenv = os.getenv
  rawset(os, "getenv", function(name)
    return name == "KERAS_HOME" and folder.path or getenv(name)
  end)
  local text = message(f, ...)
  rawset(os, "getenv", getenv)
  return text
end

local function small(options)
  options.input_shape, options.alpha = {32, 32, 3}, 0.1
  options.weights = options.weights or null
  return applications.MobileNet(options)
end

describe("preprocess_input", function()
  -- Keras 3.15 gives these for the pixels 0, 51, 255 of red, green and blue.
  local expected = {
    vgg16 = {151.061, -65.779, -123.68}, resnet = {151.061, -65.779, -123.68},
    mobilenet_v2 = {-1, -0.6, 1}, xception = {-1, -0.6, 1},
    densenet = {-2.117904, -1.142857, 2.64}, efficientnet = {0, 51, 255},
    convnext = {0, 51, 255},
  }
  for family, values in pairs(expected) do
    it("scales pixels for " .. family, function()
      local pixel = cusp.tensor({{{{0, 51, 255}}}}, {dtype = "uint8"})
      local found = applications[family].preprocess_input(pixel):tolist()[1][1][1]
      for i, value in ipairs(values) do assert.near(value, found[i], 1e-4) end
    end)
  end

  it("knows where the channels are", function()
    local pixel = cusp.tensor{{{0.0}}, {{51.0}}, {{255.0}}}
    local found = applications.imagenet_utils.preprocess_input(pixel, "channels_first", "caffe")
    assert.same({3, 1, 1}, table.move(found.shape, 1, 3, 1, {}))
    assert.near(151.061, found:tolist()[1][1][1], 1e-3)
    assert.matches("preprocess_input: expected images of shape", message(
      applications.vgg16.preprocess_input, cusp.ones{3}))
    assert.matches('argument \'mode\' should be one of "caffe", "tf", "torch"', message(
      applications.imagenet_utils.preprocess_input, pixel, null, "tensorflow"))
  end)

  it("is a part of a model", function()
    local inputs = cusp.Input{{4, 4, 3}}
    local model = cusp.Model(inputs, applications.mobilenet_v2.preprocess_input(inputs))
    assert.near(-1, model(cusp.zeros{1, 4, 4, 3}):item(1, 1, 1, 1), 1e-6)
  end)
end)

describe("decode_predictions", function()
  it("says which file is missing and where it belongs", function()
    local text = without_files(applications.vgg16.decode_predictions, cusp.zeros{1, 1000})
    assert.matches(": decode_predictions: nothing is downloaded here: get https://", text, 1, true)
    assert.matches("imagenet_class_index.json", text, 1, true)
    assert.matches("/models/", text, 1, true)
    assert.matches("expected predictions of shape [batch, 1000], got [1, 10]",
      message(applications.vgg16.decode_predictions, cusp.zeros{1, 10}), 1, true)
  end)
end)

describe("weights of a network", function()
  it("are read from any file, and written", function()
    local folder <close> = Folder.new()
    local model = small{classes = 3}
    local x = cusp.random.uniform{1, 32, 32, 3}
    for _, name in ipairs{"/w.h5", "/w.weights.h5", "/checkpoint"} do
      model:save_weights(folder.path .. name)
      local again = small{classes = 3, weights = folder.path .. name}
      assert.equal(0.0, ops.max(ops.abs(model(x) - again(x))):item())
    end
  end)

  it("of another network are refused by the first layer that differs", function()
    local folder <close> = Folder.new()
    small{include_top = false}:save_weights(folder.path .. "/w.weights.h5")
    local text = message(small, {classes = 3, weights = folder.path .. "/w.weights.h5"})
    assert.matches("conv_preds", text)
  end)

  it("that were trained are looked for in Keras's cache", function()
    local text = without_files(applications.ResNet50)
    assert.matches("resnet50_weights_tf_dim_ordering_tf_kernels.h5", text, 1, true)
    assert.matches("/models/resnet50_weights_tf_dim_ordering_tf_kernels.h5", text, 1, true)
    assert.matches(": ResNet50: nothing is downloaded here: get https://", text, 1, true)
    assert.matches("tf_kernels.h5; else weights is the path of a file, or cusp.null", text, 1, true)
  end)

  it("must be the right ones", function()
    assert.matches("classes should be 1000, got 10", message(applications.VGG16, {classes = 10}))
    assert.matches("there is no file '/nowhere.h5'",
      message(applications.VGG16, {weights = "/nowhere.h5"}))
    assert.matches("weights should be \"imagenet\", the path of a file",
      message(applications.VGG16, {weights = 3}))
    assert.matches("classifier_activation should be \"softmax\" or cusp.null",
      message(applications.VGG16, {classifier_activation = "relu"}))
    local folder <close> = Folder.new()
    text_files.write(folder.path .. "/w.h5", "no HDF5")
    assert.matches("w.h5", message(small, {weights = folder.path .. "/w.h5"}))
  end)
end)

describe("a layer of a network", function()
  it("is found under the name that tf.keras 2 registered", function()
    local layer = cusp.layers.deserialize{class_name = "Custom>CustomScaleLayer",
      config = {name = "scaled", scale = 0.25}}
    assert.equal(0.25, layer.scale)
    assert.equal(1.5, layer{cusp.ones{1, 1}, cusp.ones{1, 1} * 2}:item(1, 1))
  end)
end)

describe("a network", function()
  it("names what is wrong with its input", function()
    assert.matches("VGG16: images should be at least 32x32, got input_shape = %[8, 8, 3%]",
      message(applications.VGG16, {input_shape = {8, 8, 3}, include_top = false, weights = null}))
    assert.matches("input_shape should be three sizes without the batch", message(
      applications.ResNet50, {input_shape = {1, 64, 64, 3}, include_top = false, weights = null}))
    assert.matches("argument 'pooling' should be", message(applications.ResNet50,
      {pooling = "mean", weights = null}))
    assert.matches("unknown argument 'clases' %(did you mean 'classes'", message(
      applications.ResNet50, {clases = 3}))
  end)

  it("is the same each time it is built", function()
    local options = {input_shape = {32, 32, 3}, alpha = 1.5, classes = 3, weights = null}
    local first = applications.MobileNetV3Small(options)
    assert.equal(first:count_params(), applications.MobileNetV3Small(options):count_params())
  end)

  it("takes a tensor of a model as its input", function()
    local inputs = cusp.Input{shape = {32, 32, 3}}
    local flipped = cusp.layers.RandomFlip "horizontal"(inputs)
    local model = applications.MobileNet{input_tensor = flipped, alpha = 0.1, weights = null,
      include_top = false, pooling = "avg"}
    assert.same({32, 32, 3}, {table.unpack(model.input_shape, 2)})
    assert.is_true(#model.layers > 86)
  end)

  it("is fine-tuned with its base frozen bit by bit", function()
    local base = small{include_top = false, pooling = "avg"}
    base.trainable = false
    local before = {}
    for i, weight in ipairs(base.weights) do before[i] = weight.value:tobytes() end
    local inputs = cusp.Input{{32, 32, 3}}
    local outputs = cusp.layers.Dense{3, activation = "softmax"}(base(inputs, {training = false}))
    local model = cusp.Model(inputs, outputs)
    model:compile{optimizer = "adam", loss = "sparse_categorical_crossentropy"}
    model:fit{cusp.random.uniform{8, 32, 32, 3}, cusp.random.randint({8}, 0, 3), epochs = 2,
      verbose = 0}
    assert.equal(2, #model.trainable_weights)
    for i, weight in ipairs(base.weights) do assert.equal(before[i], weight.value:tobytes()) end
  end)
end)
