-- What is computed again on the way back: the same numbers, and less memory.
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops

local function arena_of(compiled)
  return tonumber(tostring(compiled):match "arena of (%d+) bytes")
end

local function largest_difference(a, b) return ops.max(ops.abs(a - b)):item() end

-- A stack of blocks with random numbers and statistics; `wrap` is put around each block's call.
local function blocks(wrap, scope)
  cusp.utils.clear_session()
  cusp.utils.set_random_seed(5)
  local list = {}
  for i = 1, 6 do
    local _ <close> = scope and cusp.RematScope(scope) or nil
    list[i] = cusp.Sequential{
      cusp.Input{shape = {16}}, layers.Dense{64, activation = "gelu", name = "wide_" .. i},
      layers.Dropout(0.3), layers.BatchNormalization(), layers.Dense{16, activation = "tanh"},
    }
  end
  local called = {}
  for i, block in ipairs(list) do called[i] = wrap and wrap(block) or block end
  return list, called
end

-- A compiled step over the blocks, and the variables that it changes.
local function step_of(list, called)
  local variables = {}
  for _, block in ipairs(list) do
    table.move(block.trainable_variables, 1, #block.trainable_variables, #variables + 1, variables)
  end
  local step = cusp.compile(function(x)
    local tape <close> = cusp.GradientTape()
    local y = x
    for _, block in ipairs(called) do y = block(y, {training = true}) end
    local loss = ops.mean(y * y)
    for i, gradient in ipairs(tape:gradient(loss, variables)) do
      variables[i]:assign(variables[i] - 0.1 * gradient)
    end
    return loss
  end)
  return step
end

local function train(wrap, scope)
  local list, called = blocks(wrap, scope)
  local step = step_of(list, called)
  local x = cusp.random.normal({512, 16}, {seed = 1})
  local losses = {}
  for i = 1, 4 do losses[i] = step(x) end
  local weights = {}
  for _, block in ipairs(list) do
    table.move(block.weights, 1, #block.weights, #weights + 1, weights)
  end
  return ops.stack(losses), weights, arena_of(step)
end

describe("remat", function()
  local losses, weights, arena = train()

  local function check(other_losses, other_weights)
    assert.is_true(largest_difference(losses, other_losses) < 1e-6)
    for i, weight in ipairs(weights) do
      assert.is_true(largest_difference(weight.value, other_weights[i].value) < 1e-5, weight.path)
    end
  end

  it("gives the same numbers with less memory: random draws and statistics are once", function()
    local other_losses, other_weights, less = train(cusp.remat)
    check(other_losses, other_weights)
    assert.is_true(less < 0.5 * arena, ("%d of %d bytes"):format(less, arena))
  end)

  it("is what a scope in which layers are made asks for", function()
    local other_losses, other_weights, less = train(nil, {mode = "full"})
    check(other_losses, other_weights)
    assert.is_true(less < 0.9 * arena)
    other_losses, other_weights, less = train(nil, {mode = "activations"})
    check(other_losses, other_weights)
    assert.is_true(less <= arena)
    other_losses, other_weights, less = train(nil, {mode = "list_of_layers",
      layer_names = {"wide_1", "wide_2", "wide_3", "wide_4", "wide_5", "wide_6"}})
    check(other_losses, other_weights)
    assert.is_true(less < arena)
    other_losses, other_weights, less = train(nil, {mode = "larger_than",
      output_size_threshold = 1 << 40})
    check(other_losses, other_weights)
    assert.equal(arena, less)
  end)

  it("ends with its scope, and is no part of layers made elsewhere", function()
    do
      local _ <close> = cusp.RematScope()
      assert.is_not_nil(layers.Dense(1).__own.remat)
    end
    assert.is_nil(layers.Dense(1).__own.remat)
  end)

  it("keeps masks, tables of results and gradients of gradients", function()
    local pair = cusp.remat(function(x) return {x * x, {cubed = x * x * x}} end)
    local function second(f)
      return cusp.compile(function(x)
        local outer <close> = cusp.GradientTape()
        outer:watch(x)
        local inner <close> = cusp.GradientTape()
        inner:watch(x)
        local results = f(x)
        local gradient = inner:gradient(ops.sum(results[1] * results[2].cubed), x)
        return outer:gradient(ops.sum(gradient), x)
      end)(cusp.tensor{1.0, 2.0})
    end
    assert.is_true(largest_difference(second(pair), cusp.tensor{20.0, 160.0}) < 1e-3)
    local embed = layers.Embedding{5, 3, mask_zero = true}
    local net = cusp.compile(function(x) return layers.LSTM(2)(cusp.remat(embed)(x)) end)
    assert.same({1, 2}, {table.unpack(net(cusp.tensor{{1, 2, 0}}).shape)})
  end)

  it("marks what leaves a region, which is its value", function()
    local x = cusp.tensor{1.5, -2.0}
    assert.equal(x:tobytes(), require("cusp.engine").ops.region_output(x):tobytes())
  end)

  it("passes errors on and leaves nothing behind", function()
    local failing = cusp.remat(function() error "on purpose" end)
    local compiled = cusp.compile(function(x) return failing(x) end)
    assert.error_matches(function() compiled(cusp.ones{2}) end, "on purpose")
    assert.is_nil(require("cusp.base.context").get().region)
    assert.error_matches(function() cusp.remat(3) end, "remat: expected a function or a layer")
  end)
end)
