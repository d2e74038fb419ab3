-- Saves the models of spec/support/subclassed_models.lua, and prints what they predict:
--     build/cusp scripts/interop/subclassed.lua FOLDER
package.path = "./?.lua;" .. package.path
local cusp = require "cusp"
local subclassed = require "spec.support.subclassed_models"

local result = {}
for _, name in ipairs{"plain", "lists", "nested", "graph"} do
  local model = subclassed.make(name)
  for i, variable in ipairs(model.weights) do
    variable:assign(cusp.random.normal(variable.shape, {seed = i}))
  end
  model:save_weights(("%s/%s.weights.h5"):format(arg[1], name))
  model:save(("%s/%s.keras"):format(arg[1], name))
  result[name] = model:predict{subclassed.inputs(), verbose = 0}:tolist()
end
print(cusp.json.encode(result))
