-- The other half of checkpoint.py: models in Cusp, saved as checkpoints; and checkpoints of
-- TensorFlow, loaded.
--
--     cusp checkpoint.lua write FOLDER     models, trained, saved, trained on;
--                                          what they predict in FOLDER/NAME.json
--     cusp checkpoint.lua read FOLDER      loads FOLDER/NAME-tf into the same models;
--                                          prints their predictions, as JSON
--     cusp checkpoint.lua legacy FOLDER    the same with FOLDER/legacy-NAME, which the
--                                          optimizers of TensorFlow 2.0 to 2.10 wrote
local cusp = require "cusp"
local configuration = require "cusp.saving.configuration"
local checkpoint = require "cusp.saving.checkpoint"
local layers, optimizers = cusp.layers, cusp.optimizers

local networks = dofile(arg[0]:match "^(.*/)" .. "networks.lua")

local Residual = layers.Layer:extend("Residual", {
  init = function(self, args)
    layers.Layer.init(self, args)
    self.steps = {layers.Dense{6, activation = "tanh"}, layers.Dense(6)}
  end,
  build = function(self)
    self.gain = self:add_weight{name = "gain", shape = {6}, initializer = "ones"}
  end,
  call = function(self, x) return x + self.steps[2](self.steps[1](x)) * self.gain end,
})

local Subclassed = cusp.Model:extend("Subclassed", {
  init = function(self, args)
    cusp.Model.init(self, args)
    self.first = layers.Dense{6, activation = "relu"}
    self.blocks = {Residual(), Residual()}
    self.heads = {left = layers.Dense(2), right = layers.Dense(2)}
    self.tail = cusp.Sequential{layers.Dense(4), layers.BatchNormalization()}
  end,
  call = function(self, x)
    x = self.first(x)
    for _, block in ipairs(self.blocks) do x = block(x) end
    return self.tail(self.heads.left(x) * self.heads.right(x))
  end,
})

local function nested() return networks.nested(layers.LayerNormalization()) end

local dense = networks.dense

local function convolutional()
  return cusp.Sequential{
    cusp.Input{shape = {8}}, layers.Reshape{8, 1}, layers.Conv1D(4, 3, {activation = "relu"}),
    layers.BatchNormalization(),
    layers.SeparableConv1D(3, 2), layers.Flatten(), layers.Dense(4),
  }
end

local decay = {
  module = "keras.optimizers.schedules", registered_name = cusp.null,
  class_name = "ExponentialDecay",
  config = {initial_learning_rate = 0.01, decay_steps = 10, decay_rate = 0.9},
}
local cases = {
  {"dense-adam", dense, "Adam", {}},
  {"dense-amsgrad", dense, "Adam", {amsgrad = true}},
  {"dense-schedule", dense, "Adam", {learning_rate = decay}},
  {"dense-adamw", dense, "AdamW", {weight_decay = 0.01}},
  {"dense-sgd", dense, "SGD", {learning_rate = 0.01}},
  {"dense-adagrad", dense, "Adagrad", {learning_rate = 0.01}},
  {"dense-adadelta", dense, "Adadelta", {learning_rate = 0.5}},
  {"dense-adamax", dense, "Adamax", {}},
  {"dense-ftrl", dense, "Ftrl", {learning_rate = 0.01}},
  {"dense-lion", dense, "Lion", {}},
  {"dense-adafactor", dense, "Adafactor", {learning_rate = 0.01}},
  {"dense-average", dense, "Adam", {use_ema = true, ema_momentum = 0.9}},
  {"dense-loss-scale", dense, "LossScaleOptimizer", {}},
  {"nested-momentum", nested, "SGD", {learning_rate = 0.01, momentum = 0.9, nesterov = true}},
  {"convolutional-adam", convolutional, "Adam", {}},
  {"recurrent-rmsprop", networks.recurrent, "RMSprop", {momentum = 0.5, centered = true}},
  {"attention-adam", networks.attention, "Adam", {}},
  {"subclassed-adam", function() return Subclassed() end, "Adam", {}},
}

-- With the optimizers before TensorFlow 2.11, by the names that checkpoint.py uses.
local legacy = {
  {"legacy-Adam", dense, "Adam", {learning_rate = 0.01}},
  {"legacy-AMSGrad", dense, "Adam", {learning_rate = 0.01, amsgrad = true}},
  {"legacy-SGD", dense, "SGD", {learning_rate = 0.01, momentum = 0.9, nesterov = true}},
  {"legacy-RMSprop", dense, "RMSprop", {learning_rate = 0.01, momentum = 0.5, centered = true}},
  {"legacy-Adagrad", dense, "Adagrad", {learning_rate = 0.01}},
  {"legacy-Adadelta", dense, "Adadelta", {learning_rate = 0.5}},
  {"legacy-Adamax", dense, "Adamax", {learning_rate = 0.01}},
  {"legacy-Ftrl", dense, "Ftrl", {learning_rate = 0.01}},
}

local function make(case)
  local model = case[2]()
  local optimizer = case[3] == "LossScaleOptimizer"
    and optimizers.LossScaleOptimizer(optimizers.Adam())
    or optimizers.deserialize{class_name = case[3], config = case[4]}
  model:compile{optimizer = optimizer, loss = "mse"}
  return model
end

local function write(folder)
  local x, y = networks.data()
  for _, case in ipairs(cases) do
    local model, name = make(case), case[1]
    local fit = {x, y, batch_size = 16, epochs = 2, shuffle = false, verbose = 0}
    model:fit(fit)
    checkpoint.save(folder .. "/" .. name, model)
    local predicted = model:predict{x, verbose = 0}:tolist()
    local history = model:fit(fit)
    local file = assert(io.open(folder .. "/" .. name .. ".json", "w"))
    file:write(cusp.json.encode{
      name = name, config = not name:find "subclassed" and configuration.to_json(model)
      or cusp.null, optimizer = case[3],
      settings = next(case[4]) and case[4] or cusp.null, predicted = predicted,
      losses = history.history.loss,
      x = x:tolist(), y = y:tolist(),
    })
    file:close()
  end
end

local function read(folder, list, suffix)
  local x, y = networks.data()
  local results = {}
  for _, case in ipairs(list) do
    local model = make(case)
    local status = checkpoint.load(folder .. "/" .. case[1] .. suffix, model)
    local predicted = model:predict{x, verbose = 0}:tolist()
    local history = model:fit{x, y, batch_size = 16, epochs = 2, shuffle = false, verbose = 0}
    results[#results + 1] = {name = case[1], predicted = predicted, losses = history.history.loss}
    status:assert_consumed()
  end
  print(cusp.json.encode(results))
end

local command, folder = arg[1], arg[2]
if command == "write" then write(folder)
elseif command == "read" then read(folder, cases, "-tf")
else read(folder, legacy, "") end
