--- Calls of a model outside of training, `model(x)`, that repeat: from the third call on inputs of
-- the same shapes, the model runs from a plan, as in `predict_on_batch`. Computed operation by
-- operation, a deep model takes several times as long.
--
-- A plan does not run Lua. So only models of the library's own layers take part, without functions
-- of the user's and without losses or masks, and not while a tape records; all others are run as
-- they are.
-- @module cusp.models.repeated
local PlanCache = require "cusp.tensors.plan_cache"
local calling = require "cusp.layers.machinery.calling"
local captures = require "cusp.captures"
local context = require "cusp.base.context"
local engine = require "cusp.engine"
local gradients = require "cusp.tensors.gradients"
local masks = require "cusp.base.masks"
local replicas = require "cusp.base.replicas"
local structure = require "cusp.base.structure"
local whole = require "cusp.base.whole"

local repeated = {}

local calls_before = 2 -- of the same form, as they are; tracing is worth it for a third
local most_forms = 256 -- whose calls are counted

---------------------------------------------------------------- which models

local function is_foreign(value)
  if type(value) ~= "function" then return false end
  local info = debug.getinfo(value, "S")
  return info.what ~= "C" and not engine.is_internal(info.source)
end

-- Whether a layer and those below it run nothing but the library's code.
local function is_library(layer)
  local class = getmetatable(layer)
  if not class.__library or is_foreign(class.call) then return false end
  if layer.run_eagerly or layer.runs_eagerly and layer:runs_eagerly() then return false end
  for _, key in ipairs(layer.__order) do
    if is_foreign(rawget(layer, key)) then return false end
  end
  local graph = layer.__own.graph
  if graph and graph:find_argument(is_foreign) then return false end
  for _, sublayer in ipairs(layer:sublayers()) do
    if not is_library(sublayer) then return false end
  end
  return true
end

---------------------------------------------------------------- which calls

local function is_plain_tensor(value)
  return type(value) == "userdata" and engine.is_tensor(value) and not masks.get(value)
end

-- The tensors of inputs, and a text of how they are arranged; nil for others than tensors.
local function tensors_of(inputs)
  if type(inputs) == "userdata" then return is_plain_tensor(inputs) and {inputs} or nil, "" end
  if not structure.is_container(inputs) then return nil end
  local names = {}
  for i, key in ipairs(structure.keys(inputs)) do
    if not is_plain_tensor(inputs[key]) then return nil end
    names[i] = tostring(key)
  end
  return structure.flatten(inputs), table.concat(names, ",")
end

local function is_inference(...)
  local count, args = select("#", ...), ...
  if count == 0 then return true end
  return count == 1 and type(args) == "table" and args.training == false
    and next(args) == "training" and next(args, "training") == nil
end

local function is_alone()
  local around = context.get()
  return not around.called and around.training == nil and not engine.tracing()
    and not gradients.is_recording() and not replicas.active
end

---------------------------------------------------------------- plans

local function new_calls(model)
  return {
    captured = captures.new(("a call of the model '%s'"):format(model.name), {root = model}),
    plans = PlanCache.new(("calls of the model '%s'"):format(model.name), function(index)
      return index == 1 and "what it captured of Lua" or "the shape of the inputs"
    end),
    counts = {}, forms = 0,
  }
end

-- Whether there is nothing in what a call gave or left behind but the values of its outputs.
local function is_pure(model, outputs)
  if #model.losses > 0 then return false end
  for _, output in ipairs(structure.flatten(outputs)) do
    if not is_plain_tensor(output) then return false end
  end
  return true
end

local function trace(recorder, model, inputs, tensors, ...)
  local placeholders = {}
  for i, tensor in ipairs(tensors) do
    placeholders[i] = recorder:placeholder(tensor.shape, tensor.dtype)
  end
  local outputs = calling.call(model, structure.pack(inputs, placeholders), ...)
  if not is_pure(model, outputs) then return nil end
  return {form = structure.map(outputs, function() return true end),
    run = recorder:compile(structure.flatten(outputs))}
end

local function make_plan(calls, key, model, inputs, tensors, ...)
  local entry = calls.captured:trace(engine.traced, trace, model, inputs, tensors, ...)
  if entry then calls.plans:keep(key, entry, {key, engine.types_text(tensors)}) end
  return entry
end

local function count_call(calls, key, pure)
  if calls.counts[key] == nil then
    calls.forms = calls.forms + 1
    if calls.forms > most_forms then calls.counts, calls.forms = {}, 1 end
  end
  calls.counts[key] = pure and (calls.counts[key] or 0) + 1 or false
end

local function run_plan(entry, tensors)
  return structure.pack(entry.form, {entry.run(table.unpack(tensors))})
end

local function run_as_it_is(calls, key, model, inputs, ...)
  local outputs = calling.call(model, inputs, ...)
  count_call(calls, key, is_pure(model, outputs) and is_library(model))
  return outputs
end

--- Calls a model; `__call` of the library's classes of models.
function repeated.call(model, inputs, ...)
  local tensors, names = tensors_of(inputs)
  local types = tensors and engine.types_text(tensors)
  if not types or not is_inference(...) or not is_alone() then
    return calling.call(model, inputs, ...)
  end
  local own = model.__own
  own.calls = own.calls or new_calls(model)
  local calls = own.calls
  local key = ("%d|%s|%d|%s"):format(calls.captured:state(), names, select("#", ...), types)
  local entry = calls.plans:find(key)
  if entry then return run_plan(entry, tensors) end
  local count = calls.counts[key]
  if count == false or (count or 0) < calls_before then
    return run_as_it_is(calls, key, model, inputs, ...)
  end
  local ok
  ok, entry = engine.attempt(whole.with, {model}, make_plan, calls, key, model, inputs, tensors,
    ...)
  if ok and entry then return run_plan(entry, tensors) end
  calls.counts[key] = false
  return calling.call(model, inputs, ...)
end

return repeated
