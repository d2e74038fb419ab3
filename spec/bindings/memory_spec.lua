local engine = require "cusp.engine"
local ops = engine.ops

local function settle()
  collectgarbage()
  collectgarbage()
  return engine.memory().live
end

local function resident()
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "VmRSS:%s+(%d+)"
    if kilobytes then return tonumber(kilobytes) / 1024 end
  end
end

-- AddressSanitizer keeps freed memory for a while, so the process grows.
local function is_sanitized()
  local maps = io.open "/proc/self/maps"
  local text = maps and maps:read "a" or ""
  if maps then maps:close() end
  return text:find("libasan", 1, true) ~= nil
end
local most = is_sanitized() and math.huge or 60 -- megabytes that a loop may add

-- Walks every failure path of a task: with 0 allocations allowed, with 1, ... until it succeeds.
local function check_leaks(name, task)
  it("leaks nothing when an allocation fails in " .. name, function()
    pcall(task) -- what is cached for good is there
    pcall(task)
    local before, n = settle(), 0
    repeat
      engine.fail_after(n)
      local ok, message = pcall(task)
      engine.fail_after(-1)
      assert.is_true(settle() <= before,
        ("%d bytes leaked when allocation %d fails"):format(settle() - before, n))
      assert.is_true(ok or tostring(message):find "memory" ~= nil, message)
      n = n + 1
    until ok or n > 2000
    assert.is_true(n <= 2000)
  end)
end

describe("memory", function()
  check_leaks("a new tensor", function()
    return engine.tensor({{1, 2}, {3, 4}}, {dtype = "float32"}):item(1, 1)
  end)
  check_leaks("an operation with numbers and tables", function()
    return ops.add({1, 2}, 2.5):item(1)
  end)
  check_leaks("a list of tensors", function()
    return ops.concatenate({{1, 2}, engine.tensor({3}), {4.5}}):tolist()
  end)
  check_leaks("many results", function()
    return ops.split(engine.tensor({1, 2, 3, 4}), 4)[3]:item()
  end)
  check_leaks("indexing and slicing", function()
    local t = engine.tensor({{1, 2}, {3, 4}})
    return t[2]:tolist(), t:slice{{}, {2, 1, -1}}:tolist(), tostring(t)
  end)
  check_leaks("variables", function()
    local v = engine.variable({1.0, 2.0})
    v.name = "v"
    v:assign_add(1)
    v:assign(3)
    return tostring(v)
  end)
  check_leaks("gradients", function()
    local tape <close> = engine.tape()
    local v, x = engine.variable({1.0, 2.0}), engine.tensor({3.0, 4.0})
    tape:watch(x)
    local gradients = tape:gradient({(v * x * v):sum()}, {v, x})
    return gradients[1]:tolist()
  end)
  check_leaks("tracing and running", function()
    local trace <close> = engine.trace()
    local x = trace:placeholder({2}, "float32")
    local f = trace:compile({x * 2 + 1, x:sum()})
    local a = f(engine.tensor({1.0, 2.0}))
    return a:tolist()
  end)
  check_leaks("generators", function()
    local g = engine.generator(1)
    g:next()
    g:seed(2)
    return g:next():tolist()
  end)

  it("leaks nothing when arguments are wrong", function()
    local calls = {
      function() ops.add({1, 2}, "x") end, function()
        ops.concatenate{engine.tensor({1}), {2}, print}
      end,
      function() ops.add({1, 2}, {1, 2, 3}) end, function() ops.sum({1, 2}, 5) end,
      function() engine.tensor({{1, 2}, {3}}) end, function() engine.variable("x") end,
    }
    for _, call in ipairs(calls) do assert.is_false((pcall(call))) end
    local before = settle()
    for _ = 1, 100 do
      for _, call in ipairs(calls) do pcall(call) end
    end
    assert.is_true(settle() <= before)
  end)

  it("stays flat in loops of temporaries", function()
    local a, before = engine.tensor({1.0, 2.0, 3.0}), resident()
    for i = 1, 200000 do local _ = engine.tensor({i}) end
    for i = 1, 200000 do local _ = a * i end
    assert.is_true(resident() - before < most)
    local big = engine.tensor(0.5, {shape = {512, 512}})
    for i = 1, 500 do local _ = (big + i):item(1, 1) end
    for i = 1, 500 do local _ = big + i end
    assert.is_true(resident() - before < most + 40)
  end)

  it("stays flat in a loop that never looks at its result", function()
    local a, before, plans = engine.tensor({1.0, 2.0, 3.0}), resident(), engine.stats().plans_made
    local x = a
    for _ = 1, 100000 do x = x + 1 end
    assert.equal(100001, x:item(1))
    assert.is_true(resident() - before < most)
    assert.is_true(engine.stats().plans_made - plans < 20)
  end)

  it("collects nothing while the collector is stopped", function()
    local collected = false
    collectgarbage()
    collectgarbage "stop"
    setmetatable({}, {__gc = function() collected = true end})
    for i = 1, 20 do ops.add(ops.ones({1024, 1024}), i):item(1, 1) end
    local while_stopped = collected
    collectgarbage "restart"
    assert.is_false(while_stopped)
  end)

  it("is reported", function()
    local memory = engine.memory()
    for _, key in ipairs{"live", "peak", "cached", "blocks"} do
      assert.equal("integer", math.type(memory[key]))
    end
    local cached = memory.cached
    engine.memory_trim()
    assert.is_true(engine.memory().cached <= cached)
  end)
end)
