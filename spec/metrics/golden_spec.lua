-- Compares every metric with Keras, after each update.
local cases = require "spec.support.cases"
local cusp = require "cusp"

local function compare(got, want, case, what)
  if want.tensor then return cases.compare(got, want, case, what) end
  for key, item in pairs(want) do compare(got[key], item, case, what) end
end

describe("metrics as Keras computes them:", function()
  for _, case in ipairs(cases.read("training/metrics.json.gz").cases) do
    it(case.name, function()
      local metric = cusp.metrics.deserialize(cases.serialised(case))
      for i, update in ipairs(case.updates) do
        cases.call(function(...)
          metric:update_state(...)
        end, cases.convert(update.args), cases.convert(update.kwargs))
        compare(metric:result(), update.result, case, "update " .. i)
      end
    end)
  end
end)
