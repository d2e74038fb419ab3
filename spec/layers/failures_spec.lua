--- What fails when values are computed is told in the name of what the user called: the layer, and
-- within it the operation; at the line of that call.
local cusp = require "cusp"
local message_of = require "spec.support.message"
local layers, ops = cusp.layers, cusp.ops

local function integers(t) return cusp.tensor(t, {dtype = "int32"}) end

describe("an index outside an Embedding's rows", function()
  local told = "emb %(Embedding%): the input holds 30, but input_dim = 10: indices are 0 to 9"
  local layer = layers.Embedding{10, 4, name = "emb"}
  local x = integers{{1, 2, 3}, {1, 2, 30}}

  it("is told by the layer, eager and compiled", function()
    assert.matches(told, message_of(function() return layer(x):tolist() end))
    local f = cusp.compile(function(t) return layer(t) end)
    assert.matches(told, message_of(function() return f(x):tolist() end))
  end)

  it("is told within a model, called, predicting and training", function()
    local m = cusp.Sequential{cusp.Input{3}, layer, layers.LSTM(2), layers.Dense(1)}
    m:compile{optimizer = "sgd", loss = "mse"}
    local before = m:get_weights()[1]:tolist()
    assert.matches(told, message_of(function() return m(x):tolist() end))
    assert.matches(told, message_of(function() return m:predict(x, {verbose = 0}) end))
    assert.matches(told, message_of(function()
      return m:fit{x, cusp.ones{2, 1}, verbose = 0}
    end))
    assert.same(before, m:get_weights()[1]:tolist())
  end)

  it("is told by the inner layer of a wrapper", function()
    local wrapped = layers.TimeDistributed(layer)
    assert.matches("emb %(Embedding%): the input holds 10,", message_of(function()
      return wrapped(integers{{{10}}}):tolist()
    end))
  end)
end)

describe("an operation that fails within", function()
  local singular = cusp.zeros{2, 2}

  it("a layer of the program's own, a Lambda or a functional model has its name", function()
    local Mine = layers.Layer:extend("MineThatFails", {
      call = function(_, x) return ops.inv(x) end,
    })
    local mine, lambda = Mine{name = "mine"}, layers.Lambda{ops.inv, name = "l"}
    local input = cusp.Input{2, 2}
    local model = cusp.Model{inputs = input, outputs = ops.inv(input), name = "f"}
    assert.matches("mine %(MineThatFails%): inv: the matrix is singular",
      message_of(function() return mine(singular):tolist() end))
    assert.matches("l %(Lambda%): inv: the matrix is singular",
      message_of(function() return lambda(singular):tolist() end))
    assert.matches("f %(Functional%): inv: the matrix is singular",
      message_of(function() return model(singular:expand_dims(1)):tolist() end))
  end)

  it("an operation composed of others has that one's name", function()
    local nan = cusp.zeros{2, 2} / 0
    assert.matches("norm %(made at .*did not converge",
      message_of(function() return ops.norm(nan, "nuc"):tolist() end))
    assert.matches("lstsq %(made at .*did not converge",
      message_of(function() return ops.lstsq(nan, nan):tolist() end))
  end)

  it("no layer any more has no layer's name", function()
    local layer = layers.Lambda(function(x) return x end)
    layer(singular)
    assert.matches(": inv %(made at", message_of(function() return ops.inv(singular):tolist() end))
    local inside = coroutine.wrap(function()
      return layers.Lambda(function(x) coroutine.yield(x) return x end)(singular)
    end)
    inside()
    assert.matches(": inv %(made at", message_of(function() return ops.inv(singular):tolist() end))
    inside()
    assert.matches(": inv %(made at", message_of(function() return ops.inv(singular):tolist() end))
  end)
end)

describe("a graph that was planned before", function()
  it("fails at the line of its own operations", function()
    local here = debug.getinfo(1, "l").currentline
    local x, index = cusp.ones{4}, integers{7}
    local first = ops.take(x, index)
    local second = ops.take(x, index)
    assert.matches(":" .. here + 2 .. "%): index 7", message_of(first.tolist, first))
    assert.matches(":" .. here + 3 .. "%): index 7", message_of(second.tolist, second))
  end)
end)

describe("positions in several axes", function()
  it("are told whole", function()
    assert.matches("scatter_update %(made at .*index {7, 0} lies outside the shape %[3, 3%]",
      message_of(function()
        return ops.scatter_update(cusp.eye(3), integers{{1, 1}, {7, 0}}, cusp.ones{2}):tolist()
      end))
  end)
end)
