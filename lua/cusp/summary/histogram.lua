--- Histogram buckets like those of TensorBoard's own summaries: equal widths from the least to the
-- greatest value.
-- @module cusp.summary.histogram
local engine = require "cusp.engine"

local histogram = {}
local rows = engine.ops

--- The default number of buckets.
histogram.default_buckets = 30

-- The counts of each bucket, and the ends, as tensors that are not computed yet. Counting in
-- integers is exact.
local function pending(data, buckets)
  local flat = rows.reshape(data, {-1})
  if flat.dtype ~= "float64" then flat = rows.cast(flat, "float64") end
  local least, greatest = rows.min(flat), rows.max(flat)
  local width = rows.divide(rows.subtract(greatest, least), buckets)
  local bucket = rows.cast(rows.floor(rows.divide(rows.subtract(flat, least), width)), "int32")
  local counts = rows.bincount(rows.clip(bucket, 0, buckets - 1), {minlength = buckets})
  return {least = least, greatest = greatest, counts = counts, size = flat.shape[1], data = data}
end

local function pack_rows(buckets, edge, counts)
  local parts = {}
  for i = 1, buckets do parts[i] = ("<ddd"):pack(edge(i - 1), edge(i), counts[i]) end
  return table.concat(parts)
end

local function is_finite(x) return x == x and math.abs(x) < math.huge end

-- The finite values of data that contains NaN or infinity.
local function finite_part(data)
  local kept = {}
  for _, x in ipairs(data:flat()) do
    if is_finite(x) then kept[#kept + 1] = x end
  end
  return engine.tensor(kept, {dtype = "float64", shape = {#kept}})
end

local function zeros(buckets)
  return pack_rows(buckets, function()
    return 0.0
  end, setmetatable({}, {__index = function() return 0 end}))
end

-- If all values are equal, every bucket starts and ends there, and the last one has all counts.
local function single_valued(buckets, value, size)
  local counts = setmetatable({[buckets] = size}, {__index = function() return 0 end})
  return pack_rows(buckets, function() return value end, counts)
end

local function finish(entry, buckets)
  local least, greatest = entry.least:item(), entry.greatest:item()
  if not (is_finite(least) and is_finite(greatest)) then
    return histogram.buckets(finite_part(entry.data), buckets)
  end
  if least == greatest then return single_valued(buckets, greatest, entry.size) end
  local step = (greatest - least) / buckets
  local function edge(i) return i == buckets and greatest or least + i * step end
  return pack_rows(buckets, edge, entry.counts:flat())
end

--- The histograms of several tensors, computed together.
-- @tparam {tensor,...} tensors of any shapes and numeric dtypes; NaN and infinities are left out
-- @tparam[opt=30] integer buckets
-- @treturn {string,...} for each, the bytes of a float64 `[buckets, 3]`: left end, right end
-- (inclusive in the last bucket), count. Data with a single value has it as every end, with all
-- counts in the last bucket; without data, all are zeros
function histogram.of_all(tensors, buckets)
  buckets = buckets or histogram.default_buckets
  local entries, wanted, results = {}, {}, {}
  for i, tensor in ipairs(tensors) do
    local size = 1
    for _, n in ipairs(tensor.shape) do size = size * n end
    entries[i] = size > 0 and buckets > 0 and pending(tensor, buckets) or false
    if entries[i] then
      for _, name in ipairs{"least", "greatest", "counts"} do
        wanted[#wanted + 1] = entries[i][name]
      end
    end
  end
  if #wanted > 0 then engine.evaluate(wanted) end
  for i, entry in ipairs(entries) do
    results[i] = entry and finish(entry, buckets) or zeros(buckets)
  end
  return results
end

--- The histogram of one tensor; see `of_all`.
-- @treturn string
function histogram.buckets(tensor, buckets)
  return histogram.of_all({tensor}, buckets)[1]
end

return histogram
