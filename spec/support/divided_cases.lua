--- What several processes train that divide models among themselves, to be compared with one: rank
-- 0 prints a line of numbers for each case. Run by spec/distribution/divided_spec.lua with the
-- number of groups that divide batches.
local cusp = require "cusp"
local distribution, layers, ops = cusp.distribution, cusp.layers, cusp.ops
local sharding = require "cusp.base.sharding"
local optimizers, rank = cusp.optimizers, distribution.process_id()

local groups = tonumber(arg[1] or "1")
local mesh = distribution.DeviceMesh{{groups, distribution.num_processes() // groups},
  {"batch", "model"}}

local function say(name, values)
  local texts = {}
  for i, value in ipairs(values) do texts[i] = ("%.9g"):format(value) end
  if rank == 0 then print(name .. " " .. table.concat(texts, " ")) end
end

-- Sets a distribution with these layouts.
local function divide(layouts, along)
  local map = distribution.LayoutMap(along or mesh)
  for key, layout in pairs(layouts) do map[key] = layout end
  distribution.set_distribution(distribution.ModelParallel{layout_map = map,
    batch_dim_name = "batch"})
  cusp.random.set_seed(3)
end

local function report(name, model, values)
  for _, weight in ipairs(model:get_weights()) do
    if weight.dtype:find "float" then
      values[#values + 1] = ops.sum(weight):item()
      values[#values + 1] = ops.sum(ops.abs(weight)):item()
    end
  end
  values[#values + 1] = model:count_params()
  say(name, values)
end

local x = cusp.random.normal({48, 6}, {seed = 7})
local y = ops.cast(ops.greater(ops.sum(x, 2), 0), "int32")
local words = cusp.random.randint({24, 6}, 0, 12, {seed = 8})
local pictures = cusp.random.normal({24, 6, 6, 6}, {seed = 9})

local function fit(name, model, options)
  model:compile{optimizer = options.optimizer and options.optimizer() or "adam", loss = options.loss
    or "sparse_categorical_crossentropy", metrics = {"accuracy"},
    run_eagerly = options.run_eagerly or false}
  local history = model:fit{options.x or x, options.y or y, batch_size = 12, verbose = 0,
    epochs = options.epochs or 5, shuffle = options.shuffle or false}.history
  local values = table.move(history.loss, 1, #history.loss, 1, {})
  table.move(history.accuracy, 1, #history.accuracy, #values + 1, values)
  report(name, model, values)
  return model
end

-- With keywords that each layer of a name has besides.
local function stack(options)
  options = options or {}
  return cusp.Sequential{cusp.Input{shape = {6}},
    layers.Dense{24, activation = "gelu", name = "up", kernel_regularizer = options.regularizer,
      bias_constraint = options.constraint},
    layers.Dense{6, name = "down", activation = options.between},
    layers.Dense{6, activation = "softmax", name = "out"}}
end

local function momentum() return optimizers.SGD{0.1, momentum = 0.9} end

local both = {["up/kernel"] = {nil, "model"}, ["up/bias"] = {"model"},
  ["down/kernel"] = {"model"}, ["out/(kernel)"] = {nil, "model"}}
local cases = {}

function cases.dense()
  divide(both)
  fit("adam", stack(), {})
  divide(both)
  fit("sgd", stack(), {optimizer = momentum})
  divide{["up.*"] = {"model"}, ["down/(kernel|bias)"] = {"model"}}
  fit("rows and biases", stack{between = "softmax"}, {})
  divide{["up/kernel"] = {nil, "model"}, ["down/kernel"] = {nil, "model"}}
  fit("columns without bias", stack{between = function(a) return a / (1 + ops.sum(a * a, -1, true))
  end}, {})
  divide(both)
  fit("eager", stack(), {run_eagerly = true, epochs = 2})
  divide(both)
  fit("shuffled", stack(), {shuffle = true})
end

function cases.optimizers()
  for _, case in ipairs{
    {"clipnorm", "Adam", {0.01, clipnorm = 0.01}},
    {"global norm", "SGD", {0.5, global_clipnorm = 0.02}},
    {"average", "SGD", {0.5, use_ema = true, ema_overwrite_frequency = 3}},
    {"accumulation", "SGD", {0.5, gradient_accumulation_steps = 2}},
    {"lamb", "Lamb", {0.01}}, {"adagrad", "Adagrad", {0.1}},
    {"decay", "AdamW", {0.01, weight_decay = 0.1}},
  } do
    divide(both)
    fit(case[1], stack{regularizer = "l2", constraint = "non_neg"}, {optimizer = function()
      return optimizers[case[2]](case[3])
    end})
  end
  divide(both)
  fit("scaled", stack(), {optimizer = function()
    return optimizers.LossScaleOptimizer{optimizers.SGD(0.1)}
  end})
end

local function transformer(table_of, dropout)
  local input = cusp.Input{shape = {6}, dtype = "int32"}
  local h = table_of(input)
  local n = layers.LayerNormalization()(h)
  h = h + layers.MultiHeadAttention{num_heads = 6, key_dim = 2, dropout = dropout}(n, n,
    {use_causal_mask = true})
  n = layers.LayerNormalization()(h)
  h = h + layers.Dense{12, name = "down"}(layers.Dense{24, activation = "gelu", name = "up"}(n))
  return input, h
end

local heads = {["up/kernel"] = {nil, "model"}, ["up/bias"] = {"model"},
  ["down/kernel"] = {"model"}, [".*/(query|key|value)/kernel"] = {nil, "model"},
  [".*/(query|key|value)/bias"] = {"model"}, [".*/attention_output/kernel"] = {"model"}}

local function with(layouts, more)
  local all = {}
  for key, layout in pairs(layouts) do all[key] = layout end
  for key, layout in pairs(more) do all[key] = layout end
  return all
end

-- Adam would make steps of the rounding errors that are the gradients of the keys' biases.
function cases.transformers()
  local options = {x = words, y = words, optimizer = momentum,
    epochs = 10}
  divide(with(heads, {["embedding.*/embeddings"] = {"model"}, ["out/kernel"] = {nil, "model"}}))
  local input, h = transformer(layers.Embedding{12, 12, mask_zero = true}, 0)
  fit("transformer", cusp.Model(input, layers.Dense{12, activation = "softmax",
    name = "out"}(h)), options)
  divide(with(heads, {[".*embeddings"] = {nil, "model"}}))
  local tied = layers.ReversibleEmbedding{12, 12}
  input, h = transformer(tied, 0)
  fit("tied by columns", cusp.Model(input, layers.Softmax()(tied(h, {reverse = true}))), options)
  divide(with(heads, {[".*embeddings"] = {"model"}}))
  tied = layers.ReversibleEmbedding{12, 12}
  input, h = transformer(tied, 0)
  fit("tied by rows", cusp.Model(input, layers.Softmax()(tied(h, {reverse = true}))), options)
end

-- What is dropped of the heads is what one process drops.
function cases.dropout()
  divide(heads)
  local input, h = transformer(layers.Embedding{12, 12}, 0.3)
  fit("dropped heads", cusp.Model(input, layers.Dense{12, activation = "softmax"}(h)), {x = words,
    y = words, optimizer = momentum})
end

function cases.grouped_queries()
  divide{[".*/(query|key|value)/kernel"] = {nil, "model"}}
  local input = cusp.Input{shape = {6, 6}}
  local attention = layers.GroupQueryAttention{head_dim = 2, num_query_heads = 12,
    num_key_value_heads = 6}
  local h = layers.Flatten()(attention(input, input))
  fit("grouped queries", cusp.Model(input, layers.Dense{2, activation = "softmax"}(h)),
    {x = pictures:slice{{1, 24}, {1, 6}, {1, 6}, {1, 1}}:reshape{24, 6, 6}, y = y:slice{{1, 24}},
      optimizer = momentum})
end

function cases.products()
  divide{["by_batch/.*"] = {"model"}, ["einsum/kernel"] = {nil, "model", nil},
    ["einsum/bias"] = {nil, "model"}, ["back/kernel"] = {"model"}}
  local input = cusp.Input{shape = {6, 6}}
  local h = layers.EinsumDense{"bij,ijk->bik", {6, 4}, bias_axes = "ik", name = "by_batch"}(input)
  h = layers.EinsumDense{"...ij,jkl->...ikl", {6, 12, 2}, bias_axes = "ikl", name = "einsum",
    activation = "tanh"}(h)
  h = layers.EinsumDense{"biko,kom->bim", {6, 3}, bias_axes = "m", name = "back"}(h)
  h = layers.Dense{2, activation = "softmax"}(layers.Flatten()(h))
  fit("products", cusp.Model(input, h), {x = ops.reshape(pictures, {24, 6, 6, 6}):slice{{1, 24},
    {1, 6}, {1, 6}, {2, 2}}:reshape{24, 6, 6}, y = y:slice{{1, 24}}})
end

function cases.convolutions()
  for _, format in ipairs{"channels_last", "channels_first"} do
    divide{["up/kernel"] = {nil, nil, nil, "model"}, ["up/bias"] = {"model"},
      ["down/kernel"] = {nil, nil, "model"}}
    local model = cusp.Sequential{cusp.Input{shape = {6, 6, 6}},
      layers.Conv2D{12, 3, activation = "relu", name = "up", data_format = format},
      layers.Conv2D{3, 2, name = "down", data_format = format},
      layers.Flatten(), layers.Dense{2, activation = "softmax"}}
    fit(format == "channels_last" and "convolutions" or "convolutions of channels first", model,
      {x = pictures, y = y:slice{{1, 24}}})
  end
end

-- Weights that are divided along both axes, with four processes.
function cases.axes()
  local of_four = distribution.num_processes() == 4
  divide({["up/kernel"] = {"x", "y"}, ["up/bias"] = {"x"}, ["down/kernel"] = {"y", "x"},
    [".*embeddings"] = {"x", "y"}, ["conv/kernel"] = {nil, "x", "y"}},
    distribution.DeviceMesh(of_four and {2, 1, 2} or {1, 1, 1}, {"x", "batch", "y"}))
  local model = cusp.Sequential{cusp.Input{shape = {6}, dtype = "int32"},
    layers.Embedding{12, 12}, layers.Conv1D{8, 3, name = "conv"},
    layers.Dense{24, activation = "gelu", name = "up"}, layers.Dense{12, name = "down"},
    layers.Flatten(), layers.Dense{12, activation = "softmax"}}
  fit("two axes", model, {x = words, y = words:slice{{1, 24}, {1, 1}}:reshape{24},
    optimizer = function() return optimizers.Adam{0.01, global_clipnorm = 0.5} end})
end

-- Sums of narrow floats travel as float32: what they round differently is little.
function cases.mixed()
  local losses = {}
  for i, policy in ipairs{"mixed_bfloat16", "float32"} do
    cusp.config.set_dtype_policy(policy)
    divide(both)
    local model = stack()
    model:compile{optimizer = "sgd", loss = "sparse_categorical_crossentropy"}
    losses[i] = model:fit{x, y, epochs = 3, shuffle = false, verbose = 0}.history.loss[3]
  end
  say("mixed", {math.abs(losses[1] - losses[2]) < 0.05 and 1 or losses[1]})
end

-- Gradients of gradients, each process with all rows.
function cases.gradients()
  divide(both)
  local model = stack()
  local function penalty()
    local outer <close> = cusp.GradientTape()
    local loss
    do
      local inner <close> = cusp.GradientTape()
      inner:watch(x)
      loss = ops.sum(ops.square(inner:gradient(ops.sum(model(x) ^ 2), x)))
    end
    return loss, outer:gradient(loss, model.trainable_variables)
  end
  local loss, gradients = penalty()
  local values = {loss:item()}
  for i, variable in ipairs(model.trainable_variables) do
    local squares = ops.sum(ops.square(gradients[i]))
    values[i + 1] = sharding.total(variable, squares):item()
  end
  say("second gradients", values)
end

function cases.uses()
  divide(both)
  local model = fit("used", stack(), {})
  local results = {model:evaluate{x, y, batch_size = 7, verbose = 0}}
  local outputs = model:predict{x, batch_size = 7, verbose = 0}
  results[#results + 1], results[#results + 2] = ops.sum(outputs ^ 2):item(), outputs:item(48, 2)
  results[#results + 1] = model:train_on_batch(x, y)
  results[#results + 1] = model:test_on_batch(x, y)
  say("uses", results)
  local values = model:get_weights()
  for i, value in ipairs(values) do values[i] = value * 2 end
  model:set_weights(values)
  model.layers[1].kernel:assign(values[1] * 2)
  report("set", model, {})
end

-- Each group is given its part of every batch.
function cases.parts()
  divide(both)
  local model = stack()
  local set = cusp.data.Dataset.from_tensor_slices({x, y}):batch(12)
  local parts = distribution.distribution():distribute_dataset(set)
  distribution.distribution().auto_shard_dataset = false
  distribution.set_distribution(distribution.distribution())
  model:compile{optimizer = "adam", loss = "sparse_categorical_crossentropy"}
  report("parts", model, model:fit{parts, epochs = 2, verbose = 0}.history.loss)
end

local wanted = {}
for i = 2, #arg do wanted[arg[i]] = true end
for _, name in ipairs{"dense", "optimizers", "transformers", "dropout", "grouped_queries",
  "products", "convolutions", "gradients", "mixed", "uses", "parts", "axes"} do
  if wanted[name] or next(wanted) == nil and name ~= "axes" then cases[name]() end
end
