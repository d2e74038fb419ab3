--- Callbacks: what is called while a model trains, is tested, or predicts.
-- @module cusp.callbacks
local files = {
  Callback = "callback", CallbackList = "callback_list", History = "history", ProgbarLogger = "progbar_logger",
  LambdaCallback = "lambda_callback", TensorBoard = "tensorboard",
}

local callbacks = setmetatable({}, {
  __index = function(self, name)
    local file = files[name]
    if not file then return nil end
    local class = require("cusp.callbacks." .. file)
    rawset(self, name, class)
    return class
  end,
})

--- The names that this table has.
function callbacks.names()
  local names = {}
  for name in pairs(files) do names[#names + 1] = name end
  table.sort(names)
  return names
end

return callbacks
