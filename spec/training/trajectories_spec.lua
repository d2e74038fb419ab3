-- Compares whole runs of fit with Keras 3: from the same weights and data, the losses and metrics
-- of each epoch, and the final weights.
local cases = require "spec.support.cases"
local cusp = require "cusp"
local golden_models = require "spec.support.golden_models"

local function only(list) return #list == 1 and list[1] or list end

local function given_data(data, prefix)
  local x = only(cases.convert(data[prefix .. "x"]))
  local y = cases.convert(data[prefix .. "y"])
  return x, #y > 0 and only(y) or y
end

local function class_weights(weights)
  if cases.is_null(weights) then return nil end
  local result = {}
  for id, weight in pairs(weights) do result[math.tointeger(tonumber(id))] = weight end
  return result
end

local function plain(value)
  if cases.is_null(value) then return nil end
  return value
end

local function compare_logs(history, wanted)
  for name, values in pairs(wanted) do
    if name ~= "learning_rate" then
      assert(history[name], "history has no " .. name)
      for epoch, value in ipairs(values) do
        if not cases.close(history[name][epoch], value, 1e-6, 1e-4) then
          error(("%s after epoch %d: %s, expected %s"):format(name, epoch, history[name][epoch],
            value), 0)
        end
      end
    end
  end
end

local function run(name)
  local case = cases.read("training/train_" .. name .. ".json.gz")
  local model = cusp.models.model_from_config(case.model, golden_models.custom_objects())
  local x, y = given_data(case.data, "")
  -- a model without an Input makes its weights now
  model:predict{x, verbose = 0, steps = 1, batch_size = 2}
  local weights = {}
  for i, weight in ipairs(case.initial_weights) do weights[i] = cases.tensor(weight) end
  model:set_weights(weights)
  local compile = case.compile
  model:compile{
    optimizer = cusp.optimizers.deserialize(case.optimizer), loss = compile.loss,
    metrics = plain(compile.metrics),
    weighted_metrics = plain(compile.weighted_metrics), loss_weights = plain(compile.loss_weights),
  }
  local validation
  if case.data.val_x then validation = {given_data(case.data, "val_")} end
  local history = model:fit{
    x, y, epochs = case.fit.epochs, batch_size = case.fit.batch_size, shuffle = false, verbose = 0,
    validation_data = validation,
    class_weight = class_weights(case.data.class_weight),
    sample_weight = cases.convert(case.data.sample_weight),
  }
  compare_logs(history.history, case.history)
  for i, weight in ipairs(model.weights) do
    cases.compare(weight.value, case.final_weights[i], {atol = 1e-5, rtol = 1e-3},
      "weight " .. (weight.path or i))
  end
  local evaluated = model:evaluate{x, y, verbose = 0, return_dict = true}
  for key, value in pairs(case.evaluate) do
    assert(cases.close(evaluated[key], value, 1e-5, 1e-3),
      ("evaluate: %s is %s, expected %s"):format(key, evaluated[key], value))
  end
end

describe("training as Keras 3 trains:", function()
  local names = {}
  local pipe = assert(io.popen "ls spec/fixtures/training")
  for file in pipe:lines() do names[#names + 1] = file:match "^train_(.*)%.json%.gz$" end
  pipe:close()
  for _, name in ipairs(names) do
    it(name, function() run(name) end)
  end
end)
