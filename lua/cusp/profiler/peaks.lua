--- What this machine can do at most: floating point operations and bytes of memory a second.
-- Measured when first asked for, and kept for the number of threads.
-- @module cusp.profiler.peaks
local engine = require "cusp.engine"

local peaks = {}
local rows = engine.ops
local known = {} -- "float32/2" → per second

local SIZE, TRIALS = 1024, 6
local BYTES = 64 << 20

-- The best of some trials, after one that loads libraries.
local function fastest(f)
  f()
  local best = math.huge
  for _ = 1, TRIALS do
    local start = engine.monotonic()
    f()
    best = math.min(best, engine.monotonic() - start)
  end
  return best
end

-- Numbers that lie in memory one by one: those of `ones` are one number, repeated.
local function numbers(count, dtype)
  local values = rows.cast(rows.sin(rows.arange(count, {dtype = "float32"})), dtype)
  engine.evaluate{values}
  return values
end

local function once(key, measure)
  key = ("%s/%d"):format(key, engine.get_num_threads())
  known[key] = known[key] or measure()
  return known[key]
end

--- Operations a second of products of large matrices.
-- @tparam[opt="float32"] string dtype
-- @treturn number
function peaks.operations(dtype)
  return once(dtype or "float32", function()
    local x = rows.reshape(numbers(SIZE * SIZE, dtype or "float32"), {SIZE, SIZE})
    engine.evaluate{x}
    return 2 * SIZE ^ 3 / fastest(function() engine.evaluate{rows.matmul(x, x)} end)
  end)
end

--- Bytes a second of the sum of a tensor that fits no cache.
-- @treturn number
function peaks.bandwidth()
  return once("bytes", function()
    local x = numbers(BYTES // 4, "float32")
    return BYTES / fastest(function() engine.evaluate{rows.sum(x)} end)
  end)
end

return peaks
