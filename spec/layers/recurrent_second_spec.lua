--- Gradients of gradients through the recurrences that run as one operation.
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops

local batch, time, features, units = 2, 5, 3, 2

local function normal(...) return cusp.random.normal({...}, {dtype = "float64"}) * 0.7 end

-- The arguments of a row in float64, in order; those by name after them.
local function arguments_of(name)
  local gates = name == "lstm" and 4 or 3
  local list = {normal(batch, time, features), normal(batch, units)}
  if name == "lstm" then list[3] = normal(batch, units) end
  list[#list + 1] = normal(features, gates * units)
  list[#list + 1] = normal(units, gates * units)
  list[#list + 1] = name == "lstm" and normal(gates * units) or normal(2, gates * units)
  return list
end

local flags = {
  plain = {}, backwards = {go_backwards = true},
  masked = {mask = cusp.tensor{{true, false, true, true, false}, {false, true, true, true, true}}},
  without_bias = {no_bias = true}, last_state = {last = true},
}

local function call(name, list, flag)
  local given = {table.unpack(list)}
  given[#given] = nil
  if not flag.no_bias then given.bias = list[#list] end
  given.mask, given.go_backwards = flag.mask, flag.go_backwards
  return {ops[name](given)}
end

-- A loss of the outputs, of which the first gradient is another function of the arguments.
local function loss(name, list, flag)
  local results, total = call(name, list, flag), 0
  for i = flag.last and #results or 1, #results do
    total = total + ops.sum(ops.sin(results[i] * (i + 1)))
  end
  return total
end

-- The sum of squares of the gradient of the loss, and the arguments' gradient of that.
local function penalty(name, list, flag)
  local sources = {table.unpack(list)}
  if flag.no_bias then sources[#sources] = nil end
  local outer <close> = cusp.GradientTape()
  outer:watch(sources)
  local inner <close> = cusp.GradientTape()
  inner:watch(sources)
  local gradients = inner:gradient(loss(name, list, flag), sources)
  local total = 0
  for i, gradient in ipairs(gradients) do total = total + ops.sum(gradient * gradient) * i end
  return total, outer:gradient(total, sources)
end

-- The difference quotient of the penalty along one random direction in all arguments.
local function along(name, list, flag)
  local directions, moved, slope = {}, {}, 0
  local _, gradients = penalty(name, list, flag)
  for i, argument in ipairs(list) do
    directions[i] = normal(table.unpack(argument.shape))
    if gradients[i] then slope = slope + ops.sum(gradients[i] * directions[i]):item() end
  end
  local step, values = 1e-5, {}
  for side = -1, 1, 2 do
    for i, argument in ipairs(list) do moved[i] = argument + directions[i] * (side * step) end
    values[#values + 1] = penalty(name, moved, flag):item()
  end
  return slope, (values[2] - values[1]) / (2 * step)
end

describe("a gradient of a gradient through", function()
  for _, name in ipairs{"lstm", "gru"} do
    for title, flag in pairs(flags) do
      it(("%s (%s) is what finite differences give"):format(name, title), function()
        cusp.random.set_seed(7)
        local slope, quotient = along(name, arguments_of(name), flag)
        assert.is_true(math.abs(slope - quotient) < 1e-6 * math.max(1, math.abs(slope)))
      end)
    end
  end

  it("a third time is what finite differences give", function()
    cusp.random.set_seed(3)
    local list = arguments_of "gru"
    local direction = normal(table.unpack(list[1].shape))
    local function second(x)
      return penalty("gru", {x, table.unpack(list, 2)}, {})
    end
    local function slope_at(x)
      local tape <close> = cusp.GradientTape()
      tape:watch(x)
      local total, gradients = penalty("gru", {x, table.unpack(list, 2)}, {})
      assert.is_true(total:item() > 0)
      local slope = ops.sum(gradients[1] * direction)
      return slope, tape:gradient(slope, x)
    end
    local _, third = slope_at(list[1])
    local step = 1e-5
    local quotient = (slope_at(list[1] + direction * step):item()
      - slope_at(list[1] - direction * step):item()) / (2 * step)
    assert.is_true(second(list[1]):item() > 0)
    local value = ops.sum(third * direction):item()
    assert.is_true(math.abs(value - quotient) < 1e-5 * math.max(1, math.abs(value)))
  end)
end)

-- A model that is trained on its loss and on the size of the loss's gradient by its inputs.
local function penalized(unroll, eagerly)
  local Penalized = cusp.Model:extend("PenalizedGradient", {
    train_step = function(self, data)
      local x, y = data[1], data[2]
      local outer <close> = cusp.GradientTape()
      local inner <close> = cusp.GradientTape()
      inner:watch(x)
      local first = self:compute_loss{x = x, y = y, y_pred = self(x, {training = true})}
      local gradient = inner:gradient(first, x)
      local total = first + ops.sum(gradient * gradient) * 10
      self.optimizer:apply(outer:gradient(total, self.trainable_variables),
        self.trainable_variables)
      return {loss = total}
    end,
  })
  local input = cusp.Input{time, features}
  local hidden = layers.LSTM{4, return_sequences = true, unroll = unroll}(input)
  local output = layers.Dense(1)(layers.GRU{3, unroll = unroll}(hidden))
  local model = Penalized{inputs = input, outputs = output}
  model:compile{optimizer = cusp.optimizers.SGD(0.1), loss = "mse", run_eagerly = eagerly}
  return model
end

describe("a penalty on the gradient", function()
  it("trains through LSTM and GRU, compiled and eager, as through the steps one by one", function()
    cusp.random.set_seed(1)
    local x, y = cusp.random.normal{8, time, features}, cusp.random.normal{8, 1}
    local steps = penalized(true, true)
    local weights = steps:get_weights()
    local function trained(model)
      model:set_weights(weights)
      return model:fit{x, y, epochs = 3, batch_size = 4, shuffle = false, verbose = 0}.history.loss
    end
    local expected = trained(steps)
    for _, eagerly in ipairs{true, false} do
      local losses = trained(penalized(false, eagerly))
      for i = 1, 3 do assert.is_true(math.abs(losses[i] - expected[i]) < 1e-4) end
    end
  end)

  it("has a jacobian of the gradient", function()
    local layer, x = layers.LSTM(2, {dtype = "float64"}), normal(1, 3, 2)
    local outer <close> = cusp.GradientTape{persistent = true}
    outer:watch(x)
    local inner <close> = cusp.GradientTape()
    inner:watch(x)
    local gradient = inner:gradient(ops.sum(layer(x)), x)
    local hessian = ops.reshape(outer:jacobian(gradient, x), {6, 6})
    assert.is_true(ops.max(ops.abs(hessian - ops.transpose(hessian))):item() < 1e-12)
    assert.is_true(ops.max(ops.abs(hessian)):item() > 1e-3)
  end)
end)
