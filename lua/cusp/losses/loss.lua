--- The base of losses. A loss is called with `(y_true, y_pred)` and returns one number to minimise.
-- Your own class defines `call(self, y_true, y_pred)`, which returns the loss of each sample,
-- `[batch]` or `[batch, ...]`. The base weights, masks and reduces it.
-- @classmod cusp.losses.Loss
-- @tparam[opt] string name
-- @tparam[opt="sum_over_batch_size"] string reduction `"sum_over_batch_size"` (the mean), `"sum"`,
-- `"mean"`,
--   `"mean_with_sample_weight"`, `"none"`
-- @tparam[opt] string dtype
-- @usage local Quartic = losses.Loss:extend("Quartic", {
--     call = function(self, y_true, y_pred) return ((y_true - y_pred) ^ 4):mean(-1) end,
--   })
--   model:compile{optimizer = "sgd", loss = Quartic()}
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local masks = require "cusp.base.masks"
local methods = require "cusp.base.methods"
local names = require "cusp.base.names"
local ops = require "cusp.ops"
local reduction = require "cusp.losses.reduction"

local Loss = Object:extend("Loss", {
  __module = "keras.losses", begins_with_text = true,
  config = {
    {"name", "string", optional = true},
    {"reduction", "choice", choices = reduction.names, default = "sum_over_batch_size"},
    {"dtype", "dtype", optional = true, transient = true}, -- not part of the configuration in Keras
  },
})

function Loss:init(args)
  args = arguments.wrap(Loss, args)
  for _, parameter in ipairs(Loss.config) do
    local value = arguments.read(args, parameter, self.__name)
    -- A derived class may already have read the argument, with its own default.
    if rawget(self, parameter[1]) == nil then self[parameter[1]] = value end
  end
  self.name = self.name or names.unique(names.snake_case(self.__name))
  self.dtype = self.dtype or engine.get_floatx()
end

local signature = {
  {"y_true", "tensor"}, {"y_pred", "tensor"}, {"sample_weight", "tensor", optional = true},
}

--- The classes of the library's functions, `losses.mse` and so on: function → class.
Loss.class_of_function = {}

--- Class ids must stay integers for these classes.
Loss.sparse = false

local function to_tensor(value, dtype)
  if type(value) ~= "userdata" and not (type(value) == "table" and getmetatable(value)) then
    value = engine.tensor(value)
  end
  return dtype and ops.cast(value, dtype) or value
end

--- Computes the loss of a batch.
-- @param y_true targets
-- @param y_pred predictions
-- @param[opt] sample_weight one weight per sample
-- @treturn tensor
function Loss:__call(...)
  local y_true, y_pred, weight = arguments.bind(self.__name, signature, nil, ...)
  local mask = masks.get(y_pred)
  y_pred = to_tensor(y_pred, self.dtype)
  y_true = to_tensor(y_true, not self.sparse and self.dtype or nil)
  if weight ~= nil then weight = to_tensor(weight, self.dtype) end
  local values = methods.single(self.__name .. ": call", self:call(y_true, y_pred))
  values = to_tensor(methods.returned(self.name .. ": the loss function", values))
  local own = masks.get(values)
  if mask ~= nil and own ~= nil then
    mask = ops.logical_and(mask, own)
  elseif own ~= nil then
    mask = own
  end
  return reduction.reduce_weighted(self.__name, values, weight, mask, self.reduction)
end

function Loss:call()
  errors.raise("%s: a loss needs call(self, y_true, y_pred)", self.__name)
end

return Loss
