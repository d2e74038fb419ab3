-- The operators < <= > >= of tensors, whose results Lua would make booleans of.
-- luacheck: ignore 581 512 (what a `not` or a loop makes of a comparison is what is tested)
local cusp = require "cusp"
local folder = require "spec.support.folder"
local launch = require "spec.support.launch"
local message = require "spec.support.message"
local ops, tensor = cusp.ops, cusp.tensor

local function same(expected, result)
  assert.equal("bool", result.dtype)
  assert.same(expected, result:tolist())
end

local script = [[
local cusp = require "cusp"
local x = cusp.tensor{1, -2}
assert(x > 0)
if (x > 0):any():item() then io.write "any " end
local used, unused = x > 1, x < 1
print(used)
]]

describe("comparisons of tensors", function()
  local x, y

  before_each(function()
    x, y = tensor{1, -2, 3}, tensor{1, 0, 0}
  end)

  it("compare elements, with tensors and numbers on either side", function()
    same({false, true, false}, x < y)
    same({true, true, false}, x <= y)
    same({false, false, true}, x > y)
    same({true, false, true}, x >= y)
    same({true, false, true}, x > 0)
    same({true, false, true}, -1.5 < x)
    same({false, true, false}, 0 >= x)
    same({false, false, true}, x > 2.5)
    same({{true, false}, {true, true}}, tensor{{1}, {2}} > tensor{0, 1})
  end)

  it("give a tensor wherever the result is kept", function()
    local kept = x > 0
    local list, last = {x > 0, f = x < 0, [x.dtype] = x > 1}
    last = kept and x < 0
    local function returned() return x > 0 end
    local function second(_, result) return result end
    same({true, false, true}, kept)
    same({true, false, true}, list[1])
    same({false, true, false}, list.f)
    same({false, false, true}, list[x.dtype])
    same({false, true, false}, last)
    same({true, false, true}, returned())
    same({true, false, true}, second(1, x > 0))
    local first, one, third = table.unpack{x > 0, 1, x < 0}
    same({true, false, true}, first)
    assert.equal(1, one)
    same({false, true, false}, third)
    same({false, true, false}, not (x > 0))
    same({true, true, true}, not (x > 0 / 0))
    same({true, false}, (x > 0):slice{{1, 2}})
  end)

  it("are of one kind whatever the size, but for scalars, which give booleans", function()
    same({true}, tensor{1} > 0)
    assert.same({}, (cusp.zeros{0} > 0):tolist())
    assert.is_true(tensor(1.5) < 2)
    assert.is_false(tensor(1.5) >= tensor(2))
    assert.is_true(not (tensor(1.5) >= 2))
    local less = x[2] < x[1]
    assert.is_true(less)
  end)

  it("are an error in a condition on several elements", function()
    for _, f in ipairs{
      function() if x < 2 then return 1 end end,
      function() while x > 2 do return 1 end end,
      function() return x > 0 and 1 or 2 end,
      function() return x > 0 or y end,
      function() if not (x <= 2) then return 1 end end,
    } do
      assert.matches("a condition compares tensors of one element, this one has shape [3]",
        message(f), 1, true)
    end
    assert.matches("compare_spec.lua:", message(function() if x < 2 then return 1 end end), 1, true)
    assert.is_true(tensor{3} > 2 and true)
    assert.matches("less: argument 'x2': expected a tensor, a number",
      message(function() return x < "a" end), 1, true)
    assert.matches("symbolic tensor",
      message(function() if cusp.Input{3} < 2 then return 1 end end), 1, true)
  end)

  it("work for variables, symbolic tensors, in traces and in gradients", function()
    local v = cusp.Variable(x)
    same({true, false, true}, v > 0)
    local input = cusp.Input{3}
    local model = cusp.Model{input, ops.where(input > 0, input, 0 * input)}
    assert.same({{1, 0, 3}}, model(x:reshape{1, 3}):tolist())
    local relu = cusp.compile(function(t) return ops.where(t > 0, t, 0 * t) end)
    assert.same({1, 0, 3}, relu(x):tolist())
    local gradient = cusp.grad(function(t) return ops.sum(ops.where(t > 0, t * t, t)) end)
    assert.same({2, 1, 6}, gradient(tensor{1.0, -2.0, 3.0}):tolist())
  end)

  it("work in coroutines, beside hooks, and in the functions of hooks not at all", function()
    local co = coroutine.wrap(function()
      coroutine.yield(x > 0)
      return x < 0
    end)
    same({true, false, true}, co())
    same({false, true, false}, co())
    local f, mask, count, lines = debug.gethook(), nil, nil, 0
    debug.sethook(function() lines = lines + 1 end, "l", 1000)
    local result = x > 0
    local kept = {debug.gethook()}
    debug.sethook(f, mask, count)
    same({true, false, true}, result)
    assert.is_true(lines > 0 and kept[2] == "l" and kept[3] == 1000)
    local err
    debug.sethook(function()
      debug.sethook()
      err = message(function() return x > 0 end)
    end, "l")
    assert.matches("a condition compares", err, 1, true)
  end)

  it("do not keep a hook that counts instructions from being called", function()
    local f, mask, count = debug.gethook()
    for _, instructions in ipairs{1, 100, 1000} do
      local turns, result = 0, nil
      local function stop()
        if turns <= 10 then return end
        debug.sethook(f, mask, count)
        error "enough"
      end
      local ok = pcall(function()
        debug.sethook(stop, "", instructions)
        while turns < 2000 do
          result = (x > 0):slice{{1, 3}}
          turns = turns + 1
        end
      end)
      debug.sethook(f, mask, count)
      assert.is_false(ok)
      same({true, false, true}, result)
    end
  end)

  it("are what a metamethod called by hand, and table.sort, refuse", function()
    local less = debug.getmetatable(x).__lt
    assert.matches("a condition", message(function() return less(x, y) end), 1, true)
    assert.matches("a condition", message(function() table.sort{x, y} end), 1, true)
  end)

  it("warn where nothing is done with the result", function()
    local place <close> = folder.new()
    local path = place.path .. "/script.lua"
    local file = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    local out = launch.run(nil, path)
    assert.matches("any tensor", out, 1, true)
    assert.matches(":3: nothing was done", out, 1, true)
    assert.matches(":5: nothing was done", out, 1, true)
    local _, count = out:gsub("nothing was done", "")
    assert.equal(2, count)
    local warnings = require("cusp.base.warnings").collect(cusp.compile(function(t)
      local positive = t > 0
      if positive then return t end
      return -t
    end), x)
    assert.matches("every tensor is true", warnings[1], 1, true)
  end)
end)
