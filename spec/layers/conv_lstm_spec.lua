-- Convolutional LSTMs; spec/golden_spec.lua runs their golden cases.
local check_layer = require "spec.support.layer"
local cusp = require "cusp"

local layers = cusp.layers

local function near(a, b)
  local x, y = a:flat(), b:flat()
  assert.equal(#x, #y)
  for i = 1, #x do assert.near(y[i], x[i], 1e-5) end
end

describe("every convolutional LSTM:", function()
  local rows = {
    {"ConvLSTM1D", {filters = 3, kernel_size = 2}, {2, 3, 5, 2}, {2, 4, 3}},
    {"ConvLSTM2D", {filters = 3, kernel_size = 2, strides = 2, return_sequences = true},
      {2, 3, 5, 4, 2}, {2, 3, 2, 2, 3}},
    {"ConvLSTM2D", {filters = 3, kernel_size = 3, padding = "same", return_state = true},
      {2, 2, 4, 4, 2},
      {{2, 4, 4, 3}, {2, 4, 4, 3}, {2, 4, 4, 3}}},
    {"ConvLSTM2D", {filters = 3, kernel_size = 2, data_format = "channels_first"}, {2, 3, 2, 5, 4},
      {2, 3, 4, 3}},
    {"ConvLSTM3D", {filters = 2, kernel_size = 2}, {1, 2, 3, 3, 3, 1}, {1, 2, 2, 2, 2}},
  }
  for i, row in ipairs(rows) do
    it(("%s (%d)"):format(row[1], i), function()
      check_layer{class = layers[row[1]], arguments = row[2], input_shape = row[3],
        output_shape = row[4], weights = 3, trainable = 3}
    end)
  end
end)

describe("ConvLSTM2D", function()
  local x = cusp.random.normal{2, 3, 4, 4, 2}

  it("is the cell, step by step", function()
    local layer = layers.ConvLSTM2D{3, 3, padding = "same"}
    local last, cell = layer(x), layer.cell
    local states = cell:get_initial_state(2)
    for time = 1, 3 do states = cell:call(x:take(time - 1, 2), states)[2] end
    near(last, states[1])
  end)

  it("leaves masked steps out", function()
    local layer = layers.ConvLSTM2D{3, 3, padding = "same"}
    local mask = cusp.tensor{{true, true, false}, {true, true, false}}
    near(layer(x, {mask = mask}), layer(x:slice{{}, {1, 2}}))
  end)

  it("goes on from its states where it is stateful", function()
    local layer = layers.ConvLSTM2D{3, 3, padding = "same", stateful = true}
    local whole = layers.ConvLSTM2D{3, 3, padding = "same"}
    whole:build{2, 3, 4, 4, 2}
    layer:build{2, 3, 4, 4, 2}
    layer:set_weights(whole:get_weights())
    layer(x:slice{{}, {1, 2}})
    near(layer(x:slice{{}, {3, 3}}), whole(x))
    layer:reset_states()
    near(layer(x), whole(x))
  end)

  it("drops in training alone, the same at every step", function()
    local layer = layers.ConvLSTM2D{3, 3, padding = "same", dropout = 0.5, recurrent_dropout = 0.5,
      seed = 1}
    local plain = layer(x)
    near(layer(x), plain)
    assert.is_true(layer(x, {training = true}):subtract(plain):abs():max():item() > 1e-3)
    near(layer(x), plain)
  end)

  it("begins with a forget bias of 1", function()
    local layer = layers.ConvLSTM2D(2, 3)
    layer(x)
    assert.same({0, 0, 1, 1, 0, 0, 0, 0}, layer.cell.bias:flat())
  end)

  it("says what is wrong", function()
    local function raises(f, part)
      local ok, message = pcall(f)
      assert(not ok and message:find(part, 1, true),
        ("expected '%s' in: %s"):format(part, tostring(message)))
    end
    raises(function() layers.ConvLSTM2D(3, 3)(cusp.Input{3, cusp.None, 4, 2}) end, "known sizes")
    raises(function() layers.ConvLSTM2D(3, 5)(x) end, "does not fit")
    raises(function() layers.ConvLSTM2D(3, 3)(cusp.ones{2, 3, 4}) end, "5")
    raises(function()
      layers.ConvLSTM2D{3, 3, strides = 2, dilation_rate = 2}
    end, "cannot both be above 1")
  end)
end)
