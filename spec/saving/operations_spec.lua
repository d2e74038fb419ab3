-- Functional models of operations, in whatever form they are called, are the same when read again.
local cusp = require "cusp"
local layers, models, ops = cusp.layers, cusp.models, cusp.ops

local value = cusp.random.normal({2, 3, 4}, {seed = 1})
local four = cusp.tensor{{1.0, 2}, {3, 4}, {5, 6}, {7, 8}}

local cases = {
  index = function(x) return x[-1] end,
  slice = function(x) return x:slice{{}, {2, -1}, cusp.newaxis} end,
  slice_op = function(x) return ops.slice(x, {0, 1, 0}, {2, 2, 3}) end,
  method = function(x) return x:sum{axis = 2, keepdims = true} end,
  operators = function(x) return 2 ^ -x + (1 - x) % 3 // 0.5 end,
  masks = function(x) return ops.where((x > 0) & ~(x > 1), x, 0.5) end,
  with = function(x) return x:with({"...", {1, 2}}, 7) end,
  einsum = function(x) return ops.einsum("bij,bkj->bik", x, x) end,
  rearrange = function(x) return ops.rearrange(x, "b c (h w) -> b (c h) w", {h = 2}) end,
  constant_factor = function(x) return ops.matmul(x, four) end,
  constant_in_list = function(x) return ops.concatenate({x, cusp.ones{2, 3, 4}}, {axis = 1}) end,
  variable = function(x) return x * cusp.Variable(cusp.ones{4} * 3, {trainable = false}) end,
  sizes = function(x)
    local shape = ops.shape(x)
    return ops.reshape(x, {shape[1], shape[2] * shape[3]})
  end,
  size_and_rest = function(x) return ops.reshape(x, {x.shape[1], -1}) end,
  image = function(x) return ops.image.resize(ops.expand_dims(x, -1), {6, 8}) end,
  patches = function(x) return ops.image.extract_patches(ops.expand_dims(x, -1), {2, 2}) end,
  grey = function(x) return ops.image.rgb_to_grayscale(ops.stack({x, x, x}, {axis = 4})) end,
  fourier = function(x) return (ops.fft{x, x * 0}) end,
  clip = function(x) return x:clip(-0.5, 0.5) end,
  repeated = function(x) return ops.repeat_(x, 2, {axis = 2}) end,
  sought = function(x)
    return ops.searchsorted(cusp.tensor{-1.0, 0.0, 1.0}, ops.reshape(x, {-1}))
  end,
  several = function(x)
    local values, places = ops.top_k(x, 2)
    return values + ops.cast(places, "float32") + ops.split(x, {2}, 3)[1]
  end,
  layers = function(x) return layers.Add(){layers.Flatten()(x), ops.reshape(x, {-1, 12}) * 2} end,
}

describe("a model of operations", function()
  for name, f in pairs(cases) do
    for _, free in ipairs{true, false} do
      it(("reads back as it was: %s, batch %s"):format(name, free and "free" or "fixed"), function()
        local input = cusp.Input(free and {shape = {3, 4}} or {batch_shape = {2, 3, 4}})
        local model = cusp.Model(input, f(input))
        local wanted = model(value)
        for _, format in ipairs{"keras3", "h5"} do
          local result = models.model_from_json(model:to_json{format = format})(value)
          assert.same(wanted.shape, result.shape)
          assert.equal(wanted.dtype, result.dtype)
          assert.same(wanted:tolist(), result:tolist())
        end
      end)
    end
  end

  it("has Keras's classes, modules and configurations", function()
    local function form(f)
      local input = cusp.Input{batch_shape = {2, 3, 4}}
      local config = cusp.json.decode(cusp.Model(input, f(input)):to_json{format = "keras3"}).config
      return config.layers[#config.layers]
    end
    local einsum = form(cases.einsum)
    assert.equal("bij,bkj->bik", einsum.config.subscripts)
    assert.equal(2, #einsum.inbound_nodes[1].args)
    local grey = form(cases.grey)
    assert.same({"keras.src.ops.image", "RGBToGrayscale"}, {grey.module, grey.class_name})
    local rearrange = form(cases.rearrange)
    assert.same({2, 2}, {rearrange.inbound_nodes[1].kwargs.h, #rearrange.inbound_nodes[1].args})
    assert.equal(-0.5, form(cases.clip).config.x_min)
    assert.same({"keras.src.ops.math", "FFT"},
      {form(cases.fourier).module, form(cases.fourier).class_name})
  end)
end)
