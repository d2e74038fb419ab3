local cusp = require "cusp"
local fails = require "spec.support.fails"
local layers = cusp.layers
local Dataset = cusp.data.Dataset

local x = cusp.random.normal({100, 5}, {seed = 3})
local y = cusp.random.randint({100}, 0, 3, {seed = 4})

local function make_model()
  cusp.random.set_seed(1)
  local model = cusp.Sequential{layers.Dense{8, activation = "relu"},
    layers.Dense{3, activation = "softmax"}}
  model:compile{optimizer = "adam", loss = "sparse_categorical_crossentropy",
    metrics = {"accuracy"}}
  return model
end

local function losses(data, options)
  options = options or {}
  options[1], options.verbose, options.epochs = data, 0, options.epochs or 3
  return make_model():fit(options).history.loss
end

local function near(a, b)
  assert.equal(#a, #b)
  for i = 1, #a do
    assert.is_true(math.abs(a[i] - b[i]) < 1e-5, ("%s and %s"):format(a[i], b[i]))
  end
end

-- Data from memory, from threads, and from Lua.
local whole = Dataset.from_tensor_slices{x, y}
local threads = whole:rescale()
local lua = whole:map(function(a, b) return a, b end)

describe("training from datasets", function()
  it("is training from arrays", function()
    local wanted = make_model():fit{x, y, batch_size = 32, shuffle = false, epochs = 3,
      verbose = 0}.history.loss
    for _, dataset in ipairs{whole, threads, lua} do near(wanted, losses(dataset:batch(32))) end
    near(wanted, losses(whole:batch(32):repeat_(), {steps_per_epoch = 4}))
    local function batches()
      for i = 1, 100, 32 do
        local last = math.min(i + 31, 100)
        coroutine.yield(x:slice{{i, last}}, y:slice{{i, last}})
      end
    end
    near(wanted, losses(Dataset.from_generator(batches)))
  end)

  it("takes doubles, tables by name, weights and class weights", function()
    near(losses(threads:batch(20)),
      losses(Dataset.from_tensor_slices{x:cast "float64", y}:skip(0):batch(20)))
    local weights = {[0] = 1, [1] = 2, [2] = 0.5}
    local wanted = make_model():fit{x, y, class_weight = weights, batch_size = 20, shuffle = false,
      verbose = 0, epochs = 3}.history.loss
    for _, dataset in ipairs{whole, threads, lua} do
      near(wanted, losses(dataset:batch(20), {class_weight = weights}))
    end
    local a, b = cusp.Input{{5}, name = "a"}, cusp.Input{{5}, name = "b"}
    local model = cusp.Model{{a = a, b = b}, layers.Dense{1}(layers.Concatenate(){a, b})}
    model:compile{loss = "mse"}
    for _, dataset in ipairs{
      Dataset.from_tensor_slices{{a = x, b = x}, y, cusp.ones{100}},
      Dataset.from_tensor_slices{{a = x, b = x}, y}:shuffle(10):map(function(inputs, target)
        return inputs, target
      end),
    } do
      assert.equal(1, #model:fit{dataset:batch(10), verbose = 0}.history.loss)
    end
  end)

  it("evaluates and predicts", function()
    local model = make_model()
    local loss, accuracy = model:evaluate{x, y, verbose = 0}
    local outputs = model:predict{x, verbose = 0}
    for _, dataset in ipairs{whole, threads, lua} do
      local own_loss, own_accuracy = model:evaluate{dataset:batch(7), verbose = 0}
      near({loss, accuracy}, {own_loss, own_accuracy})
      assert.is_true((model:predict{dataset:batch(7), verbose = 0} - outputs):abs():max():item()
        < 1e-6)
    end
    local history = model:fit{threads:batch(10), validation_data = lua:batch(30),
      verbose = 0}.history
    assert.equal(1, #history.val_loss)
  end)

  it("goes through the data in another order each epoch, and in the same one after the same seed",
    function()
    for _, dataset in ipairs{whole, threads, lua} do
      local shuffled = dataset:shuffle(100):batch(10)
      near(losses(shuffled), losses(shuffled))
    end
  end)

  it("refuses what cannot be", function()
    fails("y should not be given", function() make_model():fit{whole:batch(4), y} end)
    fails("batch_size should not be given", function()
      make_model():fit{whole:batch(4), batch_size = 4}
    end)
    fails("validation_split is for tensors", function()
      make_model():fit{whole:batch(4), validation_split = 0.5}
    end)
    fails("steps_per_epoch", function() make_model():fit{whole:batch(4):repeat_()} end)
    fails("put them into batches", function() make_model():fit{whole, verbose = 0} end)
    fails("the data is empty", function() make_model():fit{lua:take(0):batch(2), verbose = 0} end)
    local labels = Dataset.from_tensor_slices{x, y + 1}
    for _, dataset in ipairs{labels, labels:rescale(), labels:map(function(a, b)
      return a, b
    end)} do
      fails("there is a label 3 in y", function()
        make_model():fit{dataset:batch(50), verbose = 0}
      end)
    end
    fails("should be of dtype float32, got string", function()
      local strings = cusp.tensor{{"a"}, {"b"}}
      make_model():fit{Dataset.from_tensor_slices{strings, {1, 2}}:batch(2), verbose = 0}
    end)
  end)

  it("leaves the model as after its last whole step where the data fail", function()
    local model, n = make_model(), 0
    model:fit{whole:batch(20), verbose = 0}
    local before = model.optimizer.iterations.value:item()
    fails("map: the function raised an error at element 3", function()
      model:fit{whole:batch(20):map(function(a, b)
        n = n + 1
        if n == 3 then error "no luck" end
        return a, b
      end), verbose = 0}
    end)
    assert.equal(before + 2, model.optimizer.iterations.value:item())
    assert.equal(1, #model:fit{whole:batch(20), verbose = 0}.history.loss)
  end)
end)

describe("batches whose parts are of different sizes", function()
  local labelled = Dataset.from_tensor_slices{x, y}:batch(10)
  local zipped = Dataset.zip{Dataset.from_tensor_slices(x):batch(25), labelled}

  it("go to a step of the program's", function()
    local Half = cusp.Model:extend "HalfLabelled"
    function Half:init(args)
      cusp.Model.init(self, args)
      self.dense = layers.Dense(3)
    end
    function Half:call(inputs) return self.dense(inputs) end
    function Half:train_step(batch)
      local unlabelled, given, targets = batch[1], batch[2][1], batch[2][2]
      return {loss = (self(unlabelled) * 0):sum(), a = #unlabelled, b = #given, c = #targets}
    end
    Half.test_step = Half.train_step
    local model = Half{}
    model:compile{optimizer = "sgd"}
    local history = model:fit{zipped, epochs = 1, verbose = 0, validation_data = zipped}.history
    assert.same({25, 10, 10, 25}, {history.a[1], history.b[1], history.c[1], history.val_a[1]})
  end)

  it("are an error for the library's step", function()
    fails("as many of each", function() make_model():fit{zipped, verbose = 0} end)
  end)
end)

describe("batches by number", function()
  local Batches = cusp.utils.Sequence:extend "SpecBatches"
  function Batches:length() return 4 end
  function Batches:get_item(index)
    self.seen = (self.seen or "") .. index
    local first = (index - 1) * 25 + 1
    return x:slice{{first, first + 24}}, y:slice{{first, first + 24}}
  end
  function Batches:on_epoch_end() self.seen = self.seen .. "|" end

  it("train", function()
    local batches = Batches()
    near(losses(whole:batch(25)), losses(batches, {shuffle = false}))
    assert.equal("1234|1234|1234|", batches.seen)
    batches.seen = ""
    losses(batches, {epochs = 1})
    assert.equal(5, #batches.seen)
    assert.equal(4, #batches)
    assert.same({100, 3}, make_model():predict{batches, verbose = 0}.shape)
  end)

  it("are checked", function()
    local Empty = cusp.utils.PyDataset:extend("SpecEmpty", {__len = function() return 0 end})
    fails("has length 0", function() make_model():fit{Empty(), verbose = 0} end)
    local Missing = cusp.utils.PyDataset:extend("SpecMissing", {length = function() return 2 end})
    fails("define get_item(1)", function()
      make_model():fit{Missing(), shuffle = false, verbose = 0}
    end)
  end)
end)
