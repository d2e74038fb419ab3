--- Several callbacks called as one, in order; the history and the progress line come after the user's.
-- @classmod cusp.callbacks.CallbackList
local Object = require "cusp.class"
local Callback = require "cusp.callbacks.callback"
local errors = require "cusp.errors"
local History = require "cusp.callbacks.history"
local ProgbarLogger = require "cusp.callbacks.progbar_logger"

local known = {}
for _, hook in ipairs(Callback.hooks) do known[hook] = true end

local function check(callback, position)
  if type(callback) ~= "table" then
    errors.raise("callbacks: item %d should be a Callback or a table of hooks such as on_epoch_end, got %s", position,
      errors.describe(callback))
  end
  if rawget(callback, "__name") and rawget(callback, "__super") then
    errors.raise("callbacks: item %d is the class %s itself, expected an instance: %s()", position, callback.__name, callback.__name)
  end
  if getmetatable(callback) then return end
  for key, value in pairs(callback) do
    if type(key) == "string" and key:match "^on_" and type(value) == "function" and not known[key] then
      errors.raise("callbacks: item %d has '%s', which is no hook%s", position, key, errors.suggestion(key, known))
    end
  end
end

local CallbackList = Object:extend("CallbackList")

--- @tparam table args `callbacks`: a list (or one callback); `add_history`, `add_progbar`; `model`; `params`
function CallbackList:init(args)
  local given = args.callbacks or args[1] or {}
  if getmetatable(given) or next(given) ~= nil and #given == 0 then given = { given } end
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
  if args.add_history and not self.history then
    self.history = History()
    table.insert(self.callbacks, self.history)
  end
  if args.add_progbar and not self.progbar then
    self.progbar = ProgbarLogger()
    table.insert(self.callbacks, self.progbar)
  end
  self:set_params(args.params or {})
  if args.model then self:set_model(args.model) end
end

function CallbackList:set_model(model)
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

--- Whether some callback wants to be called around each batch of `phase` ("train", "test" or "predict").
-- Where none does, the loop over batches needs no Lua.
function CallbackList:has_batch_hooks(phase)
  local names = { "on_" .. phase .. "_batch_begin", "on_" .. phase .. "_batch_end" }
  if phase == "train" then
    names[3], names[4] = "on_batch_begin", "on_batch_end"
  end
  for _, callback in ipairs(self.callbacks) do
    if callback ~= self.progbar and callback ~= self.history then
      for _, name in ipairs(names) do
        if callback[name] and callback[name] ~= Callback[name] then return true end
      end
    end
  end
  return false
end

--- Calls one hook of every callback that has it.
function CallbackList:call(hook, ...)
  for _, callback in ipairs(self.callbacks) do
    local f = callback[hook]
    if f then f(callback, ...) end
  end
end

for _, hook in ipairs(Callback.hooks) do
  CallbackList[hook] = function(self, ...) self:call(hook, ...) end
end

--- Calls the hooks around a batch.
-- @tparam string phase "train", "test" or "predict"
-- @tparam string moment "begin" or "end"
function CallbackList:call_batch(phase, moment, batch, logs)
  self[("on_%s_batch_%s"):format(phase, moment)](self, batch, logs)
end

-- A callback written for any batch is called for those of training.
function CallbackList:on_train_batch_begin(batch, logs)
  self:call("on_train_batch_begin", batch, logs)
  self:call("on_batch_begin", batch, logs)
end

function CallbackList:on_train_batch_end(batch, logs)
  self:call("on_train_batch_end", batch, logs)
  self:call("on_batch_end", batch, logs)
end

return CallbackList
