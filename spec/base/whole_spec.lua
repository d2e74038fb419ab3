local cusp = require "cusp"
local engine = require "cusp.engine"
local folder = require "spec.support.folder"
local names = require "cusp.base.names"
local stopping = require "spec.support.stopping"
local whole = require "cusp.base.whole"
local layers = cusp.layers

local x = cusp.ops.reshape(cusp.arange(24.0), {8, 3}) / 24
local y = cusp.tensor({0, 1, 0, 1, 1, 0, 1, 0}, {dtype = "int32"})

local Late = cusp.Model:extend("LateWhole", {
  init = function(self, args)
    cusp.Model.init(self, args)
    self.first, self.last, self.drop = layers.Dense{4, activation = "relu"}, layers.Dense(2),
      layers.Dropout(0.5)
  end,
  call = function(self, inputs)
    if not self.late then self.late = layers.Dense{3, name = "late"} end
    return self.last(self.drop(self.late(self.first(inputs))))
  end,
})

local kinds = {
  sequential = function()
    return cusp.Sequential{layers.Dense{4, activation = "relu"}, layers.BatchNormalization(),
      layers.Dropout(0.5), layers.Dense(2)}
  end,
  functional = function()
    local input = cusp.Input{shape = {3}}
    return cusp.Model{inputs = input,
      outputs = layers.Dense(2)(layers.Dropout(0.3)(layers.Dense(4)(input)))}
  end,
  subclassed = function() return Late() end,
}

local actions = {
  fit = function(model)
    return model:fit{x, y, batch_size = 4, shuffle = false, verbose = 0}.history
  end,
  evaluate = function(model) return model:evaluate{x, y, verbose = 0, return_dict = true} end,
  predict = function(model) return model:predict{x, verbose = 0}:tolist() end,
  call = function(model) return model(x):tolist() end,
}

local function compiled(kind, options)
  names.reset()
  cusp.random.set_seed(7)
  local model = kinds[kind]()
  model:compile{
    optimizer = "adam", loss = cusp.losses.SparseCategoricalCrossentropy{from_logits = true},
    metrics = {"accuracy"},
    run_eagerly = options and options.run_eagerly,
  }
  return model
end

-- The parts of a model, by name.
local function parts(model)
  local list = table.move(model.metrics_names, 1, #model.metrics_names, 1, {})
  for _, variables in ipairs{model.weights, model.optimizer.variables} do
    for _, variable in ipairs(variables) do
      list[#list + 1] = ("%s [%s]"):format(variable.path, table.concat(variable.shape, ","))
    end
  end
  return list
end

local function check_closed(n)
  assert.is_false(engine.tracing(), n)
  assert.is_false(engine.recording(), n)
  assert.is_nil(engine.frame(), n)
  assert.equal("x", names.path "x", n)
end

local function sweep(kind, action, stride, options)
  local run, reference = actions[action], compiled(kind, options)
  local expected = run(reference)
  local consists_of = parts(reference)
  return stopping.sweep{
    first = 1 + stride // 3, stride = stride, run = run, make = function()
      return compiled(kind, options)
    end,
    check = function(model, n)
      check_closed(n)
      local begun = model.optimizer.iterations.value:item() > 0
      local again = run(model)
      if not begun then assert.same(expected, again, n) end
      assert.same(consists_of, parts(model), n)
    end,
  }
end

describe("an error at any instruction", function()
  -- A tape that another spec left open is closed when it is collected.
  setup(function()
    collectgarbage()
    collectgarbage()
  end)

  for kind in pairs(kinds) do
    for action, stride in pairs{fit = 1709, evaluate = 1201, predict = 601, call = 401} do
      it(("of the first %s of a %s model leaves it as it was, or whole"):format(action, kind),
        function()
        assert.is_true(sweep(kind, action, stride) > 20)
      end)
    end
  end

  it("of a first fit that runs eagerly leaves the model as it was, or whole", function()
    assert.is_true(sweep("subclassed", "fit", 3001, {run_eagerly = true}) > 20)
  end)

  it("of compiling leaves the model as it was, or compiled", function()
    stopping.sweep{
      stride = 37, make = kinds.functional,
      run = function(model) model:compile{optimizer = "sgd", loss = "mse", metrics = {"mae"}} end,
      check = function(model, n)
        assert.equal(model.compiled == true, model.__own.compile_config ~= nil, n)
        assert.equal(model.compiled == true, model.optimizer ~= nil, n)
      end,
    }
  end)

  it("of adding and removing layers leaves a stack that works", function()
    stopping.sweep{
      stride = 101, make = function()
        return cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(4)}
      end,
      run = function(model)
        model:add(layers.Dense(2))
        model:pop()
        model:add(layers.Dense(5))
      end,
      check = function(model, n)
        local last = model.layers[#model.layers]
        assert.same({8, last.units}, model(x).shape, n)
        assert.equal(2 * #model.layers, #model.weights, n)
      end,
    }
  end)

  it("of the first update of an optimizer leaves it without state, or with all of it", function()
    local gradients = {cusp.ones{2}, cusp.ones{3}}
    stopping.sweep{
      stride = 53,
      make = function()
        return {optimizer = cusp.optimizers.Adam(0.1), cusp.Variable{1.0, 2.0},
          cusp.Variable{1.0, 2.0, 3.0}}
      end,
      run = function(one) one.optimizer:apply(gradients, {one[1], one[2]}) end,
      check = function(one, n)
        assert.equal(one.optimizer.built and 6 or 2, #one.optimizer.variables, n)
        one.optimizer:apply(gradients, {one[1], one[2]})
        assert.equal(6, #one.optimizer.variables, n)
      end,
    }
  end)
end)

local function values(model)
  local list = {}
  for i, weight in ipairs(model.weights) do list[i] = weight.value:tolist() end
  return list
end

local function trained(epochs)
  names.reset()
  cusp.random.set_seed(3)
  local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense{4, name = "a"},
    layers.Dense{2, name = "b"}}
  model:compile{optimizer = "adam", loss = "mse"}
  model:fit{x, cusp.ones{8, 2}, epochs = epochs, verbose = 0}
  return model
end

describe("an error at any instruction of", function()
  for _, name in ipairs{"w.weights.h5", "w.h5", "w"} do
    it("reading " .. name .. " leaves the weights as they were, or all read", function()
      local scope <close> = folder.new()
      local saved = trained(3)
      saved:save_weights(scope.path .. "/" .. name)
      local before, after = values(trained(1)), values(saved)
      stopping.sweep{
        stride = 3989, make = function() return trained(1) end,
        run = function(model)
          local status = model:load_weights(scope.path .. "/" .. name)
          if status then status:expect_partial() end
        end,
        check = function(model, n)
          local now = values(model)
          assert.is_true(pcall(assert.same, before, now) or pcall(assert.same, after, now), n)
          check_closed(n)
        end,
      }
    end)
  end

  for _, name in ipairs{"m.keras", "m.h5"} do
    it("writing " .. name .. " leaves the old file or the new one", function()
      local scope <close> = folder.new()
      local path, old, new = scope.path .. "/" .. name, trained(1), trained(2)
      local before, after = values(old), values(new)
      stopping.sweep{
        stride = 9973, make = function()
          return old:save(path)
        end, run = function() new:save(path) end,
        check = function(_, n)
          local now = values(cusp.models.load_model(path))
          assert.is_true(pcall(assert.same, before, now) or pcall(assert.same, after, now), n)
        end,
      }
    end)
  end
end)

describe("whole.with", function()
  it("puts back fields, lists, variables, names and random numbers", function()
    local object, variable = cusp.layers.Layer(), cusp.Variable(1.0)
    object.list, object.variable = {1, 2}, variable
    cusp.random.set_seed(5)
    local expected = cusp.random.normal({2}):tolist()
    cusp.random.set_seed(5)
    local ok, message = pcall(whole.with, {object}, function(...)
      object.added, object.list[3], object.list[1] = true, 3, nil
      variable:assign(8)
      cusp.random.normal{2}
      names.unique "whole_spec"
      error(select("#", ...), 0)
    end, 1, nil, nil)
    assert.same({false, 3}, {ok, message})
    assert.same({nil, {1, 2}, 1}, {object.added, object.list, variable.value:item()})
    assert.same(expected, cusp.random.normal({2}):tolist())
    assert.equal("whole_spec", names.unique "whole_spec")
  end)

  it("keeps what was changed where all went well, and gives the results", function()
    local object = cusp.layers.Layer()
    assert.same({1, nil, 3}, {whole.with({object}, function()
      object.added = true
      return 1, nil, 3
    end)})
    assert.is_true(object.added)
  end)

  it("closes the tapes that were left open", function()
    pcall(whole.with, {}, function()
      cusp.GradientTape()
      error "left"
    end)
    assert.is_false(engine.recording())
  end)

  it("leaves what an inner change had failed with to the program that looks at it", function()
    local inner = cusp.layers.Layer()
    whole.with({cusp.layers.Layer()}, function()
      assert.is_false((pcall(whole.with, {inner}, function()
        inner.half = true
        error "half"
      end)))
      assert.is_nil(inner.half)
    end)
  end)
end)
