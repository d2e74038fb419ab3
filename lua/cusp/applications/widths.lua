--- Numbers of filters.
-- @module cusp.applications.widths
local widths = {}

--- The multiple of a divisor that is nearest to a number of filters, at most 10% below it.
-- @tparam number filters
-- @tparam[opt=8] integer divisor
-- @tparam[opt=divisor] integer least
-- @treturn integer
function widths.divisible(filters, divisor, least)
  divisor = divisor or 8
  local rounded = math.max(least or divisor,
    math.tointeger((filters + divisor / 2) // 1) // divisor * divisor)
  return rounded < 0.9 * filters and rounded + divisor or rounded
end

return widths
