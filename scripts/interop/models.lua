-- The other half of models.py: models in Cusp, saved in every format, and those files as Keras
-- writes them, loaded.
--
--     cusp models.lua write FOLDER     models, trained, saved, trained on;
--                                      what they do in FOLDER/NAME.about.json
--     cusp models.lua read FOLDER      for each line "NAME FILE" of FOLDER/read.txt loads the file;
--                                      prints what the model does, as JSON
local cusp = require "cusp"
local layers = cusp.layers

local networks = dofile(arg[0]:match "^(.*/)" .. "networks.lua")

local Residual = layers.Layer:extend("Residual", {
  config = {{"units", "integer"}},
  build = function(self)
    self.inner = layers.Dense{self.units, activation = "tanh"}
    self.outer = layers.Dense(self.units)
    self.gain = self:add_weight{name = "gain", shape = {self.units}, initializer = "ones"}
  end,
  call = function(self, x) return x + self.outer(self.inner(x)) * self.gain end,
})

local Subclassed = cusp.Model:extend("Subclassed", {
  init = function(self, args)
    cusp.Model.init(self, args)
    self.first = layers.Dense{6, activation = "relu"}
    self.block = Residual{6}
    self.last = layers.Dense(4)
  end,
  call = function(self, x) return self.last(self.block(self.first(x))) end,
})

local function functional() return networks.dense "x" end

local function nested() return networks.nested(layers.BatchNormalization()) end

local function sequential()
  return cusp.Sequential{
    cusp.Input{shape = {8}}, layers.Dense{12, activation = "gelu", kernel_regularizer = "l2"},
    layers.LayerNormalization(),
    layers.Dense(4),
  }
end

local function shared()
  local x = cusp.Input{shape = {8}}
  local dense = layers.Dense{8, activation = "tanh"}
  return cusp.Model{inputs = x, outputs = layers.Dense(4)(layers.Add(){dense(dense(x)), x})}
end

local function convolutional()
  return cusp.Sequential{
    cusp.Input{shape = {8}}, layers.Reshape{4, 2, 1},
    layers.Conv2D(4, {3, 2}, {activation = "relu", padding = "same"}),
    layers.BatchNormalization(), layers.DepthwiseConv2D{2}, layers.MaxPooling2D{{2, 1}},
    layers.Flatten(), layers.Dense(4),
  }
end

local optimizers = cusp.optimizers
local decay = optimizers.schedules.ExponentialDecay{0.01, decay_steps = 10, decay_rate = 0.9}
local cases = {
  {"functional-adam", functional, function() return optimizers.Adam() end},
  {"functional-schedule", functional, function() return optimizers.Adam{decay} end},
  {"functional-amsgrad", functional, function() return optimizers.Adam{amsgrad = true} end},
  {"sequential-momentum", sequential, function()
    return optimizers.SGD{0.01, momentum = 0.9, nesterov = true}
  end},
  {"sequential-adamw", sequential, function() return optimizers.AdamW{weight_decay = 0.01} end},
  {"nested-rmsprop", nested, function()
    return optimizers.RMSprop{momentum = 0.5, centered = true}
  end},
  {"shared-adagrad", shared, function() return optimizers.Adagrad{0.01} end},
  {"convolutional-adam", convolutional, function() return optimizers.Adam() end},
  {"recurrent-adamax", networks.recurrent, function() return optimizers.Adamax() end},
  {"attention-adam", networks.attention, function() return optimizers.Adam() end},
  {"subclassed-adam", function() return Subclassed() end, function() return optimizers.Adam() end},
}

local by_name = {}
for _, case in ipairs(cases) do by_name[case[1]] = case end

local x, y = networks.data()

local function compile(case, model)
  model:compile{optimizer = case[3](), loss = "mse", metrics = {"mae"}}
end

--- A model's predictions, and the results of its next epoch.
local function behaviour(model, trains)
  local predicted = model:predict{x, verbose = 0}:tolist()
  local losses = cusp.null
  if trains then
    losses = model:fit{x, y, batch_size = 16, epochs = 1, shuffle = false, verbose = 0}.history.loss
  end
  return {predicted = predicted, losses = losses}
end

local function write_text(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function write(folder)
  for _, case in ipairs(cases) do
    local name, model = case[1], case[2]()
    local path = folder .. "/" .. name
    local is_graph = not name:find "^subclassed"
    compile(case, model)
    model:fit{x, y, batch_size = 16, epochs = 2, shuffle = false, verbose = 0}
    model:save(path .. ".keras")
    model:save_weights(path .. ".weights.h5")
    model:save_weights(path .. "-weights.h5")
    if is_graph then
      model:save(path .. ".h5")
      write_text(path .. ".json", model:to_json())
      write_text(path .. ".yaml", model:to_yaml())
      write_text(path .. "-keras3.json", model:to_json{format = "keras3"})
    end
    local about = behaviour(model, true)
    about.name, about.x, about.y = name, x:tolist(), y:tolist()
    write_text(path .. ".about.json", cusp.json.encode(about))
  end
end

local custom = {Residual = Residual, Subclassed = Subclassed}

--- The model of a file: a whole one, or the case's own with the file's weights.
local function load(case, path)
  if path:find "%.keras$" or path:find "%-whole%.h5$" then
    return cusp.models.load_model(path, {custom_objects = custom}), true
  end
  if path:find "%.json$" then
    local reader <close> = require("cusp.engine").files.open(path)
    local model = cusp.models.model_from_json(reader:read(0, reader.size))
    model:load_weights((path:gsub("%.json$", "-weights.h5")))
    return model, false
  end
  local model = case[2]()
  compile(case, model)
  -- The optimizer's state must exist before weights can be loaded into it.
  local with_state = path:find "%.weights%.h5$" ~= nil
  model:load_weights(path)
  return model, with_state
end

local function read(folder)
  local results = {}
  for line in io.lines(folder .. "/read.txt") do
    local name, file = line:match "^(%S+) (%S+)$"
    local ok, result = pcall(function()
      return behaviour(load(by_name[name], folder .. "/" .. file))
    end)
    if not ok then result = {problem = tostring(result)} end
    result.file = file
    results[#results + 1] = result
  end
  print(cusp.json.encode(results))
end

local command, folder = arg[1], arg[2]
if command == "write" then write(folder) else read(folder) end
