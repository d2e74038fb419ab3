--- Lines of a name and numbers, as programs print them that several processes run.
local numbers = {}

--- Reads them.
-- @tparam string text
-- @treturn table lists of numbers by name
function numbers.read(text)
  local cases = {}
  for line in text:gmatch "[^\n]+" do
    local name, rest = line:match "^([%a_ %d]-) (%-?[%dni][%w%.%-%+ ]*)$"
    local values = {}
    for word in (rest or ""):gmatch "%S+" do values[#values + 1] = tonumber(word) end
    if name then cases[name] = values end
  end
  return cases
end

--- The names of the cases whose numbers differ by more than 1e-5.
-- @treturn {string,...}
function numbers.differing(expected, got)
  local names = {}
  for name, values in pairs(expected) do
    local others = got[name] or {}
    local equal = #others == #values
    for i, value in ipairs(values) do
      equal = equal and math.abs(value - others[i]) <= 1e-5 * math.max(1, math.abs(value))
    end
    if not equal then names[#names + 1] = name end
  end
  return names
end

--- How many cases there are.
function numbers.count(cases)
  local count = 0
  for _ in pairs(cases) do count = count + 1 end
  return count
end

return numbers
