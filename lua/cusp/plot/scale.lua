--- Axes: the positions and labels of marks for a range of numbers.
-- @module cusp.plot.scale
local plain = require "cusp.base.plain"
local scale = {}

-- The nearest of 1, 2, 2.5, 5 and 10 times a power of ten that is not below `step`; whole numbers
-- have no 2.5.
local function nice_step(step, whole)
  local power = 10 ^ math.floor(math.log(step, 10) + 1e-9)
  for _, factor in ipairs(whole and {1, 2, 5, 10} or {1, 2, 2.5, 5, 10}) do
    if factor * power >= step * (1 - 1e-9) then return factor * power end
  end
  return 10 * power
end

local function decimals_for(step)
  local decimals = 0
  while decimals < 12 and math.abs(step * 10 ^ decimals - math.floor(step * 10 ^ decimals + 0.5))
    > 1e-6 do
    decimals = decimals + 1
  end
  return decimals
end

-- "1.5e6", "2e-5"
local function short_power(x)
  return x == 0 and "0" or (plain.format("%.3g", x):gsub("e([+-])0*", "e%1"):gsub("e%+", "e"))
end

local function formatter(step, largest)
  if largest >= 1e5 or step < 1e-4 then return short_power end
  local format = ("%%.%df"):format(decimals_for(step))
  return function(x) return (plain.format(format, x):gsub("^%-(0[.0]*)$", "%1")) end
end

--- A linear axis.
-- @tparam number least
-- @tparam number greatest
-- @tparam integer count about how many marks
-- @tparam[opt] table options `whole`: marks at whole numbers; `tight`: the axis ends at the range
-- instead of at marks
-- @treturn table `first`, `last` (ends of the axis), `ticks` (list of `{value, text}`), `place(x)`
-- → 0 to 1
function scale.linear(least, greatest, count, options)
  options = options or {}
  if least == greatest then
    local room = options.whole and 1 or math.max(math.abs(least) * 0.1, 0.05)
    least, greatest = least - room, greatest + room
  end
  local step = nice_step((greatest - least) / count, options.whole)
  if options.whole then step = math.max(step, 1) end
  local first, last = math.floor(least / step + 1e-9), math.ceil(greatest / step - 1e-9)
  local axis = {first = options.tight and least or first * step,
    last = options.tight and greatest or last * step, ticks = {}}
  local write = formatter(step, math.max(math.abs(least), math.abs(greatest)))
  for i = first, last do
    local value = i * step
    if value >= axis.first - 1e-9 * step and value <= axis.last + 1e-9 * step then
      axis.ticks[#axis.ticks + 1] = {value = value, text = write(value)}
    end
  end
  function axis.place(x) return (x - axis.first) / (axis.last - axis.first) end
  return axis
end

-- The marks of a logarithmic axis: powers of ten, with 2 and 5 times them if there are few. For
-- less than one power of ten, those of a linear axis.
local function logarithmic_ticks(least, greatest, decades)
  if decades < 1 then return scale.linear(least, greatest, 5, {tight = true}).ticks end
  local ticks, skip = {}, math.max(1, math.ceil(decades / 6))
  for exponent = math.floor(math.log(least, 10)), math.ceil(math.log(greatest, 10)) do
    for _, digit in ipairs(decades < 3 and {1, 2, 5} or exponent % skip == 0 and {1} or {}) do
      local value = digit * 10.0 ^ exponent
      local text = value >= 1e-3 and value < 1e5 and plain.format("%g", value)
        or plain.format("%ge%d", digit, exponent)
      if value >= least * (1 - 1e-9) and value <= greatest * (1 + 1e-9) then
        ticks[#ticks + 1] = {value = value, text = text}
      end
    end
  end
  return ticks
end

--- A logarithmic axis, for positive numbers. Has the fields of `linear`.
function scale.logarithmic(least, greatest)
  local first, last = math.log(least, 10), math.log(greatest, 10)
  local room = math.max(last - first, 0.1) * 0.05
  first, last = first - room, last + room
  local axis = {first = 10 ^ first, last = 10 ^ last}
  axis.ticks = logarithmic_ticks(axis.first, axis.last, last - first)
  function axis.place(x) return (math.log(x, 10) - first) / (last - first) end
  return axis
end

return scale
