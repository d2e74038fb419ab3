local engine = require "cusp.engine"
local tensor = engine.tensor

local function lines(...) return table.concat({...}, "\n") end

describe("tostring of a tensor", function()
  it("aligns columns", function()
    assert.equal(lines("tensor([[ 1, 20],", "        [-3,  4]], shape = {2, 2}, dtype = int32)"),
      tostring(tensor({{1, 20}, {-3, 4}})))
    assert.equal(lines("tensor([[1.50, 2.25],",
      "        [0.10, 4.00]], shape = {2, 2}, dtype = float32)"),
      tostring(tensor({{1.5, 2.25}, {0.1, 4}})))
    assert.equal("tensor([ true, false], shape = {2}, dtype = bool)",
      tostring(tensor({true, false})))
  end)

  it("shows scalars and empty ones", function()
    assert.equal("tensor(3.14, dtype = float32)", tostring(tensor(3.14)))
    assert.equal("tensor(3, dtype = int32)", tostring(tensor(3)))
    assert.equal("tensor([], shape = {0}, dtype = float32)", tostring(tensor({})))
    assert.equal("tensor(0.1, dtype = float64)", tostring(tensor(0.1, {dtype = "float64"})))
  end)

  it("chooses few digits, scientific ones where they are needed", function()
    assert.equal("tensor([1, 2], shape = {2}, dtype = float32)", tostring(tensor({1.0, 2.0})))
    assert.equal("tensor([0.333333, 0.666667], shape = {2}, dtype = float32)",
      tostring(tensor({1 / 3, 2 / 3})))
    assert.equal("tensor([1e-08, 1e+00], shape = {2}, dtype = float32)",
      tostring(tensor({1e-8, 1.0})))
    assert.equal("tensor([1.5e+09, 2.0e+09], shape = {2}, dtype = float32)",
      tostring(tensor({1.5e9, 2e9})))
    assert.equal("tensor([nan, inf, 1.5], shape = {3}, dtype = float32)",
      tostring(tensor({0 / 0, math.huge, 1.5})))
    assert.equal("tensor([-inf,    1], shape = {2}, dtype = float32)",
      tostring(tensor({-math.huge, 1.0})))
  end)

  it("breaks long rows and leaves out the middle of long axes", function()
    local numbers = {}
    for i = 1, 40 do numbers[i] = i end
    local text = tostring(tensor(numbers))
    for line in text:gmatch "[^\n]+" do
      assert.is_true(#line <= 76 or line:find "shape" ~= nil, line)
    end
    assert.matches("\n        %d", text)
    for i = 41, 2000 do numbers[i] = i end
    assert.equal("tensor([   1,    2,    3, ..., 1998, 1999, 2000], shape = {2000}, dtype = int32)",
      tostring(tensor(numbers)))
    local square = tostring(tensor(numbers, {shape = {40, 50}}))
    assert.equal(7, select(2, square:gsub("\n", "\n")) + 1)
    assert.matches("\n        ...,\n", square, 1, true)
  end)

  it("separates matrices by empty lines", function()
    assert.equal(lines("tensor([[[1],", "         [2]],", "", "        [[3],",
      "         [4]]], shape = {2, 2, 1}, dtype = int32)"),
      tostring(tensor({{{1}, {2}}, {{3}, {4}}})))
  end)

  it("shows a traced tensor without a value", function()
    local trace <close> = engine.trace()
    assert.equal("tensor(traced, shape = {2}, dtype = float32)",
      tostring(trace:placeholder({2}, "float32") + 1))
  end)
end)
