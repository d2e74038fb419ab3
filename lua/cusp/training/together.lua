--- Runs of several processes that train together: what they agree on
-- @module cusp.training.together
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local random = require "cusp.tensors.random"
local replicas = require "cusp.base.replicas"
local sharding = require "cusp.base.sharding"

local together = {}

local function count(value) return value and tostring(value) or "not known" end

-- Processes that divide a model drop out the same: what their layers draw begins with one seed.
local function add_seeds(lines, layer, seen)
  if seen[layer] then return end
  seen[layer] = true
  for _, name in ipairs(layer.__order) do
    local value = rawget(layer, name)
    if Object.is_instance(value, random.SeedGenerator) then
      lines[#lines + 1] = ("the layer %s, whose random numbers begin with the seed %d (set the"
        .. " distribution before the model is made)"):format(layer.name, value.initial_seed)
    end
  end
  for _, below in ipairs(layer:sublayers()) do add_seeds(lines, below, seen) end
end

-- What has to be equal everywhere, a line each.
local function lines_of(run)
  local source, lines = run.source, {}
  local function line(text, ...) lines[#lines + 1] = text:format(...) end
  line("epochs = %s", count(run.epochs))
  line("%d variables", #run.model.variables)
  if run.phase ~= "predict" then
    line("the optimizer %s", tostring(run.model.optimizer))
    line("the metrics %s", table.concat(run.model:metric_result_names(), ", "))
  end
  if sharding.active and run.phase == "train" then add_seeds(lines, run.model, {}) end
  if not replicas.active.auto then return lines end
  line("batches = %s", count(run.phase ~= "predict" and source.steps or nil))
  if source.batches or run.phase == "predict" then return lines end
  line("samples = %d", source.inner.samples)
  line("batch_size = %d", source.inner.batch_size)
  for i, type in ipairs(source:types(1)) do
    table.remove(type.shape, 1)
    line("the array %d of the data %s %s", i, type.dtype, errors.shape(type.shape))
  end
  return lines
end

local function is_hooked(run)
  local begins = run.callbacks:has_batch_hooks(run.phase, "begin")
  return replicas.any(begins or run.callbacks:has_batch_hooks(run.phase, "end"))
end

--- Before the first step: the same run of the same model, with the weights of rank 0.
-- @tparam Run run
function together.begin(run)
  if sharding.active then sharding.active.begin_run() end
  replicas.agree(run.owner, lines_of(run))
  replicas.align(run.owner, run.model.variables)
  run.hooked = is_hooked(run)
  if run.validation then run.validation.hooked = is_hooked(run.validation) end
end

--- Ends the run everywhere if it is to end somewhere.
-- @tparam Run run
function together.agree_to_stop(run)
  if replicas.any(run:is_stopped()) then run:stop() end
end

--- Only rank 0 prints.
-- @tparam integer verbose
-- @treturn integer
function together.verbosity(verbose)
  return replicas.is_silent() and 0 or verbose
end

return together
