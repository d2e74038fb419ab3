-- Quantized layers: weights, outputs, gradients and files as Keras has them.
local cases = require "spec.support.cases"
local cusp = require "cusp"
local folder = require "spec.support.folder"

local layers, ops = cusp.layers, cusp.ops
local fixture = cases.read "layers/quantization.json.gz"

-- Multiples of 1/64, as the script that made the fixture has them.
local function steps(shape, start)
  local count = 1
  for _, size in ipairs(shape) do count = count * size end
  local values = {}
  for i = 0, count - 1 do values[i + 1] = ((i * 37 + (start or 0) * 11) % 101 - 50) / 64 end
  return cusp.tensor(values, {shape = {table.unpack(shape)}, dtype = "float32"})
end

local function identities(shape)
  local values, count = {}, 1
  for _, size in ipairs(shape) do count = count * size end
  for i = 0, count - 1 do values[i + 1] = i * 3 % 7 end
  return cusp.tensor(values, {shape = {table.unpack(shape)}, dtype = "int32"})
end

local function fill(variables, start)
  for i, variable in ipairs(variables) do
    variable:assign(ops.cast(steps(variable.shape, i - 1 + (start or 0)), variable.dtype))
  end
end

local function adapted(variables)
  local result = {}
  for _, variable in ipairs(variables) do
    if variable.name:find "^lora" then result[#result + 1] = variable end
  end
  return result
end

local function names_of(variables)
  local names = {}
  for i, variable in ipairs(variables) do names[i] = variable.name end
  return names
end

local function config_of(form)
  return not cases.is_null(form) and cusp.quantizers.deserialize(form) or nil
end

local function text(value) return not cases.is_null(value) and value or nil end

-- The layer of a case, quantized and adapted.
local function quantized(case)
  local layer = layers.deserialize(case.layer)
  layer:build(case.shape)
  fill(layer.variables)
  if text(case.lora) == "before" then layer:enable_lora{2, lora_alpha = 3} end
  layer:quantize{case.mode, config = config_of(case.config)}
  if text(case.lora) == "after" then layer:enable_lora{2, lora_alpha = 3} end
  if text(case.lora) then fill(adapted(layer.variables), 3) end
  return layer
end

local function call(layer, case, x)
  if cases.is_null(case.reverse) then return layer(x) end
  return layer(x, {reverse = case.reverse})
end

local function check_store(layer, case)
  local store = {}
  layer:save_own_variables(store)
  for i, want in ipairs(case.store) do
    local got = store[tostring(i - 1)]
    assert.are.equal(want.tensor.dtype, got.dtype)
    assert.are.same({table.unpack(want.tensor.shape)}, got.shape)
    local tolerance = got.dtype == "int8" and {atol = 0, rtol = 0} or {atol = 1e-6, rtol = 1e-6}
    cases.compare(got, want, tolerance, "weight " .. i)
  end
  assert.is_nil(store[tostring(#case.store)])
end

local function check_gradient(layer, case, x)
  if cases.is_null(case.gradient) then return end
  local tape <close> = cusp.GradientTape()
  tape:watch(x)
  local loss = ops.sum(ops.sin(ops.cast(call(layer, case, x), "float32")))
  local tolerance = case.policy:find "bfloat16" and {atol = 0.1, rtol = 0.05} or {atol = 1e-4}
  cases.compare(tape:gradient(loss, x), case.gradient, tolerance, "gradient")
end

local function name_of(case)
  local config = case.layer.config
  return ("%s %s %s %s%s%s"):format(case.layer.class_name, text(config.equation) or "", case.policy,
    table.concat(case.shape, "x"), text(case.lora) and ", lora " .. case.lora or "",
    text(case.reverse) and ", reverse" or "")
end

describe("quantized layers", function()
  for _, case in ipairs(fixture.layers) do
    it(name_of(case), function()
      local layer = quantized(case)
      local x = case.ids and identities(case.shape) or steps(case.shape, 5)
      assert.are.equal(case.policy, layer.dtype_policy)
      assert.are.equal(case.mode, layer.quantization_mode)
      assert.are.same({table.unpack(case.names)}, names_of(layer.variables))
      assert.are.same({table.unpack(case.trainable)}, names_of(layer.trainable_variables))
      check_store(layer, case)
      local is_half = case.policy:find "bfloat16"
      local tolerance = is_half and {atol = 0.02, rtol = 0.02} or {atol = 1e-5, rtol = 1e-5}
      cases.compare(call(layer, case, x), case.outputs, tolerance, "outputs")
      local compiled = cusp.compile(function(input) return call(layer, case, input) end)
      cases.compare(compiled(x), case.outputs, tolerance, "compiled outputs")
      check_gradient(layer, case, x)
    end)

    it(name_of(case) .. ": in a configuration", function()
      local layer = quantized(case)
      local form = layers.serialize(layer).config
      assert.are.same(cusp.json.encode(case.quantized_form.dtype), cusp.json.encode(form.dtype))
      assert.are.same(case.quantized_form.quantization_config, form.quantization_config)
      local again = layers.deserialize(cusp.json.decode(cusp.json.encode(layers.serialize(layer))))
      again:build(case.shape)
      if text(case.lora) and not again.lora_enabled then again:enable_lora(2) end
      local store = {}
      layer:save_own_variables(store)
      again:load_own_variables(store)
      again:save_own_variables(store)
      -- what was adapted is rounded once more
      for i, want in ipairs(text(case.lora) and {} or case.store) do
        cases.compare(store[tostring(i - 1)], want, {atol = 0}, "again")
      end
    end)
  end

  it("take equations with an ellipsis, which Keras does not quantize", function()
    for _, pair in ipairs{
      {"...x,xy->...y", {4}, "abx,xy->aby", {cusp.None, 4}, {2, 3, 5}},
      {"ab...,bc->ac...", {4}, "abx,bc->acx", {4, cusp.None}, {2, 5, 3}},
    } do
      local short, long = layers.EinsumDense(pair[1], pair[2]), layers.EinsumDense(pair[3], pair[4])
      for _, layer in ipairs{short, long} do
        layer:build(pair[5])
        fill(layer.variables)
        layer:quantize "int8"
      end
      local x = steps(pair[5], 5)
      cases.compare(short(x), {shape = pair[5], data = long(x):flat()}, {atol = 1e-6}, pair[1])
    end
  end)

  it("make their integers when the policy is given or set", function()
    local set, given = layers.Dense{5}, layers.Dense{5, dtype = "int8_from_float32"}
    set:build{3, 8}
    given:build{3, 8}
    assert.are.equal("int8", given.kernel.dtype)
    assert.are.equal(0, ops.max(ops.abs(given.kernel.value)):item())
    set.dtype_policy = "int8_from_float32"
    assert.are.equal("int8", set.kernel.dtype)
    assert.are.equal("int8", set.quantization_mode)
    assert.is_true(ops.max(ops.abs(set.kernel.value)):item() == 127)
  end)

  it("refuse what cannot be, and stay as they are", function()
    local dense = layers.Dense{5, name = "d"}
    local function fails(pattern, f, ...)
      local ok, message = pcall(f, ...)
      assert.is_false(ok)
      assert.matches(pattern, message)
    end
    fails("has no weights yet", dense.quantize, dense, "int8")
    dense:build{3, 8}
    fails("the mode should be", dense.quantize, dense, "int3")
    fails("quantize: write it with a colon", cusp.Sequential{dense}.quantize, "int8")
    fails("expected a mode", dense.quantize, dense)
    fails("the mode is \"int8\", but the configuration's is \"int4\"", dense.quantize, dense,
      {"int8", config = cusp.quantizers.Int4QuantizationConfig()})
    fails("should be a configuration", dense.quantize, dense, {"int8", config = 3})
    local wrong = cusp.quantizers.Int8QuantizationConfig{cusp.quantizers.AbsMaxQuantizer()}
    fails("", dense.quantize, dense, {config = wrong})
    assert.are.equal("float32", dense.dtype_policy)
    assert.are.equal("float32", dense.kernel.dtype)
    assert.is_nil(dense.quantization_config)
    assert.are.equal(2, #dense.variables)
    dense:quantize{config = cusp.quantizers.Int8QuantizationConfig()}
    fails("quantized already", dense.quantize, dense, "int8")
    local conv = layers.Conv1D(2, 3)
    conv:build{2, 8, 3}
    fails("layers of this class cannot be quantized", conv.quantize, conv, "int8")
    local half = layers.Dense{5, dtype = "float16"}
    half:build{3, 8}
    fails("does not go with computing in float16", half.quantize, half, "int8")
    assert.are.equal("float16", half.kernel.dtype)
    local Mine = layers.Dense:extend "Mine"
    local mine = Mine{5}
    mine:build{3, 8}
    fails("cannot be quantized", mine.quantize, mine, "int8")
    mine:quantize{"int8", type_check = false}
    assert.are.equal("int8", mine.kernel.dtype)
  end)

  it("give NaN for rows with NaN or infinities, and zeros for zeros", function()
    local dense = layers.Dense{2, use_bias = false}
    dense:build{3, 3}
    dense:quantize "int8"
    local y = dense(cusp.tensor{{1, 0 / 0, 2}, {math.huge, 1, 2}, {0, 0, 0}}):flat()
    assert.is_true(y[1] ~= y[1] and y[2] ~= y[2] and y[3] ~= y[3] and y[4] ~= y[4])
    assert.are.same({0, 0}, {y[5], y[6]})
    assert.are.same({0, 2}, dense(ops.zeros{0, 3}).shape)
  end)
end)

describe("quantized models", function()
  for _, case in ipairs(fixture.training) do
    it("train as Keras's: " .. case.mode .. (case.lora and ", lora" or ""), function()
      local model = cusp.Sequential{cusp.Input{shape = {6}}, layers.Dense{4, "tanh", name = "a"},
        layers.Dense{2, name = "b"}}
      fill(model.variables)
      model:quantize(case.mode)
      if case.lora then
        model.layers[1]:enable_lora(2)
        fill(adapted(model.layers[1].variables), 3)
      end
      model:compile{cusp.optimizers.SGD(0.1), "mse"}
      local x, y = steps({8, 6}, 1), steps({8, 2}, 2)
      local history = model:fit{x, y, batch_size = 4, epochs = 2, shuffle = false, verbose = 0}
      cases.compare(cusp.tensor(history.history.loss), {data = case.loss}, {}, "loss")
      for i, want in ipairs(case.weights) do
        cases.compare(model.trainable_variables[i].value, want, {}, "weight " .. i)
      end
      cases.compare(model:predict{x, verbose = 0}, case.outputs, {}, "outputs")
    end)
  end

  for i, case in ipairs(fixture.float8) do
    it(("train with products of 8 bits as Keras's: %s, %d"):format(case.source, i), function()
      local policy = cusp.dtype_policies.QuantizedFloat8DTypePolicy{"float8", case.source,
        amax_history_length = 4}
      local model = cusp.Sequential{cusp.Input{shape = {3, 6}},
        layers.EinsumDense{"abc,cd->abd", {cusp.None, 4}, bias_axes = "d", activation = "tanh",
          name = "e", dtype = policy},
        layers.Dense{2, name = "d", dtype = policy}}
      for _, layer in ipairs(model.layers) do fill{layer.kernel, layer.bias} end
      local optimizer = cusp.optimizers.deserialize(case.optimizer)
      model:compile{optimizer, "mse"}
      local x, y = steps({8, 3, 6}, 1), steps({8, 3, 2}, 2)
      local history = model:fit{x, y, batch_size = 4, epochs = 3, shuffle = false, verbose = 0}
      local is_half = case.source:find "bfloat16"
      local tolerance = is_half and {atol = 0.05, rtol = 0.05} or {atol = 1e-5, rtol = 1e-4}
      cases.compare(cusp.tensor(history.history.loss), {data = case.loss}, tolerance, "loss")
      for n, want in ipairs(case.weights) do
        local variable = model.trainable_variables[n]
        assert.are.equal(case.names[n]:match "/(.*)$", variable.path:match "/(.*)$")
        cases.compare(variable.value, want, tolerance, variable.path)
      end
      assert.are.equal(#case.state, #optimizer.variables)
      local store = {}
      model.layers[2]:save_own_variables(store)
      for n, want in ipairs(case.store) do
        cases.compare(store[tostring(n - 1)], want, tolerance, "stored " .. n)
      end
      cases.compare(model:predict{x, verbose = 0}, case.outputs, tolerance, "outputs")
      local place <close> = folder.new()
      model:save(place.path .. "/m.keras")
      local again = cusp.models.load_model(place.path .. "/m.keras")
      assert.are.equal(policy.name, again.layers[1].dtype_policy)
      assert.are.same({4}, again.layers[1].inputs_amax_history.shape)
      cases.compare(again:predict{x, verbose = 0}, case.outputs, tolerance, "saved outputs")
    end)
  end

  it("get their scales by quantize, and keep their kernels", function()
    local dense = layers.Dense{2}
    dense:build{3, 4}
    dense:quantize "float8"
    assert.are.same({"kernel", "bias", "inputs_scale", "inputs_amax_history", "kernel_scale",
      "kernel_amax_history", "outputs_grad_scale", "outputs_grad_amax_history"},
    names_of(dense.trainable_variables))
    assert.are.same({1024}, dense.kernel_amax_history.shape)
    assert.are.equal("float8_from_float32", dense.dtype_policy)
    assert.are.equal("float32", dense.kernel.dtype)
    dense:enable_lora(2)
    assert.is_false(pcall(dense, ops.ones{3, 4}))
    local embedding = layers.Embedding(3, 2)
    embedding:build{2}
    assert.is_false(pcall(embedding.quantize, embedding, "float8"))
  end)

  for _, case in ipairs(fixture.models) do
    local path = "spec/fixtures/quantized/" .. case.name
    it("are read from Keras's files, and written: " .. case.name, function()
      local model = cusp.models.load_model(path .. ".keras")
      local x = cases.tensor(case.x)
      for i, want in ipairs(case.paths) do
        local variable = model.variables[i]
        assert.are.same({table.unpack(want)}, {variable.path, variable.dtype, variable.trainable})
      end
      cases.compare(model:predict{x, verbose = 0}, case.outputs, {atol = 1e-5}, "outputs")
      cases.compare(model(x), case.outputs, {atol = 1e-5}, "eager outputs")
      local place <close> = folder.new()
      model:save(place.path .. "/m.keras")
      model:save_weights(place.path .. "/m.weights.h5")
      local again = cusp.models.load_model(place.path .. "/m.keras")
      cases.compare(again:predict{x, verbose = 0}, case.outputs, {atol = 1e-5}, "saved outputs")
      for _, variable in ipairs(again.variables) do variable:assign(ops.zeros_like(variable)) end
      again:load_weights(place.path .. "/m.weights.h5")
      cases.compare(again:predict{x, verbose = 0}, case.outputs, {atol = 1e-5}, "weights")
      for _, variable in ipairs(again.variables) do variable:assign(ops.zeros_like(variable)) end
      again:load_weights(path .. ".weights.h5")
      cases.compare(again:predict{x, verbose = 0}, case.outputs, {atol = 1e-5}, "Keras's weights")
    end)
  end

  local function attention()
    local input = cusp.Input{shape = {5, 6}}
    local x = layers.MultiHeadAttention{2, 3, name = "mha"}(input, input)
    x = layers.GroupQueryAttention{4, 2, 1, name = "gqa"}(x, x)
    x = layers.LayerNormalization{name = "norm"}(x)
    return cusp.Model(input, layers.Conv1D(2, 3, {name = "conv"})(x))
  end

  it("have attention with quantized projections in a file", function()
    local model, x = attention(), steps({2, 5, 6}, 3)
    local warnings = require("cusp.base.warnings").collect(model.quantize, model, "int8")
    assert.are.equal(1, #warnings)
    assert.matches("Conv1D", warnings[1])
    local want = model:predict{x, verbose = 0}
    local place <close> = folder.new()
    model:save(place.path .. "/m.keras")
    local again = cusp.models.load_model(place.path .. "/m.keras")
    assert.are.equal("int8", again:get_layer("mha").query_dense.kernel.dtype)
    assert.are.equal("int8", again:get_layer("gqa").value_dense.quantization_mode)
    assert.is_nil(again:get_layer("mha").quantization_mode)
    cases.compare(again:predict{x, verbose = 0}, {data = want:flat()}, {atol = 1e-6}, "outputs")
    again:save(place.path .. "/again.keras")
    local third = cusp.models.load_model(place.path .. "/again.keras")
    cases.compare(third:predict{x, verbose = 0}, {data = want:flat()}, {atol = 1e-6}, "outputs")
  end)

  it("keep the configurations of projections within attention in files and copies", function()
    local Q = cusp.quantizers
    for _, config in ipairs{
      Q.Int8QuantizationConfig{activation_quantizer = cusp.null},
      Q.Int8QuantizationConfig{activation_quantizer = Q.AbsMaxQuantizer{value_range = {-15, 15}}},
      Q.Int4QuantizationConfig{activation_quantizer = Q.AbsMaxQuantizer(), block_size = -1},
    } do
      local input = cusp.Input{shape = {5, 6}}
      local h = layers.MultiHeadAttention{2, 3}(input, input)
      local model = cusp.Model(input, layers.GroupQueryAttention{4, 2, 1}(h, h))
      local x = steps({2, 5, 6}, 3)
      model:quantize{config = config}
      local want = {data = model:predict{x, verbose = 0}:flat()}
      local place <close> = folder.new()
      model:save(place.path .. "/m.keras")
      local again = cusp.models.load_model(place.path .. "/m.keras")
      cases.compare(again:predict{x, verbose = 0}, want, {atol = 0, rtol = 0}, "loaded")
      local copy = cusp.models.clone_model(again)
      copy:set_weights(again:get_weights())
      cases.compare(copy:predict{x, verbose = 0}, want, {atol = 0, rtol = 0}, "copy")
    end
  end)

  it("take the configuration that a policy has", function()
    local config = cusp.quantizers.Int8QuantizationConfig{activation_quantizer = cusp.null}
    local policy = cusp.dtype_policies.QuantizedDTypePolicy{"int8", "float32",
      quantization_config = config}
    local dense = layers.Dense{3, dtype = policy}
    dense = layers.Dense:from_config(dense:get_config())
    dense:build{2, 4}
    assert.is_nil(dense.inputs_quantizer)
    assert.is_nil(cusp.dtype_policies.get("int8_from_float32"):get_config().quantization_config)
  end)

  it("of tied embeddings with LoRA come back from files", function()
    local input = cusp.Input{shape = {3}, dtype = "int32"}
    local both = layers.ReversibleEmbedding{9, 4}
    local model = cusp.Model(input, both(both(input), {reverse = true}))
    both:enable_lora{2, lora_alpha = 3}
    fill(adapted(both.variables), 3)
    local x = cusp.tensor({{0, 3, 8}}, {dtype = "int32"})
    local want = {data = model:predict{x, verbose = 0}:flat()}
    local place <close> = folder.new()
    model:save(place.path .. "/m.keras")
    local again = cusp.models.load_model(place.path .. "/m.keras")
    assert.are.same({2, 3}, {again.layers[2].lora_rank, again.layers[2].lora_alpha})
    cases.compare(again:predict{x, verbose = 0}, want, {atol = 1e-6}, "outputs")
  end)

  it("are quantized where a filter says so, and as a whole or not at all", function()
    local function model()
      return cusp.Sequential{cusp.Input{shape = {4}}, layers.Dense{3, name = "first"},
        layers.Dense{3, name = "second"}, layers.Dense{2, name = "last"}}
    end
    local function modes(of)
      local result = {}
      for i, layer in ipairs(of.layers) do result[i] = layer.quantization_mode or "none" end
      return table.concat(result, " ")
    end
    local by_pattern, by_list, by_function = model(), model(), model()
    by_pattern:quantize{"int8", filters = "^s"}
    assert.are.equal("none int8 none", modes(by_pattern))
    by_list:quantize{"int8", filters = {"^f", "last"}}
    assert.are.equal("int8 none int8", modes(by_list))
    by_function:quantize{"int4", filters = function(layer) return layer.units == 2 end}
    assert.are.equal("none none int4", modes(by_function))
    assert.is_false(pcall(by_pattern.quantize, by_pattern, "int8"))
    assert.are.equal("none int8 none", modes(by_pattern))
    assert.is_false(pcall(by_function.quantize, by_function, {"int8", filters = 3}))
    assert.is_false(pcall(by_function.quantize, by_function, {"int8", filters = "[a"}))
  end)

  it("have no form of tf.keras 2, which a message says before anything is written", function()
    local model, place <close> = attention(), folder.new()
    model.name = "m"
    require("cusp.base.warnings").collect(model.quantize, model, "int8")
    for _, f in ipairs{
      function() model:save(place.path .. "/m.h5") end, function() model:to_json() end,
    } do
      local ok, message = pcall(f)
      assert.is_false(ok)
      assert.matches("mha %(MultiHeadAttention%): the form of tf.keras 2 has no quantized", message)
    end
    assert.is_nil(io.open(place.path .. "/m.h5"))
  end)

  it("take no weights of layers that are not quantized, nor give theirs to such", function()
    local function model(use_bias)
      return cusp.Sequential{cusp.Input{shape = {4}}, layers.Dense{4, use_bias = use_bias}}
    end
    local place <close> = folder.new()
    local floats, integers = model(true), model(false)
    integers:quantize "int8"
    for name, each in pairs{floats = floats, integers = integers} do
      each:save_weights(("%s/%s.weights.h5"):format(place.path, name))
    end
    local before = {integers.layers[1].kernel.value, floats.layers[1].kernel.value}
    local ok, message = pcall(floats.load_weights, floats, place.path .. "/integers.weights.h5")
    assert.is_false(ok)
    assert.matches("quantize the layer first", message)
    ok, message = pcall(integers.load_weights, integers, place.path .. "/floats.weights.h5")
    assert.is_false(ok)
    assert.matches("holds int8, got float32", message)
    assert.are.same(before[1]:flat(), integers.layers[1].kernel.value:flat())
    assert.are.same(before[2]:flat(), floats.layers[1].kernel.value:flat())
    local biased = model(true)
    biased:quantize "int8"
    biased:save_weights(place.path .. "/biased.weights.h5")
    ok, message = pcall(integers.load_weights, integers, place.path .. "/biased.weights.h5")
    assert.is_false(ok)
    assert.matches("more than the layer's 2 variables", message)
  end)

  it("are predicted anew after a compiled prediction", function()
    local model, x = cusp.Sequential{cusp.Input{shape = {4}}, layers.Dense{3}}, steps({2, 4}, 1)
    local before = model:predict{x, verbose = 0}
    model:quantize "int8"
    local after = model:predict{x, verbose = 0}
    assert.is_true(ops.max(ops.abs(before - after)):item() > 0)
    cases.compare(model(x), {data = after:flat()}, {atol = 1e-7}, "outputs")
  end)
end)
