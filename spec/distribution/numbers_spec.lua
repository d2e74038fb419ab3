-- Two and three processes compute what one does with the whole batch.
local launch = require "spec.support.launch"

local function numbers_of(text)
  local cases = {}
  for line in text:gmatch "[^\n]+" do
    local name, rest = line:match "^([%a_ ]-) (%-?[%dni][%w%.%-%+ ]*)$"
    local values = {}
    for word in (rest or ""):gmatch "%S+" do values[#values + 1] = tonumber(word) end
    if name then cases[name] = values end
  end
  return cases
end

local function differing(expected, got)
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

describe("several processes", function()
  local program = "spec/support/distributed_cases.lua"
  local alone

  setup(function()
    if launch.is_possible() then alone = numbers_of(launch.run(nil, program)) end
  end)

  for _, count in ipairs{2, 3} do
    it(("of %d compute what one does"):format(count), function()
      if not launch.is_possible() then return pending "mpirun is not here" end
      local text, ok = launch.run(count, program)
      assert.is_true(ok, text:sub(-1500))
      local cases = 0
      for _ in pairs(alone) do cases = cases + 1 end
      assert.is_true(cases > 35)
      assert.same({}, differing(alone, numbers_of(text)))
    end)
  end
end)
