-- The next epoch after loading equals the next epoch without saving, bit for bit.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local layers = cusp.layers

local function make_model(optimizer, dropout)
  local x = cusp.Input{shape = {6}}
  local h = layers.Dense{8, activation = "relu"}(x)
  h = layers.BatchNormalization()(h)
  if dropout then h = layers.Dropout{0.4}(h) end
  local model = cusp.Model{inputs = x, outputs = layers.Dense{3, activation = "softmax"}(h)}
  model:compile{optimizer = optimizer, loss = "categorical_crossentropy", metrics = {"accuracy"}}
  return model
end

local function data()
  cusp.random.set_seed(7)
  return cusp.random.uniform{40, 6}, cusp.ops.one_hot(cusp.random.randint({40}, 0, 3), 3)
end

local function train(model, x, y)
  return model:fit{x, y, epochs = 1, batch_size = 8, shuffle = false, verbose = 0}
end

local function variables_of(model)
  local result = table.move(model.weights, 1, #model.weights, 1, {})
  local state = model.optimizer.variables
  return table.move(state, 1, #state, #result + 1, result)
end

local function assert_same(model, again, when)
  local first, second = variables_of(model), variables_of(again)
  assert.are.equal(#first, #second)
  for i, variable in ipairs(first) do
    if variable.value:tobytes() ~= second[i].value:tobytes() then
      error(("%s differs %s"):format(variable.path, when), 0)
    end
  end
end

local function whole(name)
  return function(model, path)
    model:save(path .. "/" .. name)
    return cusp.models.load_model(path .. "/" .. name)
  end
end

local function weights(name)
  return function(model, path, fresh)
    model:save_weights(path .. "/" .. name)
    local again = fresh()
    again:load_weights(path .. "/" .. name)
    again.optimizer:ensure_built(again.trainable_variables)
    return again
  end
end

local ways = {
  [".h5"] = whole "model.h5", [".keras"] = whole "model.keras",
  [".weights.h5"] = weights "model.weights.h5",
  ["checkpoint"] = weights "model",
}

local function check(way, make, dropout)
  local scope <close> = folder.new()
  local x, y = data()
  local model = make_model(make(), dropout)
  train(model, x, y)
  local again = ways[way](model, scope.path, function() return make_model(make(), dropout) end)
  assert_same(model, again, "after loading")
  local first, second = train(model, x, y), train(again, x, y)
  assert.are.same(first.history, second.history)
  assert_same(model, again, "after another epoch")
end

local optimizers = cusp.optimizers
local makers = {
  SGD = function() return optimizers.SGD(0.05) end,
  ["SGD with momentum"] = function()
    return optimizers.SGD{0.05, momentum = 0.9, nesterov = true}
  end,
  Adam = function() return optimizers.Adam(0.01) end,
  ["Adam with amsgrad"] = function() return optimizers.Adam{0.01, amsgrad = true} end,
  AdamW = function() return optimizers.AdamW(0.01) end,
  Adamax = function() return optimizers.Adamax(0.01) end,
  Nadam = function() return optimizers.Nadam(0.01) end,
  Adagrad = function() return optimizers.Adagrad(0.05) end,
  Adadelta = function() return optimizers.Adadelta(0.5) end,
  Adafactor = function() return optimizers.Adafactor(0.01) end,
  RMSprop = function() return optimizers.RMSprop{0.01, momentum = 0.5, centered = true} end,
  Ftrl = function() return optimizers.Ftrl(0.05) end,
  Lion = function() return optimizers.Lion(0.001) end,
  Lamb = function() return optimizers.Lamb(0.01) end,
  Muon = function() return optimizers.Muon(0.01) end,
  ScheduleFreeAdamW = function() return optimizers.ScheduleFreeAdamW(0.01) end,
  ["a schedule"] = function()
    return optimizers.Adam(optimizers.schedules.ExponentialDecay(0.01, 3, 0.9))
  end,
  ["a moving average"] = function()
    return optimizers.Adam{0.01, use_ema = true, ema_momentum = 0.9}
  end,
  ["gathered gradients"] = function()
    return optimizers.Adam{0.01, gradient_accumulation_steps = 3}
  end,
  ["a scaled loss"] = function()
    return optimizers.LossScaleOptimizer{optimizers.Adam(0.01), dynamic_growth_steps = 2}
  end,
  ["Nadam with a scaled loss"] = function()
    return optimizers.LossScaleOptimizer{optimizers.Nadam(0.01)}
  end,
  ["clipped gradients"] = function()
    return optimizers.Adam{0.01, clipnorm = 0.1, weight_decay = 0.01}
  end,
}

local function sorted(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

describe("an epoch after loading equals one without saving:", function()
  for _, way in ipairs(sorted(ways)) do
    for _, name in ipairs(sorted(makers)) do
      it(("%s, %s"):format(way, name), function() check(way, makers[name]) end)
    end
  end

  for _, way in ipairs{".h5", ".keras", ".weights.h5"} do
    it(way .. " with dropout, which goes on in its sequence", function()
      check(way, makers.Adam, true)
    end)
  end

  it("a learning rate that was changed stays changed", function()
    local scope <close> = folder.new()
    for _, name in ipairs{"a.h5", "a.keras"} do
      local model = make_model(makers.Adam())
      model.optimizer.learning_rate = 0.25
      model:save(scope.path .. "/" .. name)
      assert.are.equal(0.25,
        cusp.models.load_model(scope.path .. "/" .. name).optimizer.learning_rate.value:item())
    end
  end)
end)
