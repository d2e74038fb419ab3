--- Work that waits until a layer, model or optimizer has its variables, such as values that were
-- read before it was built.
-- @module cusp.base.deferred

local Object = require "cusp.base.class"
local engine = require "cusp.engine"
local tracking = require "cusp.base.tracking"

local deferred = {}

-- Objects whose deferred work has failed; this must survive the rollback after the error.
local failed = setmetatable({}, {__mode = "k"})

--- Whether any layer below this one, at any depth, is not built.
function deferred.has_unbuilt_parts(layer)
  local found = false
  tracking.each(layer, function(kind, value)
    if kind == "layer" and not found then
      found = not value.built or deferred.has_unbuilt_parts(value)
    end
  end)
  return found
end

-- Whether a model of the program's class is made of models and layers that have their weights: its
-- steps may call these alone, and never the model itself.
local function is_made_of_built(object)
  local is_own = object.__is_model and not getmetatable(object).__library
  if not is_own or Object.overrides(object, "build") then return false end
  return #object:sublayers() > 0 and not deferred.has_unbuilt_parts(object)
end

--- Whether an object has all its variables. An optimizer has them once built; a layer once it and
-- all layers below are built, or once it has run (a layer that its `call` does not use is never
-- built); a model, which has no weights of its own, also once all of its parts are.
-- @tparam Layer|Optimizer object
-- @treturn boolean
function deferred.is_built(object)
  if not object.built then return is_made_of_built(object) end
  if not object.__is_layer or object.__own.graph or object.__own.ran then
    return true
  end
  return not deferred.has_unbuilt_parts(object)
end

--- Runs `f(object)` now if the object is built, otherwise as soon as it is: before its first call
-- computes anything, and outside any trace. Several waiting functions all run, in order.
-- @tparam Layer|Optimizer object
-- @tparam function f
-- @param[opt] key identifies the work, such as a file's path; earlier work with the same key is
-- dropped, since f replaces all of it
-- @tparam[opt] function forgotten called for work that was dropped
-- @treturn boolean whether `f` ran
function deferred.when_built(object, f, key, forgotten)
  if deferred.is_built(object) then
    f(object)
    return true
  end
  local waiting = {}
  for _, entry in ipairs(object.__own.when_built or {}) do
    if key == nil or entry.key ~= key then waiting[#waiting + 1] = entry
    elseif entry.forgotten then entry.forgotten() end
  end
  waiting[#waiting + 1] = {run = f, key = key, forgotten = forgotten}
  object.__own.when_built = waiting
  return false
end

local function each_layer(layer, visit)
  visit(layer)
  for _, part in ipairs(layer:sublayers()) do each_layer(part, visit) end
end

--- Drops the waiting work of a model and its layers if it failed for one of them, because other
-- values are about to be read.
function deferred.forget_failed(model)
  local any = false
  each_layer(model, function(layer) any = any or failed[layer] ~= nil end)
  if not any then return end
  each_layer(model, function(layer)
    failed[layer] = nil
    layer.__own.when_built = nil
  end)
end

--- Runs the waiting work; called by the code that has just built the object. Work that raises an
-- error keeps waiting, so that a later call cannot mistake the object for one that has the values.
function deferred.run(object)
  local waiting = object.__own.when_built
  if not waiting then return end
  object.__own.when_built = nil
  for i, entry in ipairs(waiting) do
    local ok, message = pcall(engine.untraced, entry.run, object)
    if not ok then
      object.__own.when_built = table.move(waiting, i, #waiting, 1, {})
      failed[object] = true
      error(message, 0)
    end
  end
end

return deferred
