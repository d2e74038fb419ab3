-- Compares the state of every optimizer with Keras's: names, shapes, order, and continuing from
-- files.
local cases = require "spec.support.cases"
local cusp = require "cusp"
local folder = require "spec.support.folder"
local optimizer_state = require "cusp.saving.shared.optimizer_state"

local O = cusp.optimizers
local fixtures = "training/optimizer_state/"

local makers = {
  sgd = function() return O.SGD{0.5} end,
  sgd_momentum = function() return O.SGD{0.5, momentum = 0.5} end,
  sgd_nesterov = function() return O.SGD{0.5, momentum = 0.5, nesterov = true} end,
  sgd_ema = function() return O.SGD{0.5, use_ema = true} end,
  rmsprop = O.RMSprop,
  rmsprop_momentum = function() return O.RMSprop{momentum = 0.5} end,
  rmsprop_centered = function() return O.RMSprop{centered = true} end,
  rmsprop_all = function() return O.RMSprop{momentum = 0.5, centered = true} end,
  adam = O.Adam, adamw = O.AdamW, adamax = O.Adamax, nadam = O.Nadam, adadelta = O.Adadelta,
  adagrad = O.Adagrad, ftrl = O.Ftrl,
  lion = O.Lion, lamb = O.Lamb, adafactor = O.Adafactor, muon = O.Muon,
  schedule_free_adamw = O.ScheduleFreeAdamW,
  adam_amsgrad = function() return O.Adam{amsgrad = true} end,
  adamw_amsgrad = function() return O.AdamW{amsgrad = true} end,
  adam_ema = function() return O.Adam{use_ema = true, ema_overwrite_frequency = 2} end,
  adam_accumulate = function() return O.Adam{gradient_accumulation_steps = 2} end,
  adam_all = function()
    return O.Adam{amsgrad = true, use_ema = true, gradient_accumulation_steps = 2}
  end,
  adam_schedule = function() return O.Adam(O.schedules.ExponentialDecay(0.5, 3, 0.5)) end,
  nadam_ema = function() return O.Nadam{use_ema = true} end,
  adafactor_ema = function() return O.Adafactor{use_ema = true} end,
  muon_ema = function() return O.Muon{use_ema = true} end,
  scaled_sgd = function()
    return O.LossScaleOptimizer{O.SGD{0.5, momentum = 0.5}, initial_scale = 8.0}
  end,
  scaled_adam_ema = function()
    return O.LossScaleOptimizer{O.Adam{use_ema = true}, initial_scale = 8.0}
  end,
  scaled_nadam = function() return O.LossScaleOptimizer{O.Nadam(), initial_scale = 8.0} end,
}
local kept = {"adafactor", "adafactor_ema", "muon_ema", "adam_all", "adam_schedule",
  "scaled_adam_ema", "ftrl", "lion",
  "lamb"}

local function described(variable)
  return ("%s [%s] %s"):format(variable.name, table.concat(variable.shape, ", "), variable.dtype)
end

local function new_model(optimizer)
  local model = cusp.Sequential{
    cusp.Input{shape = {3}, name = "x"}, cusp.layers.Dense{4, "tanh", name = "a"},
    cusp.layers.Dense{2, name = "b"},
  }
  model:compile{optimizer = optimizer, loss = "mse"}
  return model
end

local function check(values, wanted, what, tolerance)
  for i, value in ipairs(values) do
    assert(#wanted[i] == 0 or #value:flat() == #wanted[i], what)
    for k, number in ipairs(value:flat()) do
      local difference = math.abs(number - wanted[i][k])
      assert(difference <= (tolerance or 1e-5) * math.max(1, math.abs(wanted[i][k])),
        ("%s: value %d of %d"):format(what, k, i))
    end
  end
end

local function train(model, case) model:train_on_batch(cusp.tensor(case.x), cusp.tensor(case.y)) end

describe("every optimizer's state", function()
  local data = cases.read(fixtures .. "state.json.gz")

  it("has Keras's variables, in its order", function()
    for name, case in pairs(data.cases) do
      local variables = {}
      for i, shape in ipairs(data.shapes) do
        variables[i] = cusp.Variable(cusp.zeros(shape), {name = "v" .. i - 1})
      end
      local optimizer, got, wanted = makers[name](), {}, {}
      optimizer:build(variables)
      for i, variable in ipairs(optimizer_state.keras3_variables(optimizer, false)) do
        got[i] = described(variable)
      end
      for i, variable in ipairs(case.variables) do wanted[i] = described(variable) end
      assert.are.same(wanted, got, name)
    end
  end)

  it("comes out of Keras's files, and training goes on as it does there", function()
    for _, name in ipairs(kept) do
      local case = data.cases[name]
      local model = cusp.models.load_model(("spec/fixtures/%s%s.keras"):format(fixtures, name))
      local values = {}
      for i, variable in ipairs(optimizer_state.keras3_variables(model.optimizer, false)) do
        values[i] = variable.value
      end
      check(values, case.state, name .. ": state")
      train(model, case)
      check(model:get_weights(), case.weights, name .. ": after a step", 2e-5)
    end
  end)

  it("goes through files of every layout", function()
    local path <close> = folder.new()
    for name, make in pairs(makers) do
      local case, model = data.cases[name], new_model(make())
      for _ = 1, 3 do train(model, case) end
      local wanted = {}
      for i, variable in ipairs(optimizer_state.keras3_variables(model.optimizer, false)) do
        wanted[i] = variable.value:flat()
      end
      for _, ending in ipairs{".keras", ".h5", ".weights.h5", ""} do
        local file = ("%s/%s%s"):format(path.path, name, ending)
        local again
        if ending == ".keras" or ending == ".h5" then
          model:save(file)
          again = cusp.models.load_model(file)
        else
          model:save_weights(file)
          again = new_model(make())
          again:load_weights(file)
        end
        again.optimizer:ensure_built(again.trainable_variables)
        local values = {}
        for i, variable in ipairs(optimizer_state.keras3_variables(again.optimizer, false)) do
          values[i] = variable.value
        end
        check(values, wanted, ("%s%s"):format(name, ending))
      end
    end
  end)
end)
