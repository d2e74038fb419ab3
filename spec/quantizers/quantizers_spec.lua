-- The functions of cusp.quantizers as Keras computes them, and the classes.
local cases = require "spec.support.cases"
local cusp = require "cusp"

local ops, quantizers = cusp.ops, cusp.quantizers
local fixture = cases.read "layers/quantization.json.gz"

local function moved(axis)
  if type(axis) ~= "table" then return axis >= 0 and axis + 1 or axis end
  local result = {}
  for i = 1, #axis do result[i] = moved(axis[i]) end
  return result
end

-- The arguments of a case, with axes as they are here.
local function arguments_of(case)
  local arguments = {}
  for i, value in ipairs(case.arguments) do
    arguments[i] = type(value) == "table" and value.tensor and cases.tensor(value) or value
  end
  for key, value in pairs(case.keywords) do
    arguments[key] = key == "axis" and moved(value) or value
  end
  if case.name == "abs_max_quantize" then arguments[2] = moved(arguments[2]) end
  return arguments
end

describe("quantizers", function()
  for i, case in ipairs(fixture.functions) do
    it(("%s (%d) gives what Keras's does"):format(case.name, i), function()
      local results = {quantizers[case.name](arguments_of(case))}
      for n, want in ipairs(case.results) do
        local got = results[n]
        assert.are.equal(want.tensor.dtype, got.dtype)
        assert.are.same({table.unpack(want.tensor.shape)}, got.shape)
        cases.compare(got, want, {atol = 1e-7, rtol = 1e-6}, "result " .. n)
      end
    end)
  end

  it("give the length that was packed, and refuse what cannot be", function()
    local _, shape, length = quantizers.pack_int4(ops.cast(ops.ones{3, 2}, "int8"))
    assert.are.same({2, 2}, shape)
    assert.are.equal(3, length)
    local function fails(pattern, f, ...)
      local ok, message = pcall(f, ...)
      assert.is_false(ok)
      assert.matches(pattern, message)
    end
    fails("dtype int8, got float32", quantizers.pack_int4, ops.ones{3, 2})
    fails("5 integers take 3 bytes", quantizers.unpack_int4, ops.cast(ops.ones{2}, "int8"), 5)
    fails("out of range", quantizers.pack_int4, ops.cast(ops.ones{3, 2}, "int8"), 4)
    fails("value_range", quantizers.abs_max_quantize, ops.ones{2}, 1, {5, 3})
    fails("value_range", quantizers.AbsMaxQuantizer, {value_range = {-200, 127}})
    fails("a matrix", quantizers.abs_max_quantize_grouped_with_zero_point, ops.ones{2}, 1)
  end)

  it("pass gradients of fake quantization to values within, and to the ends", function()
    local x = cusp.tensor{-1.0, 0.1, 0.2, 3.0}
    local low, high = cusp.tensor(-0.5), cusp.tensor(0.5)
    local tape <close> = cusp.GradientTape()
    for _, source in ipairs{x, low, high} do tape:watch(source) end
    local y = quantizers.fake_quant_with_min_max_vars(x, low, high)
    local gradients = tape:gradient(ops.sum(y * cusp.tensor{1.0, 2.0, 3.0, 4.0}), {x, low, high})
    assert.are.same({0, 2, 3, 0}, gradients[1]:flat())
    assert.are.equal(1, gradients[2]:item())
    assert.are.equal(4, gradients[3]:item())
  end)

  it("are found by name and written in Keras's form", function()
    local quantizer = quantizers.get "AbsMaxQuantizer"
    assert.are.same({-127, 127}, quantizer.value_range)
    assert.is_nil(quantizers.get(nil))
    local made = quantizers.AbsMaxQuantizer{axis = {1, -1}, epsilon = 0.5}
    local form = quantizers.serialize(made)
    assert.are.same({0, -1}, form.config.axis)
    local again = quantizers.deserialize(cusp.json.decode(cusp.json.encode(form)))
    assert.are.same({1, -1}, again.axis)
    assert.are.equal(0.5, again.epsilon)
    local config = quantizers.Int4QuantizationConfig{block_size = 32}
    local read = quantizers.deserialize(cusp.json.decode(cusp.json.encode(
      quantizers.serialize(config))))
    assert.are.equal(32, read.block_size)
    assert.are.equal("int4", read.mode)
    assert.is_nil(read.activation_quantizer)
  end)

  it("can be a class of the program", function()
    local Halves = quantizers.Quantizer:extend("Halves", {
      call = function(_, x, axis)
        local scale = ops.full_like(ops.max(x, {axis = axis, keepdims = true}), 2)
        return ops.cast(ops.round(x * 2), "int8"), scale
      end,
    })
    local dense = cusp.layers.Dense{2, use_bias = false}
    dense:build{3, 2}
    dense.kernel:assign{{1, 0}, {0, 1}}
    dense:quantize{config = quantizers.Int8QuantizationConfig{activation_quantizer = Halves()}}
    cases.compare(dense(cusp.tensor{{0.6, 1.9}}), {data = {0.5, 2}}, {atol = 1e-5}, "outputs")
  end)
end)

describe("dtype policies of quantized layers", function()
  local policies = cusp.dtype_policies

  it("have Keras's names, dtypes and forms", function()
    for name, want in pairs{
      ["int8_from_float32"] = {"QuantizedDTypePolicy", "float32", "float32", "int8"},
      ["int8_from_mixed_bfloat16"] = {"QuantizedDTypePolicy", "bfloat16", "float32", "int8"},
      ["int4/32_from_float32"] = {"Int4DTypePolicy", "float32", "float32", "int4"},
      ["int4_from_float32"] = {"QuantizedDTypePolicy", "float32", "float32", "int4"},
      ["float8_from_mixed_bfloat16"] = {"QuantizedFloat8DTypePolicy", "bfloat16", "float32",
        "float8"},
    } do
      local policy = policies.get(name)
      assert.are.same(want, {policy.__name, policy.compute_dtype, policy.variable_dtype,
        policy.quantization_mode})
      assert.are.equal(name, policy.name)
      local form = cusp.json.decode(cusp.json.encode(policies.serialize(policy)))
      assert.is_true(policies.deserialize(form) == policy)
    end
    assert.are.equal("int8_from_float32", policies.QuantizedDTypePolicy("int8").name)
    assert.are.equal(3, policies.QuantizedFloat8DTypePolicy{"float8",
      amax_history_length = 3}.amax_history_length)
    assert.is_nil(policies.get("float32").quantization_mode)
  end)

  it("refuse modes that are not there", function()
    for _, name in ipairs{"int8_from_float16", "int7_from_float32", "int4/0_from_float32",
      "int8_from_nothing"} do
      assert.is_false(pcall(policies.get, name), name)
    end
    assert.is_false(pcall(policies.Int4DTypePolicy, "int4"))
    assert.is_false(pcall(policies.QuantizedDTypePolicy, "int4/8"))
  end)

  it("can be those of paths", function()
    local map = policies.DTypePolicyMap{"float32",
      policy_map = {["a/b"] = "int8_from_float32", ["a/.*"] = "mixed_bfloat16"}}
    assert.are.equal("int8_from_float32", map:get("a/b").name)
    assert.are.equal("mixed_bfloat16", map:get("a/c").name)
    assert.are.equal("float32", map:get("a").name)
    assert.are.equal("map_float32", map.name)
    assert.are.equal(2, #map)
    assert.is_false(pcall(map.set, map, "a/b", "float32"))
    map:set("a/c.*", "float32")
    assert.is_false(pcall(map.get, map, "a/cd"))
    local form = cusp.json.decode(cusp.json.encode(policies.serialize(map)))
    assert.are.equal("int8_from_float32", policies.deserialize(form):get("a/b").name)
  end)
end)
