-- Training in 16 bits with variables in 32: gradients near float32's, losses scaled, a note where
-- the CPU does not multiply bfloat16.
local Object = require "cusp.base.class"
local cusp = require "cusp"

local layers, ops = cusp.layers, cusp.ops
local build = os.getenv "CUSP_BUILD" or "build"

-- The largest difference, relative to the largest number.
local function distance(a, b)
  a, b = ops.cast(a, "float64"), ops.cast(b, "float64")
  local largest = ops.amax(ops.absolute(b)):item()
  return ops.amax(ops.absolute(a - b)):item() / math.max(largest, 1e-3)
end

-- Output and gradients of f, of its arguments in `dtype`; compiled, as training is.
local function computed(f, arguments, dtype)
  local step = cusp.compile(function(...)
    local given = {...}
    local tape <close> = cusp.GradientTape()
    tape:watch(given)
    local narrow = {}
    for i, x in ipairs(given) do narrow[i] = ops.cast(x, dtype) end
    local y = ops.cast(f(table.unpack(narrow)), "float32")
    local total = ops.sum(y * cusp.random.uniform(y.shape, -1, 1, {seed = 3}))
    return y, table.unpack(tape:gradient(total, given))
  end)
  return {step(table.unpack(arguments))}
end

local function near_float32(f, ...)
  local arguments = {...}
  local want, got = computed(f, arguments, "float32"), computed(f, arguments, "bfloat16")
  assert.equal(#want, #got)
  for i, x in ipairs(got) do
    assert.same(want[i].shape, x.shape)
    if ops.size(x) > 0 then
      local far = distance(x, want[i])
      assert.is_true(far < 0.04, ("result %d is off by %g"):format(i, far))
    end
  end
end

local function uniform(...) return cusp.random.uniform({...}, -1, 1, {seed = 7}) end

describe("bfloat16 beside float32", function()
  it("multiplies matrices of any size, transposed, in stacks and empty", function()
    for _, size in ipairs{{5, 7, 3}, {17, 33, 31}, {1, 40, 9}, {33, 64, 1}, {0, 4, 3}, {3, 0, 4}} do
      local m, k, n = table.unpack(size)
      near_float32(ops.matmul, uniform(m, k), uniform(k, n))
      near_float32(function(a, b) return ops.matmul(ops.transpose(a), b) end, uniform(k, m),
        uniform(k, n))
      near_float32(function(a, b) return ops.matmul(a, ops.transpose(b)) end, uniform(m, k),
        uniform(n, k))
      near_float32(ops.matmul, uniform(2, 3, m, k), uniform(3, k, n))
    end
    near_float32(ops.matmul, uniform(40), uniform(40, 3))
    near_float32(ops.matmul, uniform(3, 40), uniform(40))
  end)

  it("convolves with strides, dilation, groups and odd sizes", function()
    for _, case in ipairs{
      {{2, 9, 7, 3}, {3, 3, 3, 5}, {}}, {{2, 9, 7, 4}, {3, 2, 4, 5}, {strides = 2}},
      {{1, 8, 8, 6}, {3, 3, 2, 6}, {padding = "same"}}, {{2, 11, 1}, {4, 1, 2}, {}},
      {{1, 9, 9, 3}, {2, 2, 3, 4}, {dilation_rate = 2}}, {{2, 5, 4, 3, 2}, {2, 2, 2, 2, 3}, {}},
      {{0, 5, 5, 2}, {3, 3, 2, 2}, {}},
    } do
      near_float32(function(x, kernel) return ops.conv(x, kernel, case[3]) end,
        uniform(table.unpack(case[1])), uniform(table.unpack(case[2])))
    end
    near_float32(function(x, kernel) return ops.depthwise_conv(x, kernel, {padding = "same"}) end,
      uniform(2, 6, 5, 3), uniform(3, 3, 3, 2))
    near_float32(function(x, kernel) return ops.conv_transpose(x, kernel, {strides = 2}) end,
      uniform(2, 4, 5, 3), uniform(3, 3, 2, 3))
  end)

  it("runs recurrent layers", function()
    for _, size in ipairs{{3, 5, 4, 6}, {33, 3, 17, 20}, {2, 1, 1, 1}, {2, 0, 3, 4}} do
      local batch, time, input, units = table.unpack(size)
      near_float32(function(x, h, c, kernel, recurrent, bias)
        return (ops.lstm(x, h, c, kernel, recurrent, bias))
      end, uniform(batch, time, input), uniform(batch, units), uniform(batch, units),
        uniform(input, 4 * units) * 0.4, uniform(units, 4 * units) * 0.3, uniform(4 * units))
      near_float32(function(x, h, kernel, recurrent, bias)
        return (ops.gru(x, h, kernel, recurrent, bias))
      end, uniform(batch, time, input), uniform(batch, units), uniform(input, 3 * units) * 0.4,
        uniform(units, 3 * units) * 0.3, uniform(2, 3 * units))
    end
  end)

  it("computes the functions of layers over odd lengths and single numbers", function()
    for _, name in ipairs{"relu", "gelu", "silu", "sigmoid", "tanh", "softmax", "softplus",
      "exp"} do
      near_float32(function(x) return ops[name](x) end, uniform(7, 37))
      near_float32(function(x) return ops[name](x) end, uniform(1, 1))
    end
    near_float32(function(x, scale) return x * scale + x / 3 - scale end, uniform(5, 300),
      uniform(5, 1))
    near_float32(function(x) return ops.max_pool(x, 2) end, uniform(2, 7, 7, 5))
    near_float32(function(x) return ops.average_pool(x, 2) end, uniform(2, 7, 7, 5))
  end)

  it("gives a value that does not depend on whether another was looked at", function()
    local a, b = ops.cast(uniform(9, 40), "bfloat16"), ops.cast(uniform(40, 9), "bfloat16")
    local seen = ops.matmul(a, b)
    seen:tolist()
    local want = ops.cast(seen, "float32"):tolist()
    assert.same(want, ops.cast(ops.matmul(a, b), "float32"):tolist())
  end)

  it("keeps the gradient of a weight in float32", function()
    local x, w = ops.cast(uniform(64, 3), "bfloat16"), cusp.Variable(uniform(3, 2))
    local gradient = cusp.compile(function(a)
      local tape <close> = cusp.GradientTape()
      return tape:gradient(ops.sum(ops.matmul(a, ops.cast(w, "bfloat16"))), {w})[1]
    end)(x)
    assert.equal("float32", gradient.dtype)
    local want = ops.sum(ops.cast(x, "float32"), 1, {keepdims = true})
    assert.is_true(distance(gradient, ops.transpose(want) * cusp.ones{1, 2}) < 1e-5)
  end)
end)

describe("mixed_bfloat16", function()
  after_each(function() cusp.config.set_dtype_policy "float32" end)

  it("says once that this CPU does not multiply bfloat16", function()
    local program = "cusp = require [[cusp]]; local set = cusp.config.set_dtype_policy; "
      .. "set [[mixed_bfloat16]]; set [[float32]]; set [[mixed_bfloat16]]; "
      .. "print(cusp.layers.Dense{2}(cusp.ones{2, 3}).dtype)"
    local pipe = io.popen(("CUSP_ISA=baseline %s/cusp -e '%s' 2>&1"):format(build, program))
    local text = pipe:read "a"
    pipe:close()
    local _, notes = text:gsub("does not multiply bfloat16", "")
    assert.equal(1, notes)
    assert.matches("bfloat16\n$", text)
  end)

  it("trains variables of float32", function()
    cusp.config.set_dtype_policy "mixed_bfloat16"
    cusp.random.set_seed(1)
    local model = cusp.Sequential{cusp.Input{shape = {12}}, layers.Dense{16, activation = "relu"},
      layers.Dense{1, dtype = "float32"}}
    model:compile{optimizer = cusp.optimizers.Adam(0.02), loss = "mse"}
    local x = uniform(64, 12)
    local y = ops.sum(x, 2, {keepdims = true})
    local history = model:fit{x, y, epochs = 60, batch_size = 16, verbose = 0}
    assert.equal("float32", model.layers[1].kernel.dtype)
    assert.equal("bfloat16", model.layers[1](x).dtype)
    local losses = history.history.loss
    assert.is_true(losses[#losses] < 0.05 * losses[1])
  end)
end)

describe("mixed_float16", function()
  after_each(function() cusp.config.set_dtype_policy "float32" end)

  local function compiled(arguments)
    cusp.config.set_dtype_policy "mixed_float16"
    local model = cusp.Sequential{cusp.Input{shape = {4}}, layers.Dense{3}}
    arguments.loss = "mse"
    model:compile(arguments)
    return model
  end

  it("wraps the optimizer, unless told not to", function()
    local scaled = cusp.optimizers.LossScaleOptimizer
    assert.is_true(Object.is_instance(compiled{optimizer = "sgd"}.optimizer, scaled))
    local plain = compiled{optimizer = "sgd", auto_scale_loss = false}
    assert.is_false(Object.is_instance(plain.optimizer, scaled))
    local own = scaled{cusp.optimizers.SGD(0.1), initial_scale = 8}
    assert.equal(own, compiled{optimizer = own}.optimizer)
  end)

  it("doubles the scale after finite steps; halves it and skips the step after others", function()
    local optimizer = cusp.optimizers.LossScaleOptimizer{cusp.optimizers.SGD(0.01),
      initial_scale = 16, dynamic_growth_steps = 3}
    local model = compiled{optimizer = optimizer}
    local x, y = cusp.ones{8, 4}, cusp.ones{8, 3}
    local scales = {}
    for i = 1, 4 do
      model:fit{x, y, batch_size = 8, verbose = 0}
      scales[i] = model.optimizer.dynamic_scale:item()
    end
    assert.same({16, 16, 32, 32}, scales)
    local before = model.layers[1].kernel:tolist()
    model:fit{x * 60000, y, batch_size = 8, verbose = 0}
    assert.equal(16, model.optimizer.dynamic_scale:item())
    assert.equal(0, model.optimizer.step_counter:item())
    assert.same(before, model.layers[1].kernel:tolist())
  end)
end)
