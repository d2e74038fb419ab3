-- Models within models: each has its own training settings.
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops

local function near(value, got)
  assert.is_true(math.abs(value - got) <= 1e-5 * math.max(1, math.abs(value)),
    ("expected %.9g, got %.9g"):format(value, got))
end

-- Keras 3.15 on JAX; `noted` is the sum of the inner model's outputs.
local expected = {
  fit = {loss = {1.3406033515930176, 0.1201312243938446},
    mae = {0.9897706508636475, 0.22092971205711365}},
  evaluate = {loss = 0.09234955906867981, mae = 0.15285030007362366, noted = 10.726943016052246},
}

local x, y = ops.reshape(ops.arange(24) / 10, {8, 3}), ops.reshape(ops.arange(8) / 5, {8, 1})

local Noted = layers.Layer:extend("NestedNoted", {
  init = function(self, args)
    layers.Layer.init(self, args)
    self.total = cusp.metrics.Sum{name = "noted"}
  end,
  call = function(self, inputs)
    self.total:update_state(inputs)
    self:add_loss((inputs ^ 2):mean() * 0.1)
    return inputs
  end,
})

local function inner_model()
  local hidden = layers.Dense(2)
  local inner = cusp.Sequential{cusp.Input{shape = {3}}, hidden, Noted{}}
  inner:compile{optimizer = "adam", loss = "mae", metrics = {"mse"}}
  hidden:set_weights{{{0.1, -0.2}, {0.3, 0.4}, {-0.5, 0.6}}, {0, 0}}
  return inner
end

local Wrapper = layers.Layer:extend("NestedWrapper", {
  init = function(self, args)
    layers.Layer.init(self, args)
    self.inner = args.inner
  end,
  call = function(self, inputs) return self.inner(inputs) end,
})

local Outer = cusp.Model:extend "NestedOuter"
function Outer:init(args)
  cusp.Model.init(self, args)
  self.inner, self.last = args.inner, args.last
end
function Outer:call(inputs) return self.last(self.inner(inputs)) end

local input = cusp.Input{shape = {3}}
local forms = {
  Sequential = function(inner, last) return cusp.Sequential{input, inner, last} end,
  functional = function(inner, last)
    return cusp.Model{inputs = input, outputs = last(inner(input))}
  end,
  subclassed = function(inner, last) return Outer{inner = inner, last = last} end,
  ["in a layer"] = function(inner, last)
    return cusp.Sequential{input, Wrapper{inner = inner}, last}
  end,
  ["in a model in a model"] = function(inner, last)
    local middle = cusp.Sequential{input, inner}
    middle:compile{optimizer = "sgd", loss = "mse"}
    return cusp.Sequential{input, middle, last}
  end,
}

for name, form in pairs(forms) do
  for _, eagerly in ipairs{false, true} do
    describe(("a compiled model within (%s%s)"):format(name, eagerly and ", as plain Lua" or ""),
      function()
      local model, inner
      before_each(function()
        local last = layers.Dense(1)
        inner = inner_model()
        model = form(inner, last)
        model:build{cusp.None, 3}
        last:set_weights{{{0.7}, {-0.3}}, {0}}
        model:compile{optimizer = cusp.optimizers.SGD(0.05), loss = "mse", metrics = {"mae"},
          run_eagerly = eagerly}
      end)

      it("leaves loss and metrics to the model around it", function()
        local history = model:fit{x, y, epochs = 2, batch_size = 4, shuffle = false,
          verbose = 0}.history
        for key, values in pairs(expected.fit) do
          for epoch, value in ipairs(values) do near(value, history[key][epoch]) end
        end
        local got = model:evaluate{x, y, batch_size = 4, verbose = 0, return_dict = true}
        for key, value in pairs(expected.evaluate) do near(value, got[key]) end
        local count = 0
        for _ in pairs(got) do count = count + 1 end
        assert.are.equal(3, count)
        assert.are.equal(3, select("#", model:evaluate{x, y, verbose = 0}))
        assert.are.same({"loss", "mae", "noted"}, model.metrics_names)
      end)

      it("is trained apart in between, with its own loss", function()
        model:fit{x, y, verbose = 0, shuffle = false}
        local targets = ops.zeros{8, 2}
        local before = inner:evaluate{x, targets, verbose = 0}
        local history = inner:fit{x, targets, epochs = 3, verbose = 0, shuffle = false}.history
        near(before, history.loss[1])
        assert.is_true(history.loss[3] < history.loss[1])
        assert.is_not_nil(history.mse)
        near(model:evaluate{x, y, verbose = 0}, (model:train_on_batch(x, y)))
        near(ops.mean((model(x) - y) ^ 2):item() + ops.mean(inner(x) ^ 2):item() * 0.1,
          model:evaluate{x, y, verbose = 0})
      end)

      it("does not end a training that watches the loss", function()
        local stop = cusp.callbacks.EarlyStopping{monitor = "loss", patience = 1}
        local history = model:fit{x, y, epochs = 4, batch_size = 4, shuffle = false, verbose = 0,
          callbacks = {stop}}
        assert.are.equal(4, #history.history.loss)
      end)
    end)
  end
end

describe("metrics among the fields of a model within", function()
  it("are its own, as all that it is trained with", function()
    local Counting = cusp.Model:extend "NestedCounting"
    function Counting:init(args)
      cusp.Model.init(self, args)
      self.last, self.mine = layers.Dense(1), cusp.metrics.Sum{name = "mine"}
    end
    function Counting:call(inputs)
      self.mine:update_state(inputs)
      return self.last(inputs)
    end
    local inner = Counting{}
    local model = Outer{inner = inner, last = layers.Dense(1)}
    model:compile{optimizer = "sgd", loss = "mse", metrics = {"mae"}}
    model:fit{x, y, verbose = 0}
    assert.are.same({"loss", "mae"}, model.metrics_names)
    inner:compile{optimizer = "sgd", loss = "mse"}
    inner:fit{x, y, verbose = 0}
    assert.are.same({"loss", "mine"}, inner.metrics_names)
    near(x:sum():item(), inner:evaluate({x, y, verbose = 0, return_dict = true}).mine)
  end)
end)
