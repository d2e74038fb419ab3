--- What a step of training has to do: for the limit of a row.
local work = {}

-- Bytes of a weight, its gradient and its two moments, read, and of all but the gradient, written.
local ADAM_BYTES = 28
-- Less stays in a cache from step to step.
local CACHED_BYTES = 4 << 20

--- Operations of the products of one step (elementwise loops are little beside them, and share
-- their time with memory), and bytes of the optimizer's step, 0 where a cache holds them.
-- @param model compiled
-- @param args for `model:profile`
-- @tparam[opt] integer bytes for each weight; by default those of training with Adam
-- @treturn table `work`, `traffic`
function work.of_step(model, args, bytes)
  args.steps = 1
  local report, operations = model:profile(args), 0
  for _, step in ipairs(report.kernels) do
    if not step.parts then operations = operations + step.work * step.runs end
  end
  local parameters = 0
  for _, weight in ipairs(model.trainable_weights) do
    local count = 1
    for _, size in ipairs(weight.shape) do count = count * size end
    parameters = parameters + count
  end
  local traffic = (bytes or ADAM_BYTES) * parameters
  return {work = operations / report.n_steps, traffic = traffic > CACHED_BYTES and traffic or 0}
end

return work
