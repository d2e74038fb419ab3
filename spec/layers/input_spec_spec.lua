-- What layers say of their inputs.
local cusp = require "cusp"

local layers = cusp.layers
local InputSpec = layers.InputSpec

local function layer_with(spec)
  local Own = cusp.Layer:extend("Specified", {
    init = function(self, args)
      cusp.Layer.init(self, args)
      self.input_spec = spec
    end,
    call = function(_, x) return x end,
  })
  return Own{name = "s"}
end

describe("InputSpec", function()
  it("is checked at each call", function()
    local layer = layer_with(InputSpec{shape = {cusp.None, 3}, dtype = "float32"})
    layer(cusp.ones{2, 3})
    assert.error_matches(function() layer(cusp.ones{2, 4}) end,
      "s %(Specified%): expected shape %[None, 3%] of the input; got shape %[2, 4%]")
    assert.error_matches(function() layer(cusp.ones{3}) end, "expected 2 axes")
    local low = layer_with(InputSpec{min_ndim = 2, max_ndim = 3, axes = {[-1] = 4}})
    low(cusp.ones{1, 2, 4})
    assert.error_matches(function() low(cusp.ones{4}) end, "at least 2 axes")
    assert.error_matches(function() low(cusp.ones{1, 1, 1, 4}) end, "at most 3 axes")
    assert.error_matches(function() low(cusp.ones{1, 3}) end, "size 4 in axis %-1")
    local typed = layer_with(InputSpec{dtype = "int32"})
    assert.error_matches(function() typed(cusp.ones{2}) end, "dtype int32, got float32")
  end)

  it("says which axis may be missing", function()
    local function stack(shape, ...) return cusp.Sequential{cusp.Input{shape = shape}, ...} end
    assert.error_matches(function() stack({5, 2}, layers.LSTM(4), layers.LSTM(4)) end,
      "%[None, 4%]; a recurrent layer gives all steps with return_sequences = true; else")
    assert.error_matches(function() stack({28, 28}, layers.Conv2D{8, 3}) end,
      "%[None, 28, 28%]; x:expand_dims%(%-1%) gives a channel axis$")
    assert.error_matches(function() layers.Conv2D{8, 3}(cusp.ones{28, 28, 1}) end,
      "no batch axis yet, x:expand_dims%(1%) gives one, and x:expand_dims%(%-1%) a channel axis$")
  end)

  it("lets a last axis of 1 be there or not", function()
    local layer = layer_with(InputSpec{shape = {cusp.None, 1}, allow_last_axis_squeeze = true})
    layer(cusp.ones{2, 1})
    layer(cusp.ones{2})
    assert.has_error(function() layer(cusp.ones{2, 3}) end)
  end)

  it("finds inputs by name, and may leave some out", function()
    local layer = layer_with{InputSpec{ndim = 2, name = "a"},
      InputSpec{ndim = 1, name = "b", optional = true}}
    layer{b = cusp.ones{3}, a = cusp.ones{2, 2}}
    layer{a = cusp.ones{2, 2}}
    assert.error_matches(function() layer{b = cusp.ones{3}} end,
      "expected an input named 'a'")
    assert.error_matches(function() layer{a = cusp.ones{3}, b = cusp.ones{3}} end,
      "2 axes of input 1")
  end)

  it("has Keras's configuration, with axes from 0", function()
    local spec = InputSpec{min_ndim = 2, axes = {[1] = 2, [-1] = 3}, dtype = "float16"}
    local config = spec:get_config()
    assert.are.same({["0"] = 2, ["-1"] = 3}, {["0"] = config.axes["0"], ["-1"] = config.axes["-1"]})
    assert.are.equal(cusp.null, config.shape)
    local copy = InputSpec:from_config(config)
    assert.are.same({[1] = 2, [-1] = 3}, copy.axes)
    assert.are.equal("float16", copy.dtype)
    assert.are.equal(cusp.InputSpec, InputSpec)
  end)

  it("is refused where it contradicts itself", function()
    assert.error_matches(function() InputSpec{ndim = 2, axes = {[3] = 1}} end, "axis 3 is beyond")
    assert.error_matches(function() InputSpec{axes = {a = 1}} end, "argument 'axes'")
    assert.error_matches(function() InputSpec{ndims = 1} end, "unknown argument 'ndims'")
  end)
end)
