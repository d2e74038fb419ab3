-- Functions with gradients of their own, and products with Jacobians.
local cusp = require "cusp"
local waves = require "spec.support.waves"

local ops = cusp.ops

local cube = ops.custom_gradient(function(x)
  return x * x * x, function(upstream) return upstream * 3 * x * x end
end)

-- Two arguments, two results; the gradients are those of no function, and not linear.
local strange = ops.custom_gradient(function(a, b)
  return {a * b, a + b}, function(upstream)
    return ops.clip(upstream[1], -1, 1) * b + upstream[2], upstream[1] * a * 10
  end
end)

local function chained(a, b)
  local first = strange(a, b)
  local second = strange(first[1], b)
  return (second[1] * 2 + second[2]):sum()
end

describe("custom_gradient", function()
  it("gives the gradient that the function returns", function()
    local stable = ops.custom_gradient(function(x)
      local e = ops.exp(x)
      return ops.log(1 + e), function(upstream) return upstream * (1.0 - 1.0 / (1 + e)) end
    end)
    local x = cusp.tensor{100.0, 1.0}
    waves.compare({1, 0.7310585786300049}, cusp.grad(function(v) return stable(v):sum() end)(x))
    waves.compare({1.3132617}, stable(cusp.tensor{1.0}))
  end)

  it("is the same eagerly, compiled, and through several calls", function()
    local function gradients(a, b)
      local value, found = cusp.value_and_grad(chained, {1, 2})(a, b)
      return value, found[1], found[2]
    end
    for _, f in ipairs{gradients, cusp.compile(gradients)} do
      local value, a, b = f(cusp.tensor{2.0}, cusp.tensor{3.0})
      waves.compare({45}, value)
      waves.compare({3}, a)
      waves.compare({200}, b)
    end
  end)

  it("has gradients of higher order, and Jacobians", function()
    local function first(x) return cusp.grad(function(v) return cube(v):sum() end)(x):sum() end
    waves.compare({12}, cusp.grad(first)(cusp.tensor{2.0}))
    local x = cusp.tensor{1.0, 2.0}
    local tape <close> = cusp.GradientTape{persistent = true}
    tape:watch(x)
    local y = cube(x)
    assert.are.same({{3, 0}, {0, 12}}, tape:jacobian(y, x):tolist())
    waves.compare({3, 12}, tape:gradient(y, x))
    waves.compare({3, 12}, tape:gradient(y, x))
  end)

  it("reaches variables that are arguments, and trains them in fit", function()
    local Scale = cusp.layers.Layer:extend("ScaleByOnes", {
      build = function(self)
        self.factor = self:add_weight{name = "factor", shape = {1}, initializer = "ones"}
      end,
      call = function(self, x)
        return ops.custom_gradient(function(v, factor)
          return v * factor, function(upstream) return upstream * factor, cusp.ones{1} end
        end)(x, self.factor)
      end,
    })
    local model = cusp.Sequential{Scale{}}
    model:compile{optimizer = cusp.optimizers.SGD(0.125), loss = "mse"}
    model:fit{cusp.ones{4, 1}, cusp.zeros{4, 1}, epochs = 3, batch_size = 4, verbose = 0}
    waves.compare({0.625}, model.weights[1])
  end)

  it("leaves out arguments without a gradient, and those that are no tensors", function()
    local scaled = ops.custom_gradient(function(x, factor)
      return x * factor, function(upstream) return upstream * factor * 10, nil end
    end)
    local function f(x) return scaled(x, 2):sum() + x:sum() end
    waves.compare({21}, cusp.grad(f)(cusp.tensor{1.0}))
  end)

  it("is refused where it is wrong", function()
    local x = cusp.tensor{1.0, 2.0}
    assert.error_matches(function() ops.custom_gradient(3) end,
      "custom_gradient: expected a function")
    assert.error_matches(function() ops.custom_gradient(function(v) return v end)(x) end,
      "its output and a function for the gradient, got nil")
    local wrong = ops.custom_gradient(function(v) return v, function() return cusp.ones{3} end end)
    assert.error_matches(function() cusp.grad(function(v) return wrong(v):sum() end)(x) end,
      "an argument of shape %[2%] has shape %[3%]")
    local two = ops.custom_gradient(function(a, b) return a + b, function(u) return u end end)
    assert.error_matches(function() cusp.grad(function(v) return two(v, v):sum() end)(x) end,
      "returned 1 values for 2 arguments")
    assert.error_matches(function() cube(cusp.Input{shape = {2}}) end, "symbolic tensor")
  end)

  it("is the same in branches and loops, also of higher order", function()
    local scaled = ops.custom_gradient(function(parts, factor)
      local y = ops.sin(parts.a) * parts.b
      return {y = y, z = parts.a * 2}, function(upstream)
        return {a = upstream.y * parts.b * factor, b = ops.cos(y) * upstream.z}, nil
      end
    end)
    local w = cusp.Variable(cusp.tensor({0.3, -0.6}, {dtype = "float64"}))
    local bodies = {
      function(v, n)
        return ops.cond(n:greater(1), function() return cube(v) end, function() return v end)
      end,
      function(v, n)
        return ops.fori_loop(0, n, function(_, u)
          local out = scaled({a = u, b = w.value}, 3)
          return ops.tanh(out.y + out.z) + cube(u)
        end, v)
      end,
      function(v)
        local last, ys = ops.scan(function(u, x)
          local out = scaled({a = u * x, b = w.value}, 0.5)
          return ops.tanh(out.y), out.z
        end, v, ops.stack{v, w * 2, v * w})
        return last + ops.sum(ys, 1)
      end,
    }
    for _, body in ipairs(bodies) do
      local function gradients(x, n)
        local outer <close> = cusp.GradientTape()
        outer:watch(x)
        local first
        do
          local tape <close> = cusp.GradientTape()
          tape:watch(x)
          first = tape:gradient(ops.sum(body(x, n) ^ 2), {x, w})
        end
        local total = ops.sum(first[1] ^ 2) + (first[2] and ops.sum(first[2] ^ 2) or 0)
        local second = outer:gradient(total, {x, w})
        return first[1], first[2] or x * 0, second[1], second[2] or x * 0
      end
      local x, n = cusp.tensor({0.4, -0.2}, {dtype = "float64"}), cusp.tensor(2)
      local expected, got = {gradients(x, n)}, {cusp.compile(gradients)(x, n)}
      for i = 1, 4 do
        for k = 1, 2 do assert.near(expected[i]:item(k), got[i]:item(k), 1e-9) end
      end
    end
  end)
end)

describe("complex numbers as pairs:", function()
  it("view_as_complex, view_as_real, polar", function()
    local real, imaginary = ops.view_as_complex(cusp.tensor{{1.0, 2.0}, {3.0, 4.0}})
    assert.are.same({{1, 3}, {2, 4}}, {real:tolist(), imaginary:tolist()})
    assert.are.same({{1, 2}, {3, 4}}, ops.view_as_real{real, imaginary}:tolist())
    real, imaginary = ops.polar(cusp.tensor{2.0, 1.0}, cusp.tensor{math.pi / 2, 0.5})
    waves.compare({0, 0.8775826}, real, 1e-6)
    waves.compare({2, 0.4794255}, imaginary, 1e-6)
    assert.error_matches(function() ops.view_as_complex(cusp.ones{2, 3}) end, "a last axis of 2")
    assert.error_matches(function() ops.view_as_real{cusp.ones{2}} end, "expected a pair")
  end)
end)

describe("jvp", function()
  it("gives outputs and their changes, as Keras does", function()
    local x, y = cusp.tensor{1.0, 2.0}, cusp.tensor{3.0, 4.0}
    local outputs, changes = ops.jvp(function(a, b) return {ops.sin(a) * b, a + b} end, {x, y},
      {cusp.tensor{1.0, 0.5}, cusp.tensor{0.1, 0.2}})
    waves.compare({2.5244129, 3.6371896}, outputs[1])
    waves.compare({1.7050539, -0.6504342}, changes[1])
    waves.compare({1.1, 0.7}, changes[2])
  end)

  it("goes through gradients of one's own, and hands on what is aside", function()
    local _, change, aside = ops.jvp(function(x) return cube(x), "aside" end, {cusp.tensor{2.0}},
      {cusp.tensor{0.5}}, true)
    waves.compare({6}, change)
    assert.are.equal("aside", aside)
  end)

  it("is refused for tangents that do not fit", function()
    local x = cusp.tensor{1.0, 2.0}
    assert.error_matches(function() ops.jvp(ops.sin, {x}, {cusp.tensor{1.0}}) end,
      "tangent 1 has shape %[1%], but its primal has %[2%]")
    assert.error_matches(function() ops.jvp(ops.sin, {cusp.tensor{1, 2}}, {x}) end,
      "primals should be floating%-point, got int32")
  end)
end)
