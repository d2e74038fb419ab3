-- What a step costs besides its arithmetic, in instructions of Lua's machine: the same for every
-- depth of the model. And what grows with the model grows in proportion to it.
local cusp = require "cusp"
local engine = require "cusp.engine"
local layers = cusp.layers

local x, y = cusp.ones{64, 4}, cusp.ones{64, 4}

local function model_of(depth)
  local stack = {layers.Input{shape = {4}}}
  for _ = 1, depth do stack[#stack + 1] = layers.Dense(4) end
  local model = cusp.Sequential(stack)
  model:compile{optimizer = "sgd", loss = "mse", metrics = {"mae"}}
  return model
end

-- Instructions of Lua that a function takes, in tens, without those of finalisers.
local function count(f)
  local hook, mask, every = debug.gethook()
  local n = 0
  collectgarbage "stop"
  debug.sethook(function() n = n + 1 end, "", 10)
  f()
  debug.sethook(hook, mask, every)
  collectgarbage "restart"
  return n
end

local function count_hooked_steps(model)
  local hooks = {{on_train_batch_end = function() end}}
  local run = {x, y, batch_size = 4, verbose = 0, callbacks = hooks}
  local longer = {cusp.ones{128, 4}, cusp.ones{128, 4}, batch_size = 4, verbose = 0,
    callbacks = hooks}
  model:fit(run)
  model:fit(longer)
  local short = count(function() model:fit(run) end)
  return count(function() model:fit(longer) end) - short
end

local function warm(f)
  for _ = 1, 3 do f() end
  return count(f)
end

describe("a small step", function()
  local shallow, deep = model_of(2), model_of(40)

  it("with a hook at each batch does not grow with the depth of the model", function()
    local few, many = count_hooked_steps(shallow), count_hooked_steps(deep)
    assert.is_true(many < 1.1 * few + 10, ("%d and %d"):format(few, many))
  end)

  for _, method in ipairs{"train_on_batch", "test_on_batch", "predict_on_batch"} do
    it("by " .. method .. " does not grow with the depth of the model", function()
      local function run(model)
        return function() model[method](model, x, method ~= "predict_on_batch" and y or nil) end
      end
      local few, many = warm(run(shallow)), warm(run(deep))
      assert.is_true(many < 1.1 * few + 10, ("%d and %d"):format(few, many))
    end)
  end

  it("by evaluate and predict does not grow with the depth of the model", function()
    for _, run in ipairs{
      function(model) return function() model:evaluate{x, y, verbose = 0} end end,
      function(model) return function() model:predict{x, verbose = 0} end end,
    } do
      local few, many = warm(run(shallow)), warm(run(deep))
      assert.is_true(many < 1.1 * few + 10, ("%d and %d"):format(few, many))
    end
  end)

  it("with a hook learns", function()
    local seen = {}
    local model = model_of(1)
    model:fit{x, y, batch_size = 4, verbose = 0, shuffle = false,
      callbacks = {{on_train_batch_end = function(_, batch, logs) seen[batch] = logs.loss end}}}
    assert.are.equal(16, #seen)
    assert.is_true(seen[16] < seen[1])
  end)
end)

describe("logs at each batch", function()
  it("are those of the metrics after that batch", function()
    local function logs_of(hooked)
      cusp.utils.set_random_seed(1)
      local model, seen = model_of(2), {}
      if hooked then
        model:fit{x, y, batch_size = 16, verbose = 0, shuffle = false, callbacks = {
          {on_train_batch_end = function(_, batch, logs) seen[batch] = logs end}}}
        return seen
      end
      model.run_eagerly = true
      model:fit{x, y, batch_size = 16, verbose = 0, shuffle = false, callbacks = {
        {on_train_batch_end = function(_, batch, logs) seen[batch] = logs end}}}
      return seen
    end
    local compiled, eager = logs_of(true), logs_of(false)
    assert.are.equal(4, #compiled)
    for batch, logs in ipairs(eager) do
      for name, value in pairs(logs) do
        assert.is_true(math.abs(compiled[batch][name] - value) < 1e-5, name)
      end
    end
  end)

  it("of the last, smaller batch too; and hooks of predict get the outputs", function()
    local model, seen = model_of(1), {}
    model:fit{cusp.ones{10, 4}, cusp.ones{10, 4}, batch_size = 4, verbose = 0, callbacks = {
      {on_train_batch_end = function(_, batch, logs) seen[batch] = logs.mae end}}}
    assert.are.equal(3, #seen)
    local rows = {}
    model:predict{cusp.ones{10, 4}, batch_size = 4, verbose = 0, callbacks = {
      {on_predict_batch_end = function(_, batch, logs) rows[batch] = logs.outputs.shape[1] end}}}
    assert.are.same({4, 4, 2}, rows)
  end)

  it("see a metric that is reset by code of its own", function()
    local Odd = cusp.metrics.Mean:extend "Odd"
    local resets = 0
    function Odd:reset_state()
      resets = resets + 1
      cusp.metrics.Mean.reset_state(self)
    end
    function Odd:update_state(_, y_pred) return cusp.metrics.Mean.update_state(self, y_pred) end
    local model = cusp.Sequential{layers.Input{shape = {4}}, layers.Dense(4)}
    model:compile{optimizer = "sgd", loss = "mse", metrics = {Odd{name = "odd"}}}
    for _ = 1, 3 do model:train_on_batch(x, y) end
    assert.is_true(resets >= 2)
  end)
end)

describe("building", function()
  it("takes as much for each layer that is added, however many there are", function()
    local function per_layer(depth)
      return count(function()
        local model = cusp.Sequential()
        model:add(layers.Input{shape = {4}})
        for _ = 1, depth do model:add(layers.Dense(4)) end
      end) / depth
    end
    per_layer(2)
    local few, many = per_layer(30), per_layer(240)
    assert.is_true(many < 1.1 * few, ("%f and %f"):format(few, many))
  end)

  it("leaves a stack as it was where a layer does not fit", function()
    local model = cusp.Sequential{layers.Input{shape = {4}}, layers.Dense(3)}
    local Failing = layers.Layer:extend("Failing", {build = function() error "no" end})
    assert.is_false(pcall(model.add, model, Failing{name = "failing"}))
    assert.are.equal(1, #model.layers)
    model:add(layers.Dense{2, name = "failing"})
    assert.are.same({64, 2}, model(x).shape)
  end)

  it("draws nothing that is then read from a file", function()
    local path = os.tmpname() .. ".keras"
    local model = model_of(6)
    model:save(path)
    local before = engine.stats().nodes_evaluated
    local loaded = cusp.models.load_model(path)
    local drawn = engine.stats().nodes_evaluated - before
    os.remove(path)
    assert.is_true(drawn < 12, drawn)
    assert.are.same(model:get_weights()[1]:tolist(), loaded:get_weights()[1]:tolist())
  end)

  it("draws the same values whenever they are asked for", function()
    cusp.utils.set_random_seed(3)
    local first, second = layers.Dense(3), layers.Dense(3)
    first:build{cusp.None, 4}
    second:build{cusp.None, 4}
    local late = {second.kernel:tolist(), first.kernel:tolist()}
    cusp.utils.set_random_seed(3)
    local initializer = cusp.initializers.GlorotUniform()
    local values = {initializer({4, 3}):tolist(), initializer({4, 3}):tolist()}
    assert.are.same({values[2], values[1]}, late)
  end)

  it("leaves drawn values where a file does not fit", function()
    local path = os.tmpname() .. ".weights.h5"
    model_of(2):save_weights(path)
    local other = model_of(3)
    assert.is_false(pcall(other.load_weights, other, path))
    os.remove(path)
    for _, variable in ipairs(other.trainable_variables) do
      local sum = 0
      for _, value in ipairs(variable.value:flat()) do sum = sum + math.abs(value) end
      assert.is_true(variable.name == "bias" or sum > 0)
    end
  end)
end)
