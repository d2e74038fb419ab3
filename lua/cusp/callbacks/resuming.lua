--- All that a run of `fit` goes on from: taken at a batch or at the end of an epoch, put back in
-- another process, so that what follows is what would have followed.
--
-- That is: the weights; the optimizers' variables; the metrics'; what a train_step of one's own
-- reported; every generator of random numbers; where in which order of the data the run stands; and
-- what the callbacks know.
-- @module cusp.callbacks.resuming
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kept_caches = require "cusp.data.machinery.kept_caches"
local ops = require "cusp.ops"
local optimizers = require "cusp.optimizers"
local random = require "cusp.tensors.random"
local replicas = require "cusp.base.replicas"
local gathering = require "cusp.base.gathering"
local sharding = require "cusp.base.sharding"
local structure = require "cusp.base.structure"

local resuming = {}

---------------------------------------------------------------- variables

-- Optimizers and generators among the fields of a layer and of what is below it, each once.
local function find(layer, found, seen)
  if seen[layer] then return end
  seen[layer] = true
  local function look(value)
    if type(value) ~= "table" or seen[value] then return end
    if Object.is_instance(value, optimizers.Optimizer) then
      seen[value] = true
      table.insert(found.optimizers, value)
    elseif Object.is_instance(value, random.SeedGenerator) then
      seen[value] = true
      table.insert(found.generators, value)
    elseif structure.is_container(value) then
      seen[value] = true
      for _, key in ipairs(structure.keys(value)) do look(value[key]) end
    end
  end
  for _, name in ipairs(layer.__order or {}) do look(rawget(layer, name)) end
  for _, sublayer in ipairs(layer:sublayers()) do find(sublayer, found, seen) end
end

local function append(list, variables)
  for _, variable in ipairs(variables) do list[#list + 1] = variable end
end

-- The variables of a run by what they are for, each kind in an order that the model alone decides.
local function variables_of(run)
  local model, found = run.model, {optimizers = {}, generators = {}}
  find(model, found, {})
  local groups = {weights = model.weights, optimizers = {}, metrics = {}, generators = {},
    reports = {}}
  for _, optimizer in ipairs(found.optimizers) do append(groups.optimizers, optimizer.variables) end
  for _, metric in ipairs(model:list_metrics()) do append(groups.metrics, metric.variables) end
  for i, generator in ipairs(found.generators) do groups.generators[i] = generator.state end
  for i, name in ipairs(structure.keys(run.step.report.log_variables)) do
    groups.reports[i] = run.step.report.log_variables[name]
  end
  return groups
end

local function values_of(groups)
  local values = {}
  for kind, variables in pairs(groups) do
    values[kind] = {}
    for i, variable in ipairs(variables) do values[kind][i] = gathering.whole(variable) end
    engine.evaluate(values[kind])
  end
  return values
end

local function describe(variable, kind, i)
  local name = variable.path or variable.name
  return name and ("'%s'"):format(name) or ("%d of its %s"):format(i, kind)
end

local function check(owner, groups, values)
  for kind, variables in pairs(groups) do
    local kept = values[kind] or {}
    if #kept ~= #variables then
      errors.raise("%s: was kept of another model: it has %d tensors of %s, expected %d", owner,
        #kept, kind, #variables)
    end
    for i, variable in ipairs(variables) do
      local shape = errors.shape(sharding.shape_of(variable))
      if errors.shape(kept[i].shape) ~= shape
        or kept[i].dtype ~= variable.dtype then
        errors.raise(
          "%s: was kept of another model: variable %s has shape %s (%s), expected %s (%s)", owner,
          describe(variable, kind, i),
          errors.shape(kept[i].shape), kept[i].dtype, shape, variable.dtype)
      end
    end
  end
end

---------------------------------------------------------------- callbacks

local function is_plain(value, depth)
  local kind = type(value)
  if kind == "number" or kind == "string" or kind == "boolean" then return true end
  if kind == "userdata" then return engine.is_tensor(value) end
  if kind ~= "table" or getmetatable(value) or depth > 8 then return false end
  for key, item in pairs(value) do
    if type(key) ~= "string" and type(key) ~= "number" or not is_plain(item, depth + 1) then
      return false
    end
  end
  return true
end

local function default_state(callback)
  local class = Object.class_of(callback)
  local declared = class and arguments.declaration(class).named or {}
  local state = {}
  for key, value in next, callback do
    local own = type(key) == "string" and not key:find "^_" and key ~= "params"
      and not declared[key]
    if own and is_plain(value, 0) then state[key] = value end
  end
  return state
end

local function state_of(callback)
  if callback.get_state then return callback:get_state() end
  return default_state(callback)
end

local function set_state(callback, state)
  if callback.set_state then return callback:set_state(state) end
  for key, value in pairs(state) do callback[key] = value end
end

-- Calls f(key, callback) for each: the key of the second EarlyStopping is "EarlyStopping 2", of the
-- first plain table "table 1".
local function each_keyed(list, f)
  local counts = {}
  for _, callback in ipairs(list.callbacks) do
    local class = Object.class_of(callback)
    local name = class and class.__name or "table"
    counts[name] = (counts[name] or 0) + 1
    f(name .. " " .. counts[name], callback)
  end
end

local function states_of(list)
  local states = {}
  each_keyed(list, function(key, callback)
    if not callback.resume then states[key] = state_of(callback) end
  end)
  return states
end

--- Puts back what the callbacks of a run knew; those that were not there start anew.
function resuming.restore_callbacks(run, kept)
  each_keyed(run.callbacks, function(key, callback)
    local asleep = replicas.is_asleep(callback, run.model)
    if kept.callbacks[key] and not asleep then set_state(callback, kept.callbacks[key]) end
  end)
end

---------------------------------------------------------------- datasets

-- The sources of a run by what they are for.
local function sources_of(run)
  return {source = run.source, validation = run.validation and run.validation.source}
end

-- What the datasets of a run hold in memory.
local function caches_of(run)
  local caches = {}
  for name, source in pairs(sources_of(run)) do
    if source.dataset then caches[name] = kept_caches.capture(source.dataset) end
  end
  return caches
end

-- Gives the datasets of a run what they held in memory.
local function restore_caches(run, caches, within)
  for name, source in pairs(sources_of(run)) do
    if caches[name] and source.dataset then
      kept_caches.restore(source.dataset, caches[name], within)
    end
  end
end

--- Puts a run where in the data it stood. The states of generators are others afterwards.
function resuming.restore_place(run, kept)
  if not kept.place then return end
  local within = kept.batches ~= nil or run.continues
  run:set_place(kept.place, within, function() restore_caches(run, kept.caches or {}, within) end)
end

---------------------------------------------------------------- the whole

--- What a run goes on from.
-- @tparam Run run of `fit`
-- @tparam ?table logs of its epoch, where that has ended
-- @treturn table plain data and tensors
function resuming.capture(run, logs)
  return {
    epoch = run.epoch, batches = not logs and run.done or nil, logs = logs,
    values = values_of(variables_of(run)),
    last = run.step.report.last,
    random = random.get_state(), place = run:get_place(), signature = run.step.signature,
    steps = run.callbacks.params.steps, stop = run.model.stop_training or false,
    callbacks = states_of(run.callbacks), caches = caches_of(run),
  }
end

-- A model that has no variables yet gets them from a batch like those it was trained on; what a
-- step changes is put back afterwards.
local function build(run, signature)
  local model = run.model
  if not signature or model.built and model.optimizer.built and not model.run_eagerly then
    return
  end
  if not model.run_eagerly then
    return run.step:plan(signature.form, signature.key, signature.types)
  end
  local tensors = {}
  for i, type in ipairs(signature.types) do
    tensors[i] = ops.zeros(type.shape, {dtype = type.dtype})
  end
  run.step:run{form = signature.form, key = signature.key, tensors = tensors}
end

--- Builds what has to be there, and checks that a kept state is of this model.
-- @tparam string owner where the state comes from, for messages
function resuming.prepare(owner, run, kept)
  build(run, kept.signature)
  check(owner, variables_of(run), kept.values)
end

--- Puts the variables and generators of a run back.
function resuming.restore_values(run, kept)
  local all, values = {}, {}
  for kind, variables in pairs(variables_of(run)) do
    table.move(variables, 1, #variables, #all + 1, all)
    table.move(kept.values[kind], 1, #variables, #values + 1, values)
  end
  for i, variable in ipairs(all) do values[i] = sharding.part_of(variable, values[i]) end
  engine.assign_all(all, values)
  for name, value in pairs(kept.last or {}) do run.step.report.last[name] = value end
  random.set_state(kept.random)
end

return resuming
