local engine = require "cusp.engine"
local tensor = engine.tensor

-- Valid and invalid arguments of every kind; the seed is fixed, so that failures can be reproduced.
local any = {
  function()
    return tensor({{1, 2, 3}, {4, 5, 6}})
  end, function() return tensor({1.5, -2.5, 0.5}) end, function() return tensor(2.5) end,
  function() return tensor({}) end, function() return tensor({true, false, true}) end,
  function() return tensor({{{1.0, 2.0}, {3.0, 4.0}}}) end,
  function()
    return tensor(1.5, {shape = {2, 4, 4, 3}})
  end, function() return tensor({1, 0, 2}, {dtype = "int64"}) end,
  function()
    return tensor({{1.0, 0.5}, {0.5, 2.0}})
  end, function() return tensor({1.0, 2.0}, {dtype = "float16"}) end,
  function() return tensor({3, 7}, {dtype = "uint64"}) end, function() return tensor({{}, {}}) end,
  function() return tensor(1.0, {shape = {3, 1, 2}}) end,
  function()
    return engine.variable({1.0, 2.0, 3.0})
  end, function() return math.random(-4, 9) end, function() return math.random() end,
  function() return "same" end, function() return "float32" end, function()
    return {1, 2}
  end, function() return {0} end,
  function() return {{1, 1}, {0, 2}} end, function()
    return {tensor({1.0}), tensor({{3.0}})}
  end, function() return math.random() < 0.5 end,
  function() return nil end, function()
    return {axis = math.random(-3, 3)}
  end, function() return {} end, function() return print end,
  function() return 0 / 0 end, function() return 1e300 end,
}
local TENSORS = 14

local function pick(list) return list[math.random(#list)] end

local fitting = {
  tensor = function() return any[math.random(TENSORS)]() end,
  tensors = function() return {any[math.random(TENSORS)](), any[math.random(TENSORS)]()} end,
  int = function() return math.random(-3, 4) end, axis = function() return math.random(-3, 4) end,
  float = function()
    return math.random() * 4 - 1
  end, bool = function() return math.random() < 0.5 end,
  string = function() return pick{"same", "valid", "linear", "constant", "reflect", "x"} end,
  dtype = function() return pick{"float32", "int8", "bool", "float64", "uint64"} end,
}
local function some_ints() return pick{{1}, {2}, {1, 2}, {-1}, {2, 3}, {0, 1}, {3, 2}, 3, {}} end

local function random_arguments(row)
  local arguments, count = {}, math.random(1, math.max(1, #row.arguments + 1))
  for i = 1, count do
    local parameter = row.arguments[i]
    local make = parameter and math.random() < 0.75 and (fitting[parameter.kind] or some_ints)
      or pick(any)
    arguments[i] = make()
  end
  return arguments, count
end

describe("every operation", function()
  it("gives values or an error at the user's line that names it, whatever it is called with",
    function()
    math.randomseed(20)
    local worked = 0
    for _ = 1, 10 do
      for _, row in ipairs(engine.describe()) do
        if not row.flags.hidden then
          local arguments, count = random_arguments(row)
          local results = table.pack(pcall(function()
            return engine.ops[row.name](table.unpack(arguments, 1, count))
          end))
          if results[1] then
            for i = 2, results.n do
              if engine.is_tensor(results[i]) then
                local fine, text = pcall(tostring, results[i])
                assert.is_true(fine or text:find("fuzz_spec.lua:%d+: ") ~= nil, text)
                worked = worked + (fine and 1 or 0)
              end
            end
          else
            assert.matches("fuzz_spec.lua:%d+: [%w_]+: ", results[2])
            assert.is_true(results[2]:find(row.name, 1, true) ~= nil,
              row.name .. ": " .. results[2])
          end
        end
      end
    end
    assert.is_true(worked > 100)
  end)
end)
