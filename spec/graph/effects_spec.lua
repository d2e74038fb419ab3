-- A program means the same run directly, compiled, and in `fit` with and without run_eagerly:
-- variables have versions, gradients end at reads, and only the chosen branch has effects.
local cusp = require "cusp"

local layers, ops = cusp.layers, cusp.ops

-- Runs the function from `make()` directly and compiled, on the same arguments. Each returns a list
-- of numbers.
local function both_ways(make, ...)
  local expected, compiled = make(), cusp.compile(make())
  for _, arguments in ipairs{...} do
    local values = arguments()
    local eager, traced = table.pack(expected(table.unpack(values))),
      table.pack(compiled(table.unpack(values)))
    for i = 1, math.max(eager.n, traced.n) do
      if eager[i] == nil or traced[i] == nil then
        assert.equal(eager[i], traced[i])
      else
        local a, b = eager[i]:flat(), traced[i]:flat()
        assert.equal(#a, #b)
        for k = 1, #a do
          if math.abs(a[k] - b[k]) > 1e-5 * math.max(1, math.abs(a[k])) then
            error(("result %d: %g as it stands, %g compiled"):format(i, a[k], b[k]))
          end
        end
      end
    end
  end
end

local function with(...)
  local values = {...}
  return function() return values end
end

describe("a variable in a trace", function()
  it("is a leaf when it is read after an assignment", function()
    local function make()
      local w, g = cusp.Variable(2.0), cusp.Variable(5.0)
      return function(a)
        w:assign(w - a * g)
        local tape <close> = cusp.GradientTape()
        return tape:gradient(g * w, g)
      end
    end
    assert.equal(-3, make()(1):item())
    both_ways(make, with(cusp.tensor(1.0)), with(cusp.tensor(2.0)))
  end)

  it("is a leaf after an assignment under the tape", function()
    local function make()
      local w, g = cusp.Variable(2.0), cusp.Variable(5.0)
      return function()
        local tape <close> = cusp.GradientTape{persistent = true}
        w:assign(g * 3)
        local y = w * 2
        return tape:gradient(y, g), tape:gradient(y, w)
      end
    end
    local by_g, by_w = make()()
    assert.is_nil(by_g)
    assert.equal(2, by_w:item())
    both_ways(make, with())
  end)

  it("has the gradients of all its readings", function()
    both_ways(function()
      local w = cusp.Variable(2.0)
      return function()
        local tape <close> = cusp.GradientTape()
        local before = w * w
        w:assign(w * 3)
        return tape:gradient(before + w * w * w, w), w.value
      end
    end, with(), with())
  end)

  it("may be assigned its own value, or another variable's", function()
    both_ways(function()
      local a, b = cusp.Variable{1.0, 2.0}, cusp.Variable{3.0, 4.0}
      return function(x)
        a:assign(a)
        local old = b * 1
        b:assign(a)
        a:assign(old + x)
        return a.value, b.value, a + b
      end
    end, with(cusp.tensor{1.0, 1.0}), with(cusp.tensor{2.0, 3.0}))
  end)

  it("keeps the gradients of two optimizers apart", function()
    both_ways(function()
      local w, g = cusp.Variable{0.5, -0.25}, cusp.Variable{1.5, 2.0}
      local first, second = cusp.optimizers.Adam{0.1}, cusp.optimizers.Adam{0.05}
      return function(x)
        local one <close> = cusp.GradientTape()
        first:apply({one:gradient((w * g * x):sum(), w)}, {w})
        local two <close> = cusp.GradientTape()
        second:apply({two:gradient((w * g * x * x):sum(), g)}, {g})
        return w.value, g.value
      end
    end, with(cusp.tensor{1.0, 2.0}), with(cusp.tensor{0.5, -1.0}), with(cusp.tensor{0.0, 3.0}))
  end)

  it("is the moving statistic that a later call reads, and no path for gradients", function()
    both_ways(function()
      local norm = layers.BatchNormalization{momentum = 0.5}
      norm:build{cusp.None, 2}
      return function(x)
        local tape <close> = cusp.GradientTape()
        tape:watch(x)
        local trained = norm(x, {training = true})
        local y = norm(x, {training = false}) * trained
        return tape:gradient((y * y):sum(), x), norm.moving_mean.value
      end
    end, with(cusp.tensor{{1.0, 2.0}, {3.0, 5.0}}), with(cusp.tensor{{0.0, 2.0}, {1.0, 1.0}}))
  end)
end)

describe("a tape", function()
  it("does not care who looked at a value", function()
    local x = cusp.tensor{1.0, 2.0}
    for _, look in ipairs{true, false} do
      local tape <close> = cusp.GradientTape()
      local y = x * x
      if look then y:flat() end
      assert.is_nil(tape:gradient(y, x))
    end
  end)

  it("knows nothing of what was computed before it, or before the tensor was watched", function()
    local x = cusp.tensor{1.0, 2.0}
    for _, look in ipairs{true, false} do
      local y = x * x
      if look then y:flat() end
      local tape <close> = cusp.GradientTape{persistent = true}
      local z = x * 3
      tape:watch(x)
      assert.is_nil(tape:gradient(y, x))
      assert.is_nil(tape:gradient(z, x))
      assert.same({2, 4}, tape:gradient(x * x, x):flat())
    end
  end)

  it("does not record while it is paused, though another one does", function()
    local x = cusp.tensor{1.0, 2.0}
    local outer <close> = cusp.GradientTape()
    local inner <close> = cusp.GradientTape()
    outer:watch(x)
    inner:watch(x)
    local y = inner:stop_recording(function() return x * x end)
    assert.is_nil(inner:gradient(y * 2, x))
    assert.same({4, 8}, outer:gradient(y * 2, x):flat())
  end)

  it("leaves variables alone when it is told to, and watches those it is given", function()
    local seen, other = cusp.Variable{2.0}, cusp.Variable({3.0}, {trainable = false})
    local tape <close> = cusp.GradientTape{persistent = true, watch_accessed_variables = false}
    tape:watch(other)
    local y = seen * other * other
    assert.is_nil(tape:gradient(y, seen))
    assert.same({12}, tape:gradient(y, other):flat())
  end)

  it("gives gradients of gradients within a trace as outside", function()
    both_ways(function()
      local v = cusp.Variable{3.0, -1.0}
      return function(x)
        local outer <close> = cusp.GradientTape()
        local inner <close> = cusp.GradientTape()
        local first = inner:gradient((v * v * v * x):sum(), v)
        return first, outer:gradient((first * first):sum(), v)
      end
    end, with(cusp.tensor{1.0, 2.0}))
  end)
end)

describe("a branch", function()
  local yes, no = cusp.tensor(true), cusp.tensor(false)

  it("assigns what was chosen, alone", function()
    both_ways(function()
      local v, w = cusp.Variable(0), cusp.Variable(1.5)
      return function(chosen)
        ops.cond(chosen, function() v:assign_add(1) end, function()
          v:assign_add(100) w:assign(w * 2)
        end)
        return v.value, w.value
      end
    end, with(yes), with(no), with(yes), with(no))
  end)

  it("has its gradient, though the other one's is not finite", function()
    local function make()
      return function(x)
        local tape <close> = cusp.GradientTape()
        tape:watch(x)
        local y = ops.cond(x:greater(0):all(), function()
          return x:sqrt():sum()
        end, function() return (x * x):sum() end)
        return y, tape:gradient(y, x)
      end
    end
    both_ways(make, with(cusp.tensor{4.0, 9.0}), with(cusp.tensor{0.0, 0.0}),
      with(cusp.tensor{-1.0, 2.0}))
  end)

  it("has the gradients of watched constants from outside", function()
    both_ways(function()
      local k = cusp.tensor{1.0, 2.0}
      return function(x)
        local tape <close> = cusp.GradientTape{persistent = true}
        tape:watch(k)
        local y = ops.cond(x:sum():greater(0), function()
          return k * k
        end, function() return k * 2 end)
        local z = ops.fori_loop(0, ops.cast(x:sum(), "int32"), function(_, v) return v * k end, k)
        return tape:gradient(y, k), tape:gradient(z, k)
      end
    end, with(cusp.tensor{1.0, 1.0}), with(cusp.tensor{-1.0}))
  end)

  it("fails only where it is chosen", function()
    local f = cusp.compile(function(chosen, x)
      return ops.cond(chosen, function() return ops.cholesky(x) end, function() return x end)
    end)
    local indefinite = cusp.tensor{{1.0, 2.0}, {2.0, 1.0}}
    assert.same({1, 2, 2, 1}, f(no, indefinite):flat())
  end)

  it("has gradients of any order", function()
    both_ways(function()
      local function f(x)
        return ops.cond(x:greater(1), function() return x * x * x end, function() return x * x end)
      end
      return function(x)
        return cusp.grad(f)(x), cusp.grad(cusp.grad(f))(x), cusp.grad(cusp.grad(cusp.grad(f)))(x)
      end
    end, with(cusp.tensor(2.0)))
  end)

  it("may assign a variable and read it again under a tape outside", function()
    both_ways(function()
      local w = cusp.Variable{1.0, 2.0}
      return function(index, x)
        local tape <close> = cusp.GradientTape()
        local y = ops.switch(index, {
          function(z) return (w * z):sum() end,
          function(z)
            w:assign_add(z)
            local once = ops.cond(z:sum():greater(0), function()
              w:assign(w * 2)
              return w * w
            end, function() return w * 1 end)
            return (once * w * z):sum()
          end,
        }, x)
        return y, tape:gradient(y, w), w.value
      end
    end, with(cusp.tensor(0), cusp.tensor{3.0, 4.0}), with(cusp.tensor(1), cusp.tensor{3.0, 4.0}),
      with(cusp.tensor(1), cusp.tensor{-3.0, -4.0}), with(cusp.tensor(7), cusp.tensor{1.0, 0.5}),
      with(cusp.tensor(-2), cusp.tensor{1.0, 0.5}))
  end)

  it("draws the random numbers of what was chosen", function()
    local function draw() return cusp.random.uniform{3} end
    local function f(chosen) return ops.cond(chosen, draw, function() return cusp.zeros{3} end) end
    local compiled = cusp.compile(f)
    local function run(g)
      cusp.random.set_seed(7)
      local a, _, b = g(yes), g(no), g(yes)
      return {a:flat(), b:flat()}
    end
    assert.same(run(f), run(compiled))
  end)

  it("nests, and returns structures", function()
    both_ways(function()
      return function(a, b, x)
        local function first() return {x = x + 1, y = {1, x}} end
        local function second() return {x = x + 2, y = {2, x}} end
        local function third() return {x = x + 3, y = {3, x * 2}} end
        local result = ops.cond(a, function() return ops.cond(b, first, second) end, third)
        return result.x, ops.cast(result.y[1], "float32"), result.y[2]
      end
    end, with(yes, yes, cusp.tensor{1.0}), with(yes, no, cusp.tensor{1.0}),
      with(no, yes, cusp.tensor{1.0}))
  end)

  it("says what is wrong", function()
    local function message(f, ...)
      local ok, text = pcall(cusp.compile(f), ...)
      assert.is_false(ok)
      return tostring(text)
    end
    local x = cusp.zeros{2}
    assert.matches("cond: result 1 has shape %[2%] in the first branch and %[3%] in branch 2",
      message(function(p)
        return ops.cond(p, function() return x end, function() return cusp.zeros{3} end)
      end, yes))
    assert.matches("cond: result 1 is float32 in one branch and int32 in branch 2",
      message(function(p)
        return ops.cond(p, function() return x end, function() return ops.cast(x, "int32") end)
      end, yes))
    assert.matches("cond: branch 2 returns another structure",
      message(function(p)
        return ops.cond(p, function() return {x} end, function() return x end)
      end, yes))
    assert.matches("cond: expected one element as the condition, got shape %[2%]",
      message(function(p)
        return ops.cond(p, function() return x end, function() return x end)
      end, cusp.tensor{true, false}))
    assert.matches("symbolic", select(2, pcall(ops.cond, cusp.Input{shape = {}}, print, print)))
  end)

  it("that raises while it is traced leaves the variables as they were", function()
    local v = cusp.Variable(1.0)
    local f = cusp.compile(function(chosen)
      local function raise() v:assign(5) error "no" end
      pcall(ops.cond, chosen, raise, raise)
      return v * 1
    end)
    assert.equal(1, f(yes):item())
    assert.equal(1, v.value:item())
  end)
end)

describe("a loop whose condition is traced", function()
  it("runs as long as its tensors say", function()
    both_ways(function()
      return function(start)
        return ops.while_loop(function(_, n) return n:greater(1) end, function(steps, n)
          return {steps + 1, ops.where((n % 2):equal(0), n // 2, 3 * n + 1)}
        end, {cusp.tensor(0), start})
      end
    end, with(cusp.tensor(27)), with(cusp.tensor(1)), with(cusp.tensor(6)))
  end)

  it("has the gradients of its values and of what it reads", function()
    both_ways(function()
      local w = cusp.Variable{1.5}
      return function(a, n)
        local tape <close> = cusp.GradientTape{persistent = true}
        tape:watch(a)
        local root = ops.while_loop(function(x) return (x * x - a):abs():greater(1e-6):any() end,
          function(x) return {(x + a / x) / 2} end, {ops.ones_like(a)})
        local power = ops.fori_loop(0, n, function(i, v)
          return v * w + a * ops.cast(i, "float32")
        end, a)
        return root, tape:gradient(root, a), power, tape:gradient(power, a), tape:gradient(power, w)
      end
    end, with(cusp.tensor{2.0, 3.0}, cusp.tensor(4)), with(cusp.tensor{9.0, 0.25}, cusp.tensor(1)))
  end)

  it("carries the variables that it assigns", function()
    both_ways(function()
      local w, count = cusp.Variable{1.5}, cusp.Variable(0)
      return function(n, x)
        w:assign{1.5}
        local tape <close> = cusp.GradientTape()
        local y = ops.fori_loop(0, n, function(_, v)
          count:assign_add(1)
          w:assign(w * 0.9)
          return v * w
        end, x)
        return y, tape:gradient(y, w), w.value, count.value
      end
    end, with(cusp.tensor(3), cusp.tensor{2.0}), with(cusp.tensor(1), cusp.tensor{-2.0}))
  end)

  it("has the gradients of all readings of a variable that it assigns", function()
    local rounds = {
      scan = function(round, y)
        return (ops.scan(function(value)
          local made = round(value)
          return made, made
        end, y, ops.ones{2}))
      end,
      fori_loop = function(round, y)
        return ops.fori_loop(0, 2, function(_, value) return round(value) end, y)
      end,
      while_loop = function(round, y)
        local last = ops.sum(y) * 0 + 2
        local _, made = ops.while_loop(function(i) return ops.less(i, last) end,
          function(i, value) return {i + 1, round(value)} end, {ops.zeros_like(last), y})
        return made
      end,
      nested = function(round, y)
        return ops.fori_loop(0, 2, function(_, value)
          return ops.fori_loop(0, 1, function(_, within) return round(within) end, value)
        end, y)
      end,
    }
    for name, repeated in pairs(rounds) do
      for _, before in ipairs{false, true} do
        local function make()
          local v = cusp.Variable(3.0)
          return function(x)
            local tape <close> = cusp.GradientTape()
            local y = before and x + v * 0 or x
            y = repeated(function(value)
              local made = value * v
              v:assign_add(1.0)
              return made
            end, y)
            return tape:gradient(ops.sum(y), v)
          end
        end
        assert.equal(84, make()(cusp.tensor{2.0, 4.0, 6.0}):item(), name)
        both_ways(make, with(cusp.tensor{2.0, 4.0, 6.0}), with(cusp.tensor{1.0, 2.0, 3.0}))
      end
    end
  end)

  it("may meet a variable for the first time within a branch of its body", function()
    both_ways(function()
      local v = cusp.Variable(0.0)
      return function(x)
        local y = ops.fori_loop(0, 4, function(i, value)
          return ops.cond(ops.equal(i % 2, 0), function()
            v:assign_add(10.0)
            return value + v
          end, function()
            v:assign_sub(1.0)
            return value - v
          end)
        end, x)
        return y, v.value * 1
      end
    end, with(cusp.tensor{1.0, 2.0}), with(cusp.tensor{3.0, 4.0}))
  end)

  it("draws new numbers in each round, and does nothing for no round", function()
    both_ways(function()
      return function(n)
        cusp.random.set_seed(3)
        return ops.fori_loop(0, n, function(_, v)
          return v + cusp.random.uniform{2}
        end, cusp.zeros{2}), cusp.random.uniform{2}
      end
    end, with(cusp.tensor(3)), with(cusp.tensor(0)))
  end)

  it("nests with branches, keeps structures, and ends at maximum_iterations", function()
    both_ways(function()
      return function(n)
        local function inner(u, j)
          return ops.cond(ops.equal(j % 2, 0), function()
            return u + ops.cast(j * n, "float32")
          end, function() return u * 2 end)
        end
        local nested = ops.fori_loop(0, n, function(i, v)
          return ops.fori_loop(0, i + 1, function(j, u) return inner(u, j) end, v)
        end, cusp.tensor(1.0))
        local i, s = ops.while_loop(function(i) return i:less(n) end,
          function(i, s) return {i + 1, {x = s.x + ops.cast(i, "float32"), y = s.y}} end,
          {cusp.tensor(0), {x = cusp.tensor(0.5), y = cusp.ones{2}}}, 3)
        return nested, i, s.x, s.y
      end
    end, with(cusp.tensor(4)), with(cusp.tensor(2)))
  end)

  it("says what is wrong", function()
    local function message(f)
      local ok, text = pcall(cusp.compile(f), cusp.tensor(3))
      assert.is_false(ok)
      return tostring(text)
    end
    assert.matches("fori_loop: loop value 1 is float32 %[2%], but the body makes it float32 %[4%]",
      message(function(n)
        return ops.fori_loop(0, n, function(_, v) return ops.concatenate{v, v} end, cusp.zeros{2})
      end))
    local v = cusp.Variable(0)
    assert.matches("while_loop: the condition of a traced loop assigns a variable",
      message(function(n)
        local function below(i) v:assign_add(1) return i:less(n) end
        return ops.while_loop(below, function(i) return {i + 1} end, {cusp.tensor(0)})
      end))
    assert.equal(0, v.value:item())
  end)
end)

describe("a training step", function()
  local Accumulating = cusp.Model:extend("Accumulating", {
    init = function(self, args)
      cusp.Model.init(self, args)
      self.dense = layers.Dense{2, kernel_initializer = "ones"}
      self.count = cusp.Variable(0, {trainable = false, name = "count"})
    end,
    call = function(self, x) return self.dense(x) end,
    train_step = function(self, data)
      local x, y = cusp.utils.unpack_x_y_sample_weight(data)
      local tape <close> = cusp.GradientTape()
      local loss = self:compute_loss(x, y, self(x, {training = true}))
      local gradients = tape:gradient(loss, self.trainable_variables)
      self.count:assign_add(1)
      ops.cond((self.count % 4):equal(0), function()
        self.optimizer:apply(gradients, self.trainable_variables)
      end, function() end)
      return {loss = loss}
    end,
  })

  local function trained(eagerly)
    cusp.random.set_seed(3)
    local model = Accumulating()
    model:compile{optimizer = cusp.optimizers.Adam{0.1}, loss = "mse", run_eagerly = eagerly}
    local x = cusp.random.normal({40, 3}, {seed = 5})
    model:fit{x, x:slice{{}, {1, 2}}, batch_size = 4, epochs = 1, shuffle = false, verbose = 0}
    return model, model.optimizer.iterations.value:item()
  end

  it("applies gradients every fourth time, in fit as eagerly", function()
    local eager, eager_steps = trained(true)
    local compiled, compiled_steps = trained(false)
    assert.equal(2, eager_steps)
    assert.equal(2, compiled_steps)
    for i, weight in ipairs(eager.weights) do
      local a, b = weight.value:flat(), compiled.weights[i].value:flat()
      for k = 1, #a do assert.near(a[k], b[k], 1e-5) end
    end
  end)
end)
