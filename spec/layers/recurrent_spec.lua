-- Recurrent layers over a cell of a user's, and operations that repeat a function, against Keras 3:
-- as they stand and compiled, where the cell and the function are traced once.
local cases = require "spec.support.cases"
local cusp = require "cusp"
local waves = require "spec.support.waves"

local layers, ops = cusp.layers, cusp.ops
local fixture = cases.read "layers/recurrent.json.gz"

-- Two states; the output is neither.
local Cell = layers.Layer:extend("TwoStatesCell", {
  config = {{"units", "integer"}},
  call_arguments = {"states", "training"},
})

function Cell:init(args)
  self:configure(args, Cell)
  layers.Layer.init(self, args)
  self.state_size, self.output_size = {self.units, self.units}, self.units
end

function Cell:build(shape)
  local units = self.units
  self.kernel = self:add_weight{shape = {shape[#shape], units}, name = "kernel"}
  self.recurrent = self:add_weight{shape = {units, units}, name = "recurrent"}
  self.gate = self:add_weight{shape = {units}, name = "gate"}
end

function Cell:call(x, states)
  local h, c = states[1], states[2]
  local z = ops.tanh(ops.matmul(x, self.kernel) + ops.matmul(h, self.recurrent))
  c = c * ops.sigmoid(self.gate) + z
  h = z * ops.tanh(c)
  return {h + c * 0.5, {h, c}}
end

local function layer_of(kind, flags)
  local options = {}
  for name, value in pairs(flags) do options[name] = value end
  if kind == "distributed" then
    return layers.TimeDistributed(layers.Dense{3, activation = "tanh"})
  end
  options[1] = kind == "stacked" and {Cell(3), Cell(2)} or Cell(3)
  local layer = layers.RNN(options)
  return kind == "bidirectional" and layers.Bidirectional(layer) or layer
end

local function flatten(value)
  local out = {}
  for _, leaf in ipairs(type(value) == "table" and value or {value}) do
    if type(leaf) == "table" then
      for _, inner in ipairs(flatten(leaf)) do out[#out + 1] = inner end
    else
      out[#out + 1] = leaf
    end
  end
  return out
end

local function check(expected, got, text)
  assert.equal(#expected, #got, text)
  for i, values in ipairs(expected) do
    local flat = type(got[i]) == "number" and {got[i]} or got[i]:flat()
    assert.equal(#values, #flat, text)
    for k, value in ipairs(values) do
      if math.abs(value - flat[k]) > 3e-5 * math.max(1, math.abs(value)) then
        error(("%s: tensor %d is %g at %d, Keras has %g"):format(text, i, flat[k], k, value))
      end
    end
  end
end

describe("RNN over a user's cell", function()
  it("takes a list of cells, also with keyword arguments beside them", function()
    local cells = {layers.LSTMCell(3), layers.GRUCell(2)}
    local alone, named = layers.RNN(cells), layers.RNN{cells[1], cells[2], return_sequences = true}
    assert.same({2, 2}, {table.unpack(alone(cusp.ones{2, 5, 4}).shape)})
    assert.same({2, 5, 2}, {table.unpack(named(cusp.ones{2, 5, 4}).shape)})
    assert.same({2, 5, 2},
      {table.unpack(layers.RNN(cells, {return_sequences = true})(cusp.ones{2, 5, 4}).shape)})
  end)

  for _, kind in ipairs{"rnn", "stacked", "bidirectional", "distributed"} do
    it(("gives what Keras gives, as it stands and compiled: %s"):format(kind), function()
      local x = waves.cosines{2, 5, 4}
      for _, case in ipairs(fixture.cases) do
        if case.kind == kind then
          local mask = fixture.masks[case.mask]
          mask = not cases.is_null(mask) and ops.cast(cusp.tensor(mask), "bool") or nil
          local layer = layer_of(kind, case.flags)
          layer(x)
          waves.fill(layer.weights)
          local function outputs_and_gradients(inputs)
            local tape <close> = cusp.GradientTape()
            tape:watch(inputs)
            local outputs, total = flatten(layer(inputs, {mask = mask})), 0
            for _, output in ipairs(outputs) do total = total + ops.sum(ops.sin(output)) end
            local gradients = tape:gradient(total, {inputs, table.unpack(layer.trainable_weights)},
              {unconnected_gradients = "zero"})
            return outputs, gradients
          end
          local text = cusp.json.encode{kind, case.flags, case.mask}
          for _, f in ipairs{outputs_and_gradients, cusp.compile(outputs_and_gradients)} do
            local outputs, gradients = f(x)
            check(case.outputs, outputs, text .. " outputs")
            check(case.gradients, gradients, text .. " gradients")
          end
        end
      end
    end)
  end

  it("traces the cell once, whatever the length", function()
    local calls = 0
    local Counting = Cell:extend("CountingCell", {
      call = function(self, ...)
        calls = calls + 1
        return Cell.call(self, ...)
      end,
    })
    local layer = layers.RNN(Counting(3))
    local f = cusp.compile(function(x) return layer(x) end)
    layer(cusp.ones{2, 1, 4})
    for _, length in ipairs{4, 300} do
      calls = 0
      f(cusp.ones{2, length, 4})
      assert.equal(1, calls)
    end
    calls = 0
    layers.RNN{Counting(3), unroll = true}(cusp.ones{2, 4, 4})
    assert.equal(4, calls)
  end)

  it("carries states, random draws, statistics and losses of its cell", function()
    local function make()
      local Busy = Cell:extend("BusyCell", {
        call = function(self, x, states, args)
          self.norm = self.norm or layers.BatchNormalization()
          self.dense = self.dense or layers.Dense{4, activity_regularizer = "l2"}
          x = self.dense(self.norm(x, {training = args.training}))
          x = x + cusp.random.normal(x.shape, {seed = self.generator, stddev = 0.1})
          return Cell.call(self, x, states, args)
        end,
      })
      local cell = Busy(3)
      cell.generator = cusp.random.SeedGenerator(5)
      local layer = layers.RNN{cell, stateful = true}
      layer(cusp.ones{2, 5, 4})
      waves.fill(layer.trainable_weights)
      layer:reset_state()
      cell.generator.state:assign(cusp.tensor({5, 0}, {dtype = cell.generator.state.dtype}))
      return layer, function(x)
        local y = layer(x, {training = true})
        return y, layer.losses[1], layer.states[1] * 1, layer.non_trainable_weights[1] * 1
      end
    end
    local x = waves.cosines{2, 5, 4}
    local _, eager = make()
    local layer, traced = make()
    traced = cusp.compile(traced)
    for _ = 1, 2 do
      local expected, got = {eager(x)}, {traced(x)}
      assert.equal(#expected, #got)
      check({expected[1]:flat(), expected[3]:flat(), expected[4]:flat()}, {got[1], got[3], got[4]},
        "busy")
      local total = 0
      for _, loss in ipairs(layer.losses) do total = total + loss end
      assert.is_true(total ~= nil)
    end
  end)
end)

describe("repeating a function", function()
  local function both(make, expected, text)
    check(expected, {make()}, text)
    check(expected, {cusp.compile(make)()}, text .. " compiled")
    local x = waves.cosines{4, 3}
    check(expected, {cusp.compile(make)(x)}, text .. " of an argument")
  end

  it("gives what Keras gives", function()
    local constant = waves.cosines{4, 3}
    local function step(carry, x)
      local h = ops.tanh(carry * 0.5 + x)
      return h, h * x
    end
    local programs = {
      scan = function(xs) return ops.scan(step, ops.zeros{3}, xs) end,
      reverse = function(xs) return ops.scan(step, ops.zeros{3}, xs, {reverse = true}) end,
      length = function()
        return (select(2, ops.scan(function(c) return c + 1, c * 2 end, ops.zeros{2},
          {length = 3})))
      end,
      ["while"] = function(xs)
        return ops.while_loop(function(i) return ops.less(i, 5) end,
          function(i, v) return i + 1, ops.tanh(v) + i end, {cusp.tensor(0), xs[1]})
      end,
      limited = function(xs)
        return ops.while_loop(function(v) return ops.less(ops.sum(v), 100) end,
          function(v) return v * 1.5 end, xs[1] + 2, {maximum_iterations = 3})
      end,
      fori = function(xs)
        return ops.fori_loop(2, 6, function(i, v) return ops.sin(v) + i end, xs[1])
      end,
      map = function(xs) return ops.map(function(x) return ops.cumsum(x) * 2 end, xs) end,
      associative = function(xs)
        return ops.associative_scan(function(a, b) return a * b end, xs),
          ops.associative_scan(ops.add, xs, {reverse = true, axis = 2})
      end,
    }
    for name, expected in pairs(fixture.loops) do
      both(function(xs) return programs[name](xs or constant) end, expected, name)
    end
  end)
end)
