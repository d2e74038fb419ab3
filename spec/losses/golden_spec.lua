-- Compares values and gradients of every loss with Keras.
local cases = require "spec.support.cases"
local cusp = require "cusp"

describe("losses as Keras computes them:", function()
  for _, case in ipairs(cases.read("training/losses.json.gz").cases) do
    it(case.name, function()
      local args = cases.convert(case.args)
      local tape <close> = cusp.GradientTape{persistent = true}
      tape:watch(args[2])
      local value = cases.call(cusp.losses.deserialize(cases.serialised(case)), args,
        cases.convert(case.kwargs))
      cases.compare(value, case.outputs[1], case, "value")
      if case.grad_inputs and not cases.is_null(case.grad_inputs[2]) then
        local cotangent = case.cotangents and cases.tensor(case.cotangents[1]) or nil
        cases.compare(tape:gradient(value, args[2], {output_gradients = cotangent}),
          case.grad_inputs[2], case, "gradient")
      end
    end)
  end
end)
