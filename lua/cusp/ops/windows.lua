--- Window functions by name, as numbers. Harris, "On the use of windows for harmonic analysis"
-- (1978).
-- @module cusp.ops.windows
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"

local windows = {}

-- Most windows are sums of cosines: a[1] - a[2] cos t + a[3] cos 2t - ..., t from 0 to 2 pi.
local cosines = {
  hann = {0.5, 0.5},
  hamming = {0.54, 0.46},
  blackman = {0.42, 0.50, 0.08},
  nuttall = {0.3635819, 0.4891775, 0.1365995, 0.0106411},
  blackmanharris = {0.35875, 0.48829, 0.14128, 0.01168},
  flattop = {0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368},
}

local function cosine_sum(weights)
  return function(share)
    local value = 0
    for k, weight in ipairs(weights) do
      value = value + (k % 2 == 1 and weight or -weight) * math.cos(2 * math.pi * (k - 1) * share)
    end
    return value
  end
end

-- name → function of the fraction of the way from first to last point, and of the number of points
local shapes = {
  boxcar = function() return 1.0 end,
  bartlett = function(share) return 1 - math.abs(2 * share - 1) end,
  cosine = function(share, length)
    return math.sin(math.pi * (share * (length - 1) + 0.5) / length)
  end,
}
for name, weights in pairs(cosines) do shapes[name] = cosine_sum(weights) end
local aliases = {hanning = "hann", rectangular = "boxcar", box = "boxcar", ones = "boxcar",
  hamm = "hamming", black = "blackman"}

--- Whether a window of that name exists.
function windows.exists(name) return shapes[aliases[name] or name] ~= nil end

--- The names, sorted.
function windows.names() return lists.keys(shapes) end

--- The values of a window.
-- @tparam string name
-- @tparam integer length
-- @tparam[opt=false] boolean periodic whether to return one period of a repeating window, which
-- omits the last point
-- @treturn {number,...}
function windows.values(name, length, periodic)
  local shape = shapes[aliases[name] or name]
  if not shape then
    errors.raise("there is no window named '%s'%s", tostring(name), errors.suggestion(name, shapes))
  end
  if length == 1 then return {1.0} end
  errors.check_items(name, "the length of the window", length)
  local result, points = {}, periodic and length + 1 or length
  for i = 1, length do result[i] = shape((i - 1) / (points - 1), points) + 0.0 end
  return result
end

return windows
