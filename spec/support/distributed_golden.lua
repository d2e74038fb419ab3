--- What several processes make of the trainings that Keras did, to be compared with one: rank 0
-- prints a line of numbers for each. Run by spec/distribution/numbers_spec.lua.
local cusp = require "cusp"
local trajectories = require "spec.support.trajectories"
local distribution, ops = cusp.distribution, cusp.ops

distribution.set_distribution(distribution.DataParallel())
for _, name in ipairs(trajectories.names()) do
  local model, history = trajectories.run(name, true)
  local values = table.move(history.loss, 1, #history.loss, 1, {})
  for _, variable in ipairs(model.weights) do
    if variable.dtype:find "float" then
      local all = ops.reshape(variable.value, {-1}):tolist()
      table.move(all, 1, #all, #values + 1, values)
    end
  end
  for i, value in ipairs(values) do values[i] = ("%.9g"):format(value) end
  if distribution.process_id() == 0 then print(name .. " " .. table.concat(values, " ")) end
end
