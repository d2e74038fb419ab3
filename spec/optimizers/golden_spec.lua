-- Compares every optimizer and schedule with Keras, after each step.
local cases = require "spec.support.cases"
local cusp = require "cusp"

local function make_variables(case)
  local variables = {}
  for i, value in ipairs(case.variables) do
    local constraint = case.constraints and case.constraints[i]
    variables[i] = cusp.Variable(cases.tensor(value), {
      name = case.variable_paths and case.variable_paths[i] or "variable_" .. i,
      constraint = not cases.is_null(constraint) and cusp.constraints.deserialize(constraint)
      or nil,
    })
  end
  return variables
end

describe("optimizers as Keras computes them:", function()
  for _, case in ipairs(cases.read("training/optimizers.json.gz").cases) do
    it(case.name, function()
      local optimizer = cusp.optimizers.deserialize(cases.serialised(case))
      local variables = make_variables(case)
      if case.exclude_from_weight_decay then
        optimizer:exclude_from_weight_decay{var_names = case.exclude_from_weight_decay}
      end
      for s, step in ipairs(case.steps) do
        local gradients = {}
        for i, gradient in ipairs(step.grads) do
          gradients[i] = not cases.is_null(gradient) and cases.tensor(gradient)
        end
        optimizer:apply(gradients, variables)
        for i, want in ipairs(step.variables) do
          cases.compare(variables[i].value, want, case, ("variable %d after step %d"):format(i, s))
        end
      end
      if case.finalized_variables then
        optimizer:finalize_variable_values(variables)
        for i, want in ipairs(case.finalized_variables) do
          cases.compare(variables[i].value, want, case, "finalized variable " .. i)
        end
      end
    end)
  end
end)

describe("schedules as Keras computes them:", function()
  for _, case in ipairs(cases.read("training/schedules.json.gz").cases) do
    it(case.name, function()
      local schedule = cusp.optimizers.schedules.deserialize(cases.serialised(case))
      for i, step in ipairs(case.steps) do
        cases.compare(schedule(step), {data = {case.values[i]}}, case, "step " .. step)
      end
    end)
  end
end)
