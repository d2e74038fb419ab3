--- Methods that a program's class defines with a dot, as in `function L.call(x)`: `self` is
-- missing, so all arguments are shifted by one. The parameter names reveal this.
-- @module cusp.base.methods
local errors = require "cusp.base.errors"

local methods = {}

-- Methods that the library calls, and the name of their first parameter if `self` was forgotten.
local forgotten = {
  call = "x inputs input query tensor y_true", build = "input_shape shape shapes input_shapes",
  compute_mask = "inputs x mask", compute_output_shape = "input_shape shape shapes input_shapes",
  init = "args", update_state = "y_true y_pred values value", train_step = "data batch x",
  test_step = "data batch x", predict_step = "data batch x", compute_loss = "x y",
  update_step = "gradient gradients variable", on_epoch_begin = "epoch logs",
  on_epoch_end = "epoch logs", on_batch_begin = "batch logs", on_batch_end = "batch logs",
}
for _, part in ipairs{"train", "test", "predict"} do
  forgotten[("on_%s_batch_begin"):format(part)] = "batch logs"
  forgotten[("on_%s_batch_end"):format(part)] = "batch logs"
  forgotten[("on_%s_begin"):format(part)] = "logs"
  forgotten[("on_%s_end"):format(part)] = "logs"
end

-- The least number of parameters, with `self`, that a correct method can have.
local least = {call = 2, update_state = 2, train_step = 2, test_step = 2, predict_step = 2}

local words = {}
for name, text in pairs(forgotten) do
  words[name] = {}
  for word in text:gmatch "[%w_]+" do words[name][word] = true end
end

local function check(class, name, method)
  local info = debug.getinfo(method, "u")
  local first = info.nparams > 0 and debug.getlocal(method, 1)
  local other = first and first ~= "self" and first ~= "_"
  local few = other and not info.isvararg and info.nparams < (least[name] or 0)
  if few or first and words[name][first] then
    errors.raise(
      "%s: the method %s should be defined with a colon, function %s:%s(...), or have self"
      .. " as its first parameter; got (%s)", class.__name, name, class.__name, name, first or "")
  end
end

--- Checks that a method of a program's class returned exactly one value.
-- @tparam string what was called, for the message
-- @param value
-- @param second raises if it is not nil
-- @return value
function methods.single(what, value, second)
  if second ~= nil then
    errors.raise("%s returned two values; return several in one table: return {a, b}", what)
  end
  return value
end

--- Raises for what is neither a tensor nor a number: what a program's function returned.
-- @tparam string what "loss 'f'"
-- @param value
-- @return the value
function methods.returned(what, value)
  local kind = type(value)
  if kind ~= "userdata" and kind ~= "number" and kind ~= "table" then
    errors.raise("%s returned %s; expected a tensor", what,
      value == nil and "nothing" or errors.describe(value))
  end
  return value
end

local checked = setmetatable({}, {__mode = "k"})

--- Raises for a method of a program's class that lacks `self`. Checks each function once.
-- @tparam table class
function methods.check(class)
  while class and not class.__library do
    for name in pairs(forgotten) do
      local method = rawget(class, name)
      if type(method) == "function" and not checked[method] then
        if not errors.is_library(debug.getinfo(method, "S").source) then
          check(class, name, method)
        end
        checked[method] = true
      end
    end
    class = rawget(class, "__super")
  end
end

return methods
