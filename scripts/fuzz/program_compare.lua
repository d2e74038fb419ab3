--- Compares two results of a program: structure, shapes, dtypes, numbers to a tolerance of the
-- dtype, errors by their text.
-- @module program_compare

-- Relative to the largest number of the tensor: a training step spreads rounding over all of them.
local tolerances = {float16 = 3e-2, bfloat16 = 2e-1, float32 = 1e-3, float64 = 1e-8}

-- Removes the position, and the numbers in names that count up (`dense_3`).
local function text_of(message) return (message:gsub("^[^\n]-:%d+: ", ""):gsub("_%d+",
  ""):gsub("%d+", "0")) end

local function scale_of(a, b)
  local scale = 1
  for _, list in ipairs{a, b} do
    for _, number in ipairs(list) do
      if type(number) == "number" and math.abs(number) < math.huge then scale = math.max(scale,
        math.abs(number)) end
    end
  end
  return scale
end

local function differ(a, b, tolerance)
  if a ~= a or b ~= b then return (a == a) ~= (b == b) end
  if math.abs(a) == math.huge or math.abs(b) == math.huge then return a ~= b end
  return math.abs(a - b) > tolerance
end

local compare

local function compare_tables(a, b, path)
  local tolerance = (tolerances[a.dtype or "float32"] or 0) * scale_of(a, b)
  for key, value in pairs(a) do
    local difference = compare(value, b[key], path .. "[" .. tostring(key) .. "]", tolerance)
    if difference then return difference end
  end
  for key, value in pairs(b) do
    if a[key] == nil then return ("%s[%s] is only in one: %s"):format(path, key,
      tostring(value)) end
  end
end

function compare(a, b, path, tolerance)
  if type(a) ~= type(b) then return ("%s: %s and %s"):format(path, a, b) end
  if type(a) == "table" then return compare_tables(a, b, path) end
  if type(a) == "number" then return differ(a, b, tolerance) and ("%s: %.9g and %.9g"):format(path,
    a, b) or nil end
  return a ~= b and ("%s: %s and %s"):format(path, a, b) or nil
end

--- Describes the first difference; nil if there is none.
return function(a, b)
  if a.error or b.error then
    if not (a.error and b.error) then return ("error in one alone: %s"):format(a.error
      or b.error) end
    return text_of(a.error) ~= text_of(b.error) and ("errors: %s | %s"):format(a.error, b.error)
      or nil
  end
  return compare(a, b, "results")
end
