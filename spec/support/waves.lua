-- Values that Python makes of the same formulas: sines as weights, cosines as inputs.
local cusp = require "cusp"

local waves = {}

--- Sets the i-th variable to the sine of 0, 1, 2, ... + i - 1 + start.
function waves.fill(variables, start)
  for i, variable in ipairs(variables) do
    local count = cusp.ops.size(variable)
    if type(count) == "userdata" then count = count:item() end
    local values = cusp.ops.sin(cusp.arange(count) + (i - 1.0 + (start or 0)))
    variable:assign(cusp.ops.reshape(cusp.ops.cast(values, variable.dtype), variable.shape))
  end
end

--- The cosines of 0, 1, ... in a shape.
function waves.cosines(shape)
  local count = 1
  for _, size in ipairs(shape) do count = count * size end
  return cusp.ops.reshape(cusp.ops.cos(cusp.arange(count) * 1.0), shape)
end

--- Raises where a tensor's values are not those of a list.
function waves.compare(want, got, tolerance)
  local flat = got:flat()
  assert(#flat == #want, ("%d values, expected %d"):format(#flat, #want))
  for i, value in ipairs(want) do
    assert(math.abs(flat[i] - value) <= (tolerance or 2e-5) * math.max(1, math.abs(value)),
      ("value %d is %s, expected %s"):format(i, flat[i], value))
  end
end

return waves
