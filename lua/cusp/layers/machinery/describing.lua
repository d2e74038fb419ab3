--- Short texts of a layer's arguments, for `tostring`.
-- @module cusp.layers.machinery.describing

local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local plain = require "cusp.base.plain"
local shapes = require "cusp.base.shape"

local describing = {}

local function same(a, b)
  if a == b then return true end
  if kinds.is_plain(a) and type(b) ~= "table" then -- {1, 1} for a default of 1
    for i = 1, #a do
      if a[i] ~= b then return false end
    end
    return #a > 0
  end
  return false
end

local function text(value)
  if kinds.is_plain(value) and value.class_name then return value.class_name end
  if kinds.is_plain(value) then
    local parts = {}
    for i = 1, #value do parts[i] = text(value[i]) end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  return plain.tostring(value)
end

local resolved = {initializer = true, regularizer = true, constraint = true}

--- The text of an argument's value; nil where it is the default, or of a kind that would only make
-- the text long.
function describing.argument(parameter, value)
  if value == nil or value == shapes.None or resolved[parameter[2]] then return nil end
  if same(value, parameter.default) then return nil end
  if parameter[2] == "data_format" and value == require("cusp.base.config").image_data_format() then
    return nil
  end
  local config = kinds.to_config(parameter, value)
  if config == null or same(config, parameter.default) then return nil end
  if parameter[2] == "activation" and config == "linear" then return nil end
  -- configurations count axes from 0
  if parameter[2] == "axis" or parameter[2] == "axes" then config = value end
  return text(config)
end

return describing
