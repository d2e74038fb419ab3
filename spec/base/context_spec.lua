local cusp = require "cusp"
local context = require "cusp.base.context"
local engine = require "cusp.engine"
local names = require "cusp.base.names"
local warnings = require "cusp.base.warnings"
local layers = cusp.layers

local function suspended(f)
  local thread = coroutine.create(f)
  assert(coroutine.resume(thread))
  return thread
end

local function collect()
  collectgarbage()
  collectgarbage()
end

describe("a coroutine within a traced function", function()
  local v, f

  before_each(function()
    v = cusp.Variable(1.0)
    f = cusp.compile(function(x)
      local product = x * v
      coroutine.yield()
      v:assign_add(10)
      return product + 1
    end)
  end)

  it("that yields is not seen from outside, and goes on where it was", function()
    local thread = suspended(function() return f(cusp.tensor(2.0)) end)
    assert.is_false(engine.tracing())
    v:assign_add(1)
    assert.equal(2, v.value:item())
    assert.same({2}, cusp.random.normal({2}).shape)
    local model = cusp.Sequential{layers.Dense(2), layers.Dropout(0.5)}
    model:compile{optimizer = "adam", loss = "mse"}
    assert.is_number(model:fit{cusp.ones{8, 3}, cusp.ones{8, 2}, verbose = 0}.history.loss[1])
    local _, result = assert(coroutine.resume(thread))
    assert.same({5, 12}, {result:item(), v.value:item()})
  end)

  it("that dies or is collected leaves nothing", function()
    local g = cusp.compile(function()
      coroutine.yield()
      error "dies"
    end)
    local thread = suspended(function() g(cusp.tensor(1.0)) end)
    assert.is_false((coroutine.resume(thread)))
    assert.is_false(engine.tracing())
    thread = coroutine.create(function()
      engine.trace()
      v:assign(5)
      error "with the trace open"
    end)
    coroutine.resume(thread)
    assert.is_false(engine.tracing())
    suspended(function() f(cusp.tensor(3.0)) end)
    collect()
    v:assign_add(1)
    assert.same({false, 2}, {engine.tracing(), v.value:item()})
  end)

  it("two of which trace at once do not mix", function()
    local threads, results = {}, {}
    for i = 1, 2 do threads[i] = suspended(function() return f(cusp.tensor(i + 1.0)):item() end) end
    for i = 1, 2 do results[i] = select(2, assert(coroutine.resume(threads[i]))) end
    assert.same({3, 34}, results)
    assert.equal(21, v.value:item())
  end)

  it("that the function resumes belongs to the trace", function()
    local g = cusp.compile(function(x)
      local each = coroutine.wrap(function()
        for i = 1, 3 do
          v:assign_add(i)
          coroutine.yield(x * v)
        end
      end)
      return each() + each() + each()
    end)
    assert.same({2 + 4 + 7, 7}, {g(cusp.tensor(1.0)):item(), v.value:item()})
    assert.same({8 + 10 + 13, 13}, {g(cusp.tensor(1.0)):item(), v.value:item()})
  end)
end)

describe("a tape of a coroutine", function()
  it("does not record the work of others", function()
    local v = cusp.Variable(3.0)
    local thread = suspended(function()
      local tape <close> = cusp.GradientTape()
      local square = v * v
      coroutine.yield()
      return tape:gradient(square, v):item()
    end)
    assert.is_false(engine.recording())
    local tape = cusp.GradientTape()
    assert.equal(1, tape:gradient(v * 1, v):item())
    assert.equal(6, select(2, assert(coroutine.resume(thread))))
  end)

  it("that was left open does not outlive it", function()
    coroutine.resume(coroutine.create(function()
      cusp.GradientTape()
      error "left"
    end))
    assert.is_false(engine.recording())
    collect()
  end)

  it("records the coroutines that it resumes", function()
    local v, tape = cusp.Variable(3.0), cusp.GradientTape()
    local each = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(v * i) end end)
    assert.equal(6, tape:gradient(each() + each() + each(), v):item())
  end)
end)

describe("what holds during a call", function()
  local Yielding = layers.Layer:extend("YieldingContext", {
    call = function(self, x, args)
      if self.yields then coroutine.yield() end
      return x * (args.training and 2 or 1)
    end,
  })

  it("is not seen by others while the call waits, and is gone with it", function()
    local outer = Yielding()
    outer.yields = true
    local thread = suspended(function() return outer(cusp.ones{1}, {training = true}) end)
    assert.same({1, "k"}, {Yielding()(cusp.ones{1}):item(1), names.path "k"})
    assert.equal(2, select(2, assert(coroutine.resume(thread))):item(1))
    suspended(function() return outer(cusp.ones{1}, {training = true}) end)
    collect()
    assert.is_nil(engine.frame())
  end)

  it("is seen by the coroutines that the call resumes", function()
    local seen = context.within({mark = 1}, function()
      return coroutine.wrap(function()
        return context.within({other = 2}, function() return context.get() end)
      end)()
    end)
    assert.same({1, 2}, {seen.mark, seen.other})
    assert.is_nil(engine.frame())
  end)

  it("leaves a layer of mixed precision its variables where the call is left", function()
    local Mixed = Yielding:extend("MixedContext", {
      build = function(self) self.gain = self:add_weight{name = "gain", shape = {2}} end,
      call = function(self, x)
        if self.yields then coroutine.yield() end
        return x * self.gain
      end,
    })
    local layer = Mixed{dtype = "mixed_bfloat16"}
    layer(cusp.ones{2})
    layer.yields = true
    suspended(function() return layer(cusp.ones{2}) end)
    collect()
    assert.is_true(engine.is_variable(layer.gain))
  end)

  it("is as before after an error", function()
    pcall(names.within, "a", function() error "x" end)
    pcall(warnings.collect, function() error "x" end)
    assert.is_nil(engine.frame())
  end)

  it("may yield out of fit", function()
    local model = cusp.Sequential{layers.Dense(1)}
    model:compile{optimizer = "sgd", loss = "mse"}
    local epoch = coroutine.wrap(function()
      model:fit{x = cusp.ones{4, 2}, y = cusp.ones{4, 1}, epochs = 2, verbose = 0, callbacks = {
        {on_epoch_end = function(_, number) coroutine.yield(number) end},
      }}
      return "end"
    end)
    assert.same({1, 2, "end"}, {epoch(), epoch(), epoch()})
  end)
end)
