--- What several processes that divide a model write and read, and what else they do with it. The
-- first argument says what to do, the second is a folder. Run by
-- spec/distribution/divided_spec.lua.
local cusp = require "cusp"
local engine = require "cusp.engine"
local distribution, layers, ops = cusp.distribution, cusp.layers, cusp.ops
local case, folder = arg[1], arg[2]
local rank, size = distribution.process_id(), distribution.num_processes()

distribution.initialize{timeout = 60}
local mesh = distribution.DeviceMesh{{1, size}, {"batch", "model"}}
local map = distribution.LayoutMap(mesh)
map["up/kernel"], map["up/bias"], map["down/kernel"] = {nil, "model"}, {"model"}, {"model"}
map[".*embeddings"] = {"model"}
distribution.set_distribution(distribution.ModelParallel{layout_map = map})

local function say(name, values)
  for i, value in ipairs(values) do values[i] = ("%.9g"):format(value) end
  if rank == 0 then print(name .. " " .. table.concat(values, " ")) end
end

local x = cusp.random.randint({24, 4}, 0, 12, {seed = 8})

local function make(width)
  if case ~= "unseeded" then cusp.random.set_seed(3) end
  local model = cusp.Sequential{cusp.Input{shape = {4}, dtype = "int32"}, layers.Embedding{12, 6},
    layers.Dense{width or 24, activation = "tanh", name = "up"}, layers.Dense{6, name = "down"},
    layers.Dense{12, activation = "softmax"}}
  model:compile{optimizer = cusp.optimizers.SGD{0.2, momentum = 0.9},
    loss = "sparse_categorical_crossentropy"}
  return model
end

-- The weights, and what a further epoch gives.
local function report(name, model)
  local values = {}
  for _, weight in ipairs(model:get_weights()) do
    values[#values + 1] = ops.sum(ops.abs(weight)):item()
    values[#values + 1] = ops.sum(weight ^ 3):item()
  end
  values[#values + 1] = ops.sum(ops.square(model:predict{x, verbose = 0})):item()
  say(name, values)
end

local function fit(model, options)
  options[1], options[2], options.batch_size, options.verbose = x, x, 8, 0
  options.shuffle = false
  return model:fit(options).history.loss
end

local weight_files = {"w.weights.h5", "w.safetensors", "w", "w.h5"}
local cases = {}

function cases.write()
  local model = make()
  fit(model, {epochs = 2, callbacks = {cusp.callbacks.ModelCheckpoint{folder .. "/kept.keras"}}})
  model:save(folder .. "/model.keras")
  model:save(folder .. "/model.h5")
  for _, name in ipairs(weight_files) do model:save_weights(folder .. "/" .. name) end
  report("trained", model)
end

function cases.read()
  for _, name in ipairs{"kept.keras", "model.keras", "model.h5"} do
    local model = cusp.models.load_model(folder .. "/" .. name)
    if rank == 0 then print(name) end
    report("trained", model)
    say("further loss", fit(model, {}))
  end
  for _, name in ipairs(weight_files) do
    local model = make()
    local status = model:load_weights(folder .. "/" .. name)
    if status then status:expect_partial() end
    if rank == 0 then print(name) end
    report("trained", model)
  end
end

local function stop_at(epoch)
  return {on_epoch_end = function(_, now)
    if now == epoch then os.execute "kill -9 $PPID" end
  end}
end

-- With a second argument to the folder, killed after the second epoch.
function cases.backup()
  local model = make()
  local early = cusp.callbacks.EarlyStopping{"loss", patience = 5, restore_best_weights = true}
  local callbacks = {early, cusp.callbacks.BackupAndRestore{folder, delete_checkpoint = false}}
  if arg[3] then callbacks[3] = stop_at(3) end
  fit(model, {epochs = 5, callbacks = callbacks})
  report("resumed", model)
end

-- The most bytes that this process had in tensors, training what the argument says.
function cases.memory()
  local model = make(48000)
  fit(model, {})
  say("peak", {engine.memory().peak})
end

-- Without a seed, all have parts of the same weights.
function cases.unseeded()
  local a, b = make(), make()
  for i, weight in ipairs(a:get_weights()) do b.weights[i]:assign(weight) end
  local apart = 0
  for i, weight in ipairs(b:get_weights()) do
    apart = apart + ops.sum(ops.abs(weight - a:get_weights()[i])):item()
  end
  local dense = a.weights[#a.weights - 1]
  local mean = distribution.distribute_tensor(dense.value,
    distribution.TensorLayout({nil, "model"}, mesh))
  local whole = distribution.distribute_tensor(mean, distribution.TensorLayout({}, mesh))
  say("apart", {apart, ops.sum(ops.abs(whole - dense)):item(), #a.layers[2].kernel.shape,
    mean.shape[2] * size, a.layers[2].kernel.shape[2] * size, cusp.Variable(cusp.ones{6},
      {layout = distribution.TensorLayout({"model"}, mesh)}).shape[1] * size})
end

local wrong = {}

function wrong.layer()
  map["lstm/.*kernel"] = {nil, "model"}
  layers.LSTM{6, name = "lstm"}(cusp.ones{2, 3, 4})
end
function wrong.uneven() make(25) end
function wrong.window()
  map["conv/kernel"] = {"model"}
  layers.Conv1D{4, 6, name = "conv"}(cusp.ones{2, 9, 4})
end
function wrong.batch()
  map["rows/kernel"] = {"batch"}
  distribution.set_distribution(distribution.ModelParallel{layout_map = map,
    batch_dim_name = "model"})
  layers.Dense{6, name = "up"}(cusp.ones{2, 6})
end
function wrong.axes()
  map["flat/bias"] = {nil, "model"}
  layers.Dense{6, name = "flat"}(cusp.ones{2, 6})
end
function wrong.regularizer()
  layers.Dense{6, name = "up", kernel_regularizer = "orthogonal_regularizer"}(cusp.ones{2, 6})
end
function wrong.constraint()
  layers.Dense{6, name = "up", kernel_constraint = "max_norm"}(cusp.ones{2, 6})
end
function wrong.own_call()
  local Own = layers.Dense:extend("Own", {call = function(self, a) return a * self.kernel end})
  Own{6, name = "up"}(cusp.ones{2, 6})
end
function wrong.lora() layers.Dense{6, name = "up", lora_rank = 2}(cusp.ones{2, 6}) end
function wrong.muon()
  local model = make()
  model:compile{optimizer = cusp.optimizers.Muon(0.1), loss = "sparse_categorical_crossentropy"}
  fit(model, {})
end
function wrong.index() tostring(layers.Embedding{12, 6}(ops.full({2}, 12, {dtype = "int32"}))) end
function wrong.low_index()
  tostring(layers.Embedding{12, 6}(ops.full({2}, -13, {dtype = "int32"})))
end
function wrong.export() make():export(folder .. "/model.onnx") end
function wrong.taken() make():save_weights "/dev/null/w.weights.h5" end
function wrong.spectral()
  layers.SpectralNormalization(layers.Dense{6, name = "up"})(cusp.ones{2, 6})
end

function wrong.seeds()
  local model = cusp.Sequential{cusp.Input{shape = {4}}, layers.Dropout{0.5, seed = rank},
    layers.Dense(1)}
  model:compile{loss = "mse"}
  model:fit{ops.cast(x, "float32"), cusp.ones{24, 1}, verbose = 0}
end

function cases.wrong()
  for _, name in ipairs{"layer", "uneven", "window", "batch", "axes", "regularizer", "constraint",
    "own_call", "lora", "muon", "index", "low_index", "export", "taken", "spectral", "seeds"} do
    local ok, message = pcall(wrong[name])
    print(("rank %d %s: %s"):format(rank, name, ok and "no error" or tostring(message)))
    if name == "batch" then
      distribution.set_distribution(distribution.ModelParallel{layout_map = map})
    end
  end
end

cases[case]()
