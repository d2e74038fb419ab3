--- Defines a loss from a function of `(y_true, y_pred, ...)`: its class, and the plain function.
-- @module cusp.losses.define
local Loss = require "cusp.losses.loss"
local arguments = require "cusp.base.arguments"
local errors = require "cusp.base.errors"
local operations = require "cusp.ops.define"
local ops = require "cusp.ops"
local reduction = require "cusp.losses.reduction"
local registry = require "cusp.base.registry"

local is_symbolic, tensor = operations.is_symbolic, operations.tensor

local common = {
  reduction = {"reduction", "choice", choices = reduction.names, default = "sum_over_batch_size"},
  dtype = {"dtype", "dtype", optional = true, transient = true},
}

local function to_tensor(value)
  return is_symbolic(value) and value or tensor(value)
end

-- The parameters in Keras's positional order: the loss's own first, then reduction, name and dtype,
-- unless the definition has its own order.
local function full_config(definition)
  local by_name = {name = {"name", "string", default = definition.name},
    reduction = common.reduction, dtype = common.dtype}
  local config = {}
  for i, parameter in ipairs(definition.parameters or {}) do
    by_name[parameter[1]], config[i] = parameter, parameter
  end
  if definition.order then
    config = {}
    for i, name in ipairs(definition.order) do config[i] = by_name[name] end
    return config
  end
  for _, name in ipairs{"reduction", "name", "dtype"} do config[#config + 1] = by_name[name] end
  return config
end

local function check_fit(name, y_true, y_pred)
  local a, b = y_true.shape, y_pred.shape
  if #a ~= #b then return end
  for i, m in ipairs(a) do
    local n = b[i]
    if m ~= n and m ~= 1 and n ~= 1 and math.type(m) and math.type(n) then
      errors.raise(
        "%s: targets of shape %s do not fit predictions of shape %s; expected equal shapes", name,
        errors.shape(a),
        errors.shape(b))
    end
  end
end

--- Makes the class of a loss; `class.fn` is the public function.
-- @tparam table definition
--   `class`, `name`: the names in Keras, of class and function;
--   `instance_name`: the default name of an instance where it is another;
--   `parameters`: the arguments after y_true and y_pred, as of both class and function;
--   `function_parameters`, `call_function`: those of the function where it takes others;
--   `order`: names of the class's arguments in order, unless reduction, name, dtype come last;
--   `sparse`: the targets are class ids;
--   `same_rank`: whether to drop or add a last axis of size 1 so that both have one rank (true
--   by default; for class ids only in the class);
--   `call`: function of y_true, y_pred and the parameters; both are tensors
-- @treturn table the class
local function define(definition)
  local parameters = definition.parameters or {}
  local f = definition.call
  local function align(y_true, y_pred, same_rank)
    y_true, y_pred = to_tensor(y_true), to_tensor(y_pred)
    if not definition.sparse and y_true.dtype ~= y_pred.dtype then
      y_true = ops.cast(y_true, y_pred.dtype)
    end
    if not same_rank then return y_true, y_pred end
    y_true, y_pred = reduction.same_rank(y_true, y_pred)
    if not definition.sparse then check_fit(definition.name, y_true, y_pred) end
    return y_true, y_pred
  end

  local class = Loss:extend(definition.class, {
    config = full_config(setmetatable({name = definition.instance_name or definition.name},
      {__index = definition})),
    sparse = definition.sparse or false,
    call = function(self, y_true, y_pred)
      local values = {}
      for i, parameter in ipairs(parameters) do values[i] = self[parameter[1]] end
      y_true, y_pred = align(y_true, y_pred, definition.same_rank ~= false)
      return f(y_true, y_pred, table.unpack(values, 1, #parameters))
    end,
  })

  local own = definition.function_parameters or parameters
  local signature = {{"y_true", "tensor"}, {"y_pred", "tensor"}, table.unpack(own)}
  class.function_name = definition.name
  local bind = arguments.binder_of(definition.name, arguments.signature(signature))
  class.fn = function(...)
    local bound = table.pack(bind(...))
    local y_true, y_pred = align(bound[1], bound[2],
      definition.same_rank ~= false and not definition.sparse)
    return (definition.call_function or f)(y_true, y_pred, table.unpack(bound, 3, 2 + #own))
  end
  registry.name_function(class.fn, definition.name)
  Loss.class_of_function[class.fn] = class
  return class
end

return define
