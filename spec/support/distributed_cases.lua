--- What several processes train, to be compared with one: rank 0 prints a line of numbers for each
-- case. Run by spec/distribution/numbers_spec.lua.
local cusp = require "cusp"
local engine = require "cusp.engine"
local distribution, layers, ops = cusp.distribution, cusp.layers, cusp.ops

distribution.set_distribution(distribution.DataParallel())
local rank, size = distribution.process_id(), distribution.num_processes()

local function say(name, values)
  local texts = {}
  for i, value in ipairs(values) do texts[i] = ("%.9g"):format(value) end
  if rank == 0 then print(name .. " " .. table.concat(texts, " ")) end
end

-- The weights as a few numbers each, and whatever else there is.
local function report(name, model, ...)
  local values = {...}
  for _, variable in ipairs(model.weights) do
    if variable.dtype:find "float" then
      values[#values + 1] = ops.sum(variable.value):item()
      values[#values + 1] = ops.sum(ops.abs(variable.value)):item()
    end
  end
  say(name, values)
end

cusp.random.set_seed(7)
local x = cusp.random.normal({50, 6})
local y = ops.cast(ops.greater(ops.sum(x, 2), 0), "int32")
local weights = cusp.random.uniform({50}, 0.5, 2)
local words = ops.concatenate({cusp.random.randint({50, 4}, 1, 9), ops.cast(ops.reshape(y, {50, 1}),
  "int32"), ops.zeros({50, 2}, {dtype = "int32"})}, 2)

local function dense()
  cusp.random.set_seed(3)
  return cusp.Sequential{cusp.Input{shape = {6}}, layers.Dense{5, activation = "tanh"},
    layers.Dense{1, activation = "sigmoid"}}
end

local function fit(name, options)
  local model = (options.model or dense)()
  model:compile{optimizer = options.optimizer or "sgd",
    loss = options.loss or "binary_crossentropy", metrics = options.metrics,
    weighted_metrics = options.weighted_metrics, run_eagerly = options.run_eagerly or false}
  local arguments = {options.x or x, not options.x and y or options.y, batch_size = 16, epochs = 2,
    verbose = 0, shuffle = options.shuffle or false}
  for key, value in pairs(options.fit or {}) do arguments[key] = value end
  if options.batched then arguments[2], arguments.batch_size = nil, nil end
  local history = model:fit(arguments).history
  local values = {}
  for _, key in ipairs(options.history or {"loss"}) do
    for _, value in ipairs(history[key]) do values[#values + 1] = value end
  end
  report(name, model, table.unpack(values))
  return model
end

local cases = {}

-- Without biases of keys, whose gradients are rounding errors around 0.
local function transformer()
  cusp.random.set_seed(3)
  local input = cusp.Input{shape = {12}, dtype = "int32"}
  local h = layers.Embedding{20, 16}(input)
  local n = layers.LayerNormalization()(h)
  h = h + layers.MultiHeadAttention{num_heads = 2, key_dim = 8, use_bias = false}(n, n,
    {use_causal_mask = true})
  h = h + layers.Dense{16}(layers.Dense{32, activation = "gelu"}(layers.LayerNormalization()(h)))
  return cusp.Model(input, layers.Dense{20, activation = "softmax"}(h))
end

-- Of 20 steps.
function cases.optimizers()
  local text = cusp.random.randint({48, 12}, 0, 20, {seed = 3})
  for _, name in ipairs{"SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax",
    "Adafactor", "Nadam", "Ftrl", "Lion", "Lamb", "Muon"} do
    fit("optimizer " .. name, {optimizer = cusp.optimizers[name](0.001), model = transformer,
      loss = "sparse_categorical_crossentropy", x = text, y = text,
      fit = {batch_size = 12, epochs = 5}})
  end
end

-- Few of many rows of the embeddings change; the others do not travel.
function cases.rows()
  local rare = cusp.random.randint({48, 6}, 0, 1000, {seed = 4})
  local often = cusp.random.randint({48, 6}, 0, 5, {seed = 5})
  for _, case in ipairs{{"rare rows", rare, 1000}, {"frequent rows", often, 5}} do
    fit(case[1], {optimizer = "adam", x = case[2], y = ops.cast(ops.sum(case[2], 2), "float32"),
      loss = "mse", model = function()
      cusp.random.set_seed(3)
      return cusp.Sequential{cusp.Input{shape = {6}, dtype = "int32"},
        layers.Embedding{case[3], 4}, layers.Flatten(), layers.Dense{1}}
    end})
  end
end

-- Gradients of samples near the largest float16 cancel in their sum.
function cases.float16()
  local signs = ops.tile(engine.tensor{1, -1}, {12})
  local inputs = ops.reshape(signs, {24, 1}) * 0.01
  cusp.random.set_seed(3)
  local model = cusp.Sequential{cusp.Input{shape = {1}},
    layers.Dense{1, kernel_initializer = "zeros", dtype = "mixed_float16"}}
  local optimizer = cusp.optimizers.LossScaleOptimizer{cusp.optimizers.SGD(0.5),
    initial_scale = 3e5}
  model:compile{optimizer = optimizer, loss = "mse"}
  model:fit{inputs, ops.cast(signs, "float32"), batch_size = 12, verbose = 0, shuffle = false}
  report("float16", model, optimizer.dynamic_scale.value:item())
end

-- Rounded to 8 bits where processes add up: compared with what was not.
function cases.compressed()
  local found = {}
  for _, compression in ipairs{false, "bfloat16"} do
    distribution.set_distribution(distribution.DataParallel{bytes_per_pack = 64,
      compression = compression or nil})
    local model = dense()
    model:compile{optimizer = cusp.optimizers.SGD(0.5), loss = "binary_crossentropy"}
    model:fit{x, y, batch_size = 16, epochs = 2, verbose = 0, shuffle = false}
    found[#found + 1] = ops.reshape(model.weights[1].value, {-1})
  end
  local distance = ops.max(ops.abs(found[1] - found[2])):item()
  if size > 1 then assert(distance > 1e-6 and distance < 5e-3, distance) end
  say("small packs", {ops.sum(found[1]):item()})
  distribution.set_distribution(distribution.DataParallel())
end

function cases.options()
  local SGD = cusp.optimizers.SGD
  fit("accumulation", {optimizer = SGD{0.1, gradient_accumulation_steps = 2}})
  fit("global norm", {optimizer = SGD{0.5, global_clipnorm = 0.01}})
  fit("moving average", {optimizer = SGD{0.5, use_ema = true}})
  fit("scaled loss", {optimizer = cusp.optimizers.LossScaleOptimizer{SGD{0.1}}})
  fit("shuffled", {shuffle = true})
  fit("shuffled batches", {shuffle = "batch"})
  fit("eager", {run_eagerly = true})
  fit("regularized", {model = function()
    cusp.random.set_seed(3)
    return cusp.Sequential{cusp.Input{shape = {6}}, layers.Dense{5, kernel_regularizer = "l2",
      activity_regularizer = "l1"}, layers.Dense{1, activation = "sigmoid"}}
  end})
end

function cases.losses()
  local BinaryCrossentropy = cusp.losses.BinaryCrossentropy
  for _, reduction in ipairs{"sum", "mean", "mean_with_sample_weight"} do
    fit("reduction " .. reduction, {loss = BinaryCrossentropy{reduction = reduction},
      fit = {sample_weight = weights}})
  end
  fit("class weights", {fit = {class_weight = {[0] = 0.5, [1] = 2}}})
  fit("custom loss", {loss = function(a, b) return ops.mean(ops.square(a - b), -1) end})
end

function cases.metrics()
  local metrics = cusp.metrics
  fit("metrics", {
    metrics = {"accuracy", metrics.AUC(), metrics.Precision(), metrics.Recall(), "mse",
      metrics.RootMeanSquaredError{name = "rmse"}},
    weighted_metrics = {"mae"}, fit = {sample_weight = weights, validation_split = 0.3},
    history = {"loss", "accuracy", "auc", "precision", "recall", "mse", "rmse", "mae", "val_loss",
      "val_accuracy", "val_auc"},
  })
  local model = dense()
  model:compile{loss = "mse", metrics = {"mae", metrics.R2Score()}}
  say("evaluate", {model:evaluate{x, ops.cast(ops.reshape(y, {50, 1}), "float32"), batch_size = 7,
    verbose = 0}})
  local all = model:predict{x, batch_size = 7, verbose = 0}
  say("predict", {all.shape[1], ops.sum(all):item(), all:item(50, 1)})
  local few = model:predict{x:slice{{1, 3}}, verbose = 0}
  say("predict few", {few.shape[1], ops.sum(few):item()})
end

function cases.normalized()
  local function model()
    cusp.random.set_seed(3)
    return cusp.Sequential{cusp.Input{shape = {6}}, layers.Dense{5},
      layers.BatchNormalization{synchronized = true}, layers.Dense{1, activation = "sigmoid"}}
  end
  fit("batch normalization", {model = model})
  fit("eager batch normalization", {model = model, run_eagerly = true})
end

function cases.masked()
  fit("masked", {x = words, y = words, loss = "sparse_categorical_crossentropy",
    metrics = {"accuracy"}, history = {"loss", "accuracy"}, model = function()
    cusp.random.set_seed(3)
    return cusp.Sequential{cusp.Input{shape = {7}, dtype = "int32"},
      layers.Embedding{10, 4, mask_zero = true}, layers.LSTM{5, return_sequences = true},
      layers.BatchNormalization{synchronized = true}, layers.Dense{10, activation = "softmax"}}
  end})
end

function cases.sources()
  local function set() return cusp.data.Dataset.from_tensor_slices({x, y}) end
  fit("dataset", {x = set():batch(16), batched = true})
  fit("shuffled dataset", {x = set():shuffle(20):batch(16), batched = true})
  fit("mapped dataset", {x = set():map(function(a, b) return a * 2, b end):batch(16),
    batched = true})
  local place = 0
  fit("function", {batched = true, fit = {steps_per_epoch = 3}, x = function()
    place = place % 3 + 1
    return x:slice{{place * 16 - 15, place * 16}}, y:slice{{place * 16 - 15, place * 16}}
  end})
end

function cases.own_steps()
  local Own = cusp.Model:extend("Own")
  function Own:init(args)
    cusp.Model.init(self, args)
    self.dense = layers.Dense{1}
    self.error = cusp.metrics.MeanSquaredError{name = "error"}
  end
  function Own:call(inputs) return self.dense(inputs) end
  function Own:train_step(batch)
    local inputs, targets = batch[1], ops.reshape(ops.cast(batch[2], "float32"), {-1, 1})
    local tape <close> = cusp.GradientTape()
    local outputs = self(inputs, {training = true})
    local loss = ops.mean(ops.square(outputs - targets))
    self.optimizer:apply(tape:gradient(loss, self.trainable_variables), self.trainable_variables)
    self.error:update_state(targets, outputs)
    return {error = self.error:result()}
  end
  cusp.random.set_seed(3)
  fit("own train_step", {model = function() return Own() end, history = {"error"}})
end

function cases.loop()
  local model, optimizer = dense(), cusp.optimizers.Adam(0.05)
  local loss_of, metric = cusp.losses.BinaryCrossentropy(), cusp.metrics.BinaryAccuracy()
  for step = 0, 2 do
    local first, last = step * 12 + 12 * rank // size + 1, step * 12 + 12 * (rank + 1) // size
    local inputs, targets = x:slice{{first, last}}, ops.reshape(y, {50, 1}):slice{{first, last}}
    local tape <close> = cusp.GradientTape()
    local outputs = model(inputs, {training = true})
    local loss = loss_of(targets, outputs)
    optimizer:apply(tape:gradient(loss, model.trainable_variables), model.trainable_variables)
    metric:update_state(targets, outputs)
  end
  report("loop", model, metric:result():item())
end

-- Not with Adam: it makes steps of the rounding errors that are the gradients of biases before a
-- normalisation and of keys.
function cases.networks()
  cusp.random.set_seed(4)
  local text = cusp.random.randint({40, 12}, 0, 20)
  fit("transformer", {x = text, y = text, loss = "sparse_categorical_crossentropy",
    fit = {epochs = 7}, model = function()
    cusp.random.set_seed(3)
    local input = cusp.Input{shape = {12}, dtype = "int32"}
    local h = layers.Embedding{20, 16}(input)
    local n = layers.LayerNormalization()(h)
    h = h + layers.MultiHeadAttention{num_heads = 2, key_dim = 8}(n, n, {use_causal_mask = true})
    h = h + layers.Dense{16}(layers.Dense{32, activation = "gelu"}(layers.LayerNormalization()(h)))
    return cusp.Model(input, layers.Dense{20, activation = "softmax"}(h))
  end})
  local pictures = cusp.random.normal({40, 8, 8, 1})
  fit("convolutions", {x = pictures, y = y:slice{{1, 40}}, model = function()
    cusp.random.set_seed(3)
    return cusp.Sequential{cusp.Input{shape = {8, 8, 1}}, layers.Conv2D{4, 3},
      layers.BatchNormalization{synchronized = true}, layers.ReLU(), layers.MaxPooling2D(2),
      layers.Flatten(), layers.Dense{1, activation = "sigmoid"}}
  end, fit = {steps_per_epoch = 2, validation_data = {pictures, y:slice{{1, 40}}},
    validation_batch_size = 9}, history = {"loss", "val_loss"}})
  local heads = fit("two outputs", {x = {x, weights}, y = {ops.sum(x, 2), y}, model = function()
    cusp.random.set_seed(3)
    local a, b = cusp.Input{shape = {6}}, cusp.Input{shape = {1}}
    local h = layers.Concatenate(){layers.Dense{3}(a), b}
    return cusp.Model({a, b}, {layers.Dense{1, name = "sum"}(h),
      layers.Dense{1, activation = "sigmoid", name = "sign"}(h)})
  end, loss = {"mse", "binary_crossentropy"}, history = {"loss", "sum_loss", "sign_loss"}})
  local outputs = heads:predict{{x, weights}, batch_size = 9, verbose = 0}
  say("two predictions", {ops.sum(outputs[1]):item(), ops.sum(outputs[2]):item()})
end

function cases.single_batches()
  local model, values = dense(), {}
  model:compile{optimizer = "adam", loss = "binary_crossentropy", metrics = {"accuracy"}}
  for first = 1, 31, 10 do
    local loss, accuracy = model:train_on_batch(x:slice{{first, first + 9}},
      y:slice{{first, first + 9}})
    table.move({loss, accuracy}, 1, 2, #values + 1, values)
  end
  values[#values + 1] = model:test_on_batch(x, y)
  report("single batches", model, table.unpack(values))
end

function cases.compiled_loop()
  local model, optimizer = dense(), cusp.optimizers.Adam(0.05)
  local step = cusp.compile(function(inputs, targets)
    local tape <close> = cusp.GradientTape()
    local loss = ops.mean(ops.square(targets - model(inputs, {training = true})))
    optimizer:apply(tape:gradient(loss, model.trainable_variables), model.trainable_variables)
    return loss
  end)
  local targets, total = ops.cast(ops.reshape(y, {50, 1}), "float32"), 0
  for _ = 1, 3 do
    local rows = {{24 * rank // size + 1, 24 * (rank + 1) // size}}
    total = distribution.all_reduce(step(x:slice(rows), targets:slice(rows)), "mean"):item()
  end
  report("compiled loop", model, total)
end

-- Uneven parts of each batch; the last one is rank 0's alone.
function cases.own_data()
  distribution.set_distribution(distribution.DataParallel{auto_shard_dataset = false})
  local step = 0
  local function rows(value)
    local first, last = (step - 1) * 12, step * 12
    if step < 4 and size > 1 then
      local cut = size == 2 and {0, 5, 12} or {0, 3, 4, 12}
      first, last = first + cut[rank + 1], first + cut[rank + 2]
    end
    return value:slice{{first + 1, last}}
  end
  fit("own data", {batched = true, fit = {epochs = 1}, metrics = {"accuracy"},
    history = {"loss", "accuracy"}, x = function()
    step = step + 1
    if step > (rank == 0 and 4 or 3) then return nil end
    return rows(x), rows(y)
  end})
  distribution.set_distribution(distribution.DataParallel())
end

-- Each process normalises its part: the moving averages are the same everywhere all the same.
function cases.in_step()
  local model = cusp.Sequential{cusp.Input{shape = {6}}, layers.BatchNormalization(),
    layers.Dropout{0.5}, layers.Dense{1}}
  model:compile{loss = "mse"}
  model:fit{x, ops.cast(y, "float32"), verbose = 0, epochs = 2}
  local most = 0
  for _, variable in ipairs(model.weights) do
    local sum = ops.sum(ops.abs(variable.value)):item()
    most = math.max(most, math.abs(distribution.all_reduce(sum, "mean"):item() - sum))
  end
  say("in step", {most})
end

for _, name in ipairs{"optimizers", "rows", "float16", "compressed", "options", "losses",
  "metrics", "normalized", "masked", "networks", "sources", "own_steps",
  "single_batches", "loop", "compiled_loop", "own_data", "in_step"} do
  if not arg[1] or arg[1] == name then cases[name]() end
end
