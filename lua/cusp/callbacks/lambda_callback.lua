--- A callback made from functions named after hooks. Each receives the arguments of its hook,
-- without the callback itself.
-- @classmod cusp.callbacks.LambdaCallback
-- @usage callbacks.LambdaCallback{on_epoch_end = function(epoch, logs) print(epoch, logs.loss) end}
local Callback = require "cusp.callbacks.callback"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"

local LambdaCallback = Callback:extend("LambdaCallback")

local positional = {"on_epoch_begin", "on_epoch_end", "on_train_begin", "on_train_end",
  "on_train_batch_begin", "on_train_batch_end"}

function LambdaCallback:init(args)
  local given = {}
  for _, hook in ipairs(Callback.hooks) do given[hook] = args[hook] end
  for i, hook in ipairs(positional) do
    if given[hook] == nil then given[hook] = args[i] end
  end
  for hook, f in pairs(given) do
    if not kinds.is_callable(f) then
      errors.raise("LambdaCallback: %s should be a function, got %s", hook, errors.describe(f))
    end
    self[hook] = function(_, ...) return f(...) end
  end
end

return LambdaCallback
