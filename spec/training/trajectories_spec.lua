-- Compares whole runs of fit with Keras 3: from the same weights and data, the losses and metrics
-- of each epoch, and the final weights.
local cases = require "spec.support.cases"
local trajectories = require "spec.support.trajectories"

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
  local model, history, case = trajectories.run(name)
  compare_logs(history, case.history)
  for i, weight in ipairs(model.weights) do
    cases.compare(weight.value, case.final_weights[i], {atol = 1e-5, rtol = 1e-3},
      "weight " .. (weight.path or i))
  end
  local evaluated = model:evaluate{case.x, case.y, verbose = 0, return_dict = true}
  for key, value in pairs(case.evaluate) do
    assert(cases.close(evaluated[key], value, 1e-5, 1e-3),
      ("evaluate: %s is %s, expected %s"):format(key, evaluated[key], value))
  end
end

describe("training as Keras 3 trains:", function()
  for _, name in ipairs(trajectories.names()) do
    it(name, function() run(name) end)
  end
end)
