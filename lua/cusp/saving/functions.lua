--- Keras's functions that take a model and call its method of the same name.
-- @module cusp.saving.functions

local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"

local functions = {}

local function check_model(name, model)
  if type(model) == "table" and model.__is_model then return model end
  errors.raise("%s: expected a model, got %s", name, errors.describe(model))
end

--- Makes a function whose first argument is the model; as elsewhere, a single table may hold all
-- arguments.
local function of_method(name, method)
  return function(model, ...)
    local call = require("cusp.saving.methods")[method]
    if not kinds.is_plain(model) or select("#", ...) > 0 then
      return call(check_model(name, model), ...)
    end
    local given = {}
    for key, value in pairs(model) do given[key] = value end
    local found = given.model
    if found ~= nil then given.model = nil else found = table.remove(given, 1) end
    return call(check_model(name, found), given)
  end
end

--- Saves a whole model.
-- @function save_model
-- @tparam Model model
-- @param ... as for `Model:save`
functions.save_model = of_method("save_model", "save")

--- Saves a model's weights.
-- @function save_weights
-- @tparam Model model
-- @param ... as for `Model:save_weights`
functions.save_weights = of_method("save_weights", "save_weights")

--- Loads weights into a model.
-- @function load_weights
-- @tparam Model model
-- @param ... as for `Model:load_weights`
functions.load_weights = of_method("load_weights", "load_weights")

return functions
