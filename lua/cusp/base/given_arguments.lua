--- The constructor arguments of objects whose class, defined by the program, has neither a `config`
-- nor a `get_config`. They become the object's configuration.
-- @module cusp.base.given_arguments
local arguments = require "cusp.base.arguments"
local errors = require "cusp.base.errors"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local structure = require "cusp.base.structure"

local given_arguments = {}

-- Every layer takes these; they are written elsewhere, or follow from the first layer of a stack.
local common = {}
for name in (
  "name trainable dtype autocast activity_regularizer input_shape input_dim batch_input_shape "
  .. "batch_size"):gmatch "%S+" do
  common[name] = true
end

--- Records the constructor arguments of a program's class, except those that the class declares.
-- @tparam Layer object
-- @tparam table args the proxy that `init` received
function given_arguments.record(object, args)
  local class = getmetatable(object)
  if class.__library then return end
  local declaration = arguments.declaration(class)
  local positional, keywords = arguments.raw(args)
  local given = {}
  if #declaration.positional == 0 then
    for i = 1, positional.n or 0 do given[i] = positional[i] end
  end
  for key, value in pairs(keywords) do
    if not declaration.named[key] and not common[key] then given[key] = value end
  end
  if next(given) ~= nil then object.__own.arguments = given end
end

local function is_plain_value(value)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" or value == null then return true end
  if not structure.is_container(value) then return false end
  for _, item in pairs(value) do
    if not is_plain_value(item) then return false end
  end
  return true
end

--- Records the plain keyword arguments of a loss, metric, optimizer or similar object;
-- `registry.serialize` adds them to its configuration. Other arguments are skipped, so that nothing
-- large is kept.
-- @tparam table object
-- @tparam table args the proxy that `init` received
function given_arguments.record_plain(object, args)
  given_arguments.record(object, args)
  local given = object.__own.arguments
  for key, value in pairs(given or {}) do
    if type(key) ~= "string" or not is_plain_value(value) then given[key] = nil end
  end
  if given and next(given) == nil then object.__own.arguments = nil end
end

local function has_own_get_config(class)
  return not errors.is_library(debug.getinfo(class.get_config, "S").source)
end

local example = [[
%s '%s' cannot be written down: it was made with the argument %s (%s), and a configuration holds
only numbers, strings, booleans and tables of them. Override get_config in the class, for example:
    function %s:get_config()
      local config = %s.get_config(self)
      config.%s = ... -- what init needs, as a plain value or serialised
      return config
    end
and from_config(class, config) where init takes something else than what the configuration holds]]

local function refuse(object, key, value)
  local class = getmetatable(object)
  local kind = object.__is_model and "model" or "layer"
  local name = type(key) == "string" and key or "argument_" .. key
  errors.raise(example, kind .. " " .. class.__name, object.name,
    type(key) == "string" and "'" .. key .. "'" or "number " .. key,
    errors.describe(value), class.__name, kind == "model" and "cusp.Model" or "cusp.layers.Layer",
    name)
end

--- Adds the recorded arguments to a configuration; positional ones become the list `args`.
-- @tparam Layer object
-- @tparam table config
-- @raise for a value that cannot be serialised, explaining what to write in the class
function given_arguments.add_to(object, config)
  local given = object.__own.arguments
  if not given or has_own_get_config(getmetatable(object)) then return end
  local positional = {}
  for _, key in ipairs(structure.keys(given)) do
    local value = given[key]
    if not is_plain_value(value) then refuse(object, key, value) end
    if type(key) == "number" then positional[key] = value
    elseif config[key] == nil then ordered.set(config, key, value) end
  end
  if #positional > 0 then ordered.set(config, "args", positional) end
end

--- Converts a configuration with `args` to the table for calling the class; nil for any other
-- configuration.
-- @tparam table class
-- @tparam table config
-- @treturn ?table
function given_arguments.of_config(class, config)
  local positional = config.args
  if class.__library or not structure.is_container(positional)
    or arguments.declaration(class).named.args then
    return nil
  end
  if has_own_get_config(class) then return nil end
  local given = table.move(positional, 1, #positional, 1, {})
  for key, value in pairs(config) do
    if key ~= "args" then given[key] = value end
  end
  return given
end

return given_arguments
