--- The argument kinds of image layers, and rows of declared configurations that use them.
-- @module cusp.layers.image.image_arguments
local kinds = require "cusp.base.kinds"

local image_arguments = {}

local function two_numbers(value)
  return kinds.is_plain(value) and #value == 2 and type(value[1]) == "number"
    and type(value[2]) == "number"
end

-- The two numbers unchanged, integers or not, the smaller one first.
local function in_order(pair)
  if pair[1] > pair[2] then return {pair[2], pair[1]} end
  return {pair[1], pair[2]}
end

--- The range that a factor means. Two numbers are the range itself; a number f means [-f, f] within
-- the parameter's bounds (`symmetric`: all of it, `upward`: [0, f]).
-- @tparam table parameter
-- @param value
-- @treturn table {low, high}
local function range_of(parameter, value)
  if type(value) == "table" then return in_order(value) end
  value = math.abs(value)
  if parameter.upward then return {0, value} end
  return {parameter.symmetric and 0 - value or math.max(0 - value, parameter.bounds[1]), value}
end

-- `bounds`: of a number; a list must overlap them. `strict`: a list must be within them. `open`:
-- excludes the lower bound. `kept`: stored as given, not as a range.
kinds.define("factor_range", {
  resolves_default = true,
  check = function(value, parameter)
    local low, high = parameter.bounds[1], parameter.bounds[2]
    local ok
    if type(value) == "number" then
      ok = value >= low and value <= high and not (parameter.open and value == low)
    else
      ok = two_numbers(value)
      local range = ok and range_of(parameter, value)
      if ok and parameter.strict then ok = range[1] >= low and range[2] <= high
        and not (parameter.open and range[1] == low)
      elseif ok then ok = range[1] <= high and range[2] >= low end
    end
    if not ok then return false end
    return true, not parameter.kept and range_of(parameter, value) or nil
  end,
  expects = function(parameter)
    return ("a number (or a list of two) between %s and %s"):format(parameter.bounds[1],
      parameter.bounds[2])
  end,
})

kinds.define("value_range", {
  resolves_default = true,
  check = function(value)
    if not two_numbers(value) or value[1] == value[2] then return false end
    return true, in_order(value)
  end,
  expects = "a list of two numbers, the least and the greatest value of a pixel",
})

--- A factor; further fields of the row in `options`.
function image_arguments.factor(name, bounds, options)
  local row = {name, "factor_range", bounds = bounds}
  for key, value in pairs(options or {}) do row[key] = value end
  return row
end

image_arguments.range_of = range_of

function image_arguments.value_range() return {"value_range", "value_range", default = {0, 255}} end
function image_arguments.interpolation()
  return {"interpolation", "choice", choices = {"nearest", "bilinear"}, default = "bilinear"}
end
function image_arguments.fill_mode(more)
  return {"fill_mode", "choice", choices = {"reflect", "wrap", "constant", "nearest", more},
    default = "reflect"}
end
function image_arguments.fill_value() return {"fill_value", "number", default = 0.0} end

return image_arguments
