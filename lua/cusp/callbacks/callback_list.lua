--- Calls several callbacks as one, in order; the history and the progress line come after the
-- user's.
-- @classmod cusp.callbacks.CallbackList
-- @tparam[opt] table callbacks a list, or one callback
-- @tparam[opt=false] boolean add_history whether to add a History if there is none
-- @tparam[opt=false] boolean add_progbar whether to add a ProgbarLogger if there is none
-- @tparam[opt] Model model
-- @param ... further named arguments (`epochs`, `steps`, `verbose`) go into `callback.params`
local Object = require "cusp.base.class"
local Callback = require "cusp.callbacks.callback"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local History = require "cusp.callbacks.history"
local replicas = require "cusp.base.replicas"
local ProgbarLogger = require "cusp.callbacks.progbar_logger"

local known = {}
for _, hook in ipairs(Callback.hooks) do known[hook] = true end

local function check(callback, position)
  if type(callback) ~= "table" then
    errors.raise(
      "callbacks: item %d should be a Callback or a table of hooks such as on_epoch_end, got %s",
      position,
      errors.describe(callback))
  end
  if rawget(callback, "__name") and rawget(callback, "__super") then
    errors.raise("callbacks: item %d is the class %s itself, expected an instance: %s()", position,
      callback.__name, callback.__name)
  end
  if getmetatable(callback) then return end
  for key, value in pairs(callback) do
    if known[key] and not kinds.is_callable(value) then
      errors.raise("callbacks: item %d: %s should be a function, got %s", position, key,
        errors.describe(value))
    end
    if type(key) == "string" and key:match "^on_" and type(value) == "function"
      and not known[key] then
      errors.raise("callbacks: item %d has '%s', which is not a hook%s", position, key,
        errors.suggestion(key, known))
    end
  end
end

local CallbackList = Object:extend("CallbackList")

local function as_list(given)
  if type(given) == "table" and (getmetatable(given) or next(given) ~= nil and #given == 0) then
    return {given}
  end
  return given
end

local function params_of(args)
  local params = args.params or {}
  for _, name in ipairs{"epochs", "steps", "verbose", "batch_size", "samples", "metrics"} do
    if args[name] ~= nil then params[name] = args[name] end
  end
  return params
end

function CallbackList:init(args)
  local given = as_list(args.callbacks or args[1] or {})
  if type(given) ~= "table" then
    errors.raise("callbacks: expected a list of Callbacks or tables of hooks, got %s",
      errors.describe(given))
  end
  self.callbacks = {}
  for i, callback in ipairs(given) do
    check(callback, i)
    self.callbacks[i] = callback
  end
  local function find(class)
    for _, callback in ipairs(self.callbacks) do
      if Object.is_instance(callback, class) then return callback end
    end
  end
  self.history, self.progbar = find(History), find(ProgbarLogger)
  if args.add_history and not self.history then self:append(History()) end
  if args.add_progbar and not self.progbar then self:append(ProgbarLogger()) end
  self:set_params(params_of(args))
  if args.model then self:set_model(args.model) end
end

--- Adds a callback at the end.
function CallbackList:append(callback)
  check(callback, #self.callbacks + 1)
  table.insert(self.callbacks, callback)
  if Object.is_instance(callback, History) then self.history = self.history or callback end
  if Object.is_instance(callback, ProgbarLogger) then self.progbar = self.progbar or callback end
  self.__own.order = nil
end

function CallbackList:set_model(model)
  self.model = model
  if self.history then model.history = self.history end
  for _, callback in ipairs(self.callbacks) do
    if callback.set_model then callback:set_model(model) else callback.model = model end
  end
end

function CallbackList:set_params(params)
  self.params = params
  for _, callback in ipairs(self.callbacks) do
    if callback.set_params then callback:set_params(params) else callback.params = params end
  end
end

-- The hooks around batches by phase and moment; one written for any batch is called for training
-- batches.
local batch_hooks = {}
for _, phase in ipairs{"train", "test", "predict"} do
  batch_hooks[phase] = {}
  for _, moment in ipairs{"begin", "end"} do
    local hooks = {("on_%s_batch_%s"):format(phase, moment)}
    if phase == "train" then hooks[2] = "on_batch_" .. moment end
    batch_hooks[phase][moment] = hooks
  end
end

--- Whether any callback has hooks around batches. If none has, the loop over batches needs no Lua.
-- @tparam string phase "train", "test" or "predict"
-- @tparam[opt] string moment "begin" or "end"; either one by default
function CallbackList:has_batch_hooks(phase, moment)
  if not moment then
    return self:has_batch_hooks(phase, "begin") or self:has_batch_hooks(phase, "end")
  end
  for _, callback in ipairs(self.callbacks) do
    if callback ~= self.progbar and callback ~= self.history then
      for _, name in ipairs(batch_hooks[phase][moment]) do
        if callback[name] and callback[name] ~= Callback[name] then return true end
      end
    end
  end
  return false
end

--- Whether it runs user code.
function CallbackList:has_own()
  for _, callback in ipairs(self.callbacks) do
    local class = Object.class_of(callback)
    if not class or not class.__library or class.__name == "LambdaCallback" then return true end
  end
  return false
end

--- Whether all that it runs is the library's record and display of a training, which cannot change
-- the model.
function CallbackList:only_watches()
  for _, callback in ipairs(self.callbacks) do
    if callback ~= self.progbar and callback ~= self.history then return false end
  end
  return true
end

---------------------------------------------------------------- calling

-- Callbacks that save the state of the others (`runs_last`) come last, wherever they are in the
-- list.
local function order(self)
  local found = self.__own.order
  if found then return found end
  local first, last = {}, {}
  for _, callback in ipairs(self.callbacks) do
    table.insert(callback.runs_last and last or first, callback)
  end
  found = table.move(last, 1, #last, #first + 1, first)
  self.__own.order = found
  return found
end

local function name_of(self, callback)
  local class = Object.class_of(callback)
  if class then return class.__name end
  for i, other in ipairs(self.callbacks) do
    if other == callback then return ("%d (a table)"):format(i) end
  end
end

-- The message of an error, with the callback and the hook after the position.
local function explain(self, callback, hook, message)
  if type(message) ~= "string" then return message end
  local position, text = message:match "^([^\n:]+:%d+: )(.*)$"
  return ("%scallback %s, %s: %s"):format(position or "", name_of(self, callback), hook,
    text or message)
end

local function invoke(self, callback, hook, ...)
  local f = callback[hook]
  if not f or f == Callback[hook] then return end
  if replicas.is_asleep(callback, self.model) then return end
  local ok, message = engine.attempt(f, callback, ...)
  if not ok then error(explain(self, callback, hook, message), 0) end
end

--- Calls one hook of every callback that has it.
-- @raise errors of a callback, prefixed with its class and the hook
function CallbackList:call(hook, ...)
  for _, callback in ipairs(order(self)) do invoke(self, callback, hook, ...) end
end

for _, hook in ipairs(Callback.hooks) do
  CallbackList[hook] = function(self, ...) self:call(hook, ...) end
end

--- Calls the hooks around a batch.
-- @tparam string phase "train", "test" or "predict"
-- @tparam string moment "begin" or "end"
function CallbackList:call_batch(phase, moment, batch, logs)
  self[batch_hooks[phase][moment][1]](self, batch, logs)
end

-- A hook written for any batch is called for training batches.
for _, moment in ipairs{"begin", "end"} do
  local of_training, of_any = "on_train_batch_" .. moment, "on_batch_" .. moment
  CallbackList[of_training] = function(self, batch, logs)
    for _, callback in ipairs(order(self)) do
      invoke(self, callback, of_training, batch, logs)
      invoke(self, callback, of_any, batch, logs)
    end
  end
end

--- Tells the callbacks that an error ended the run. Their own errors are ignored: the first error
-- says more.
function CallbackList:abandon()
  for _, callback in ipairs(order(self)) do
    if callback.abandon then engine.attempt(callback.abandon, callback) end
  end
end

---------------------------------------------------------------- runs of fit

--- Before anything of a run of `fit` is called: a callback with `resume` may have it start where an
-- earlier one was ended.
-- @tparam Run run
function CallbackList:resume(run)
  for _, callback in ipairs(self.callbacks) do
    if callback.resume then invoke(self, callback, "resume", run, self) end
  end
end

return CallbackList
