--- Numbers of filters.
-- @module cusp.applications.widths
local widths = {}

--- The multiple of 8 that is nearest to a number of filters.
-- @tparam number filters
-- @treturn integer
function widths.nearest(filters) return math.max(8, math.tointeger((filters + 4) // 8) * 8) end

--- The same, but at most 10% below the number.
-- @tparam number filters
-- @treturn integer
function widths.divisible(filters)
  local rounded = widths.nearest(filters)
  return rounded < 0.9 * filters and rounded + 8 or rounded
end

return widths
