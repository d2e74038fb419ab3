-- Settings of the whole library, dtype policies, mixed precision.
local cusp = require "cusp"

local config, layers = cusp.config, cusp.layers

describe("dtype policies", function()
  after_each(function() config.set_dtype_policy "float32" end)

  it("are what they are named", function()
    local policy = cusp.DTypePolicy "mixed_bfloat16"
    assert.are.same({"mixed_bfloat16", "bfloat16", "float32"},
      {policy.name, policy.compute_dtype, policy.variable_dtype})
    assert.are.equal('<DTypePolicy "mixed_bfloat16">', tostring(policy))
    assert.is_true(policy == cusp.mixed_precision.Policy{name = "mixed_bfloat16"})
    assert.is_false(policy == cusp.FloatDTypePolicy "float32")
    assert.are.equal("float16", cusp.dtype_policies.get("float16").compute_dtype)
    assert.error_matches(function() cusp.DTypePolicy "float33" end, "dtype should be a name")
  end)

  it("are written as Keras writes them, and read", function()
    local written = cusp.dtype_policies.serialize(cusp.DTypePolicy "mixed_float16")
    assert.are.same({"keras", "DTypePolicy", "mixed_float16", cusp.null}, {written.module,
      written.class_name, written.config.name, written.registered_name})
    assert.are.equal("mixed_float16", cusp.dtype_policies.deserialize(written).name)
    assert.are.equal("mixed_float16",
      layers.Dense{2, dtype = written}:get_config().dtype.config.name)
  end)

  it("are taken by layers as objects", function()
    local layer = layers.Dense{2, dtype = cusp.DTypePolicy "mixed_float16"}
    assert.are.same({"float16", "float32"}, {layer.compute_dtype, layer.variable_dtype})
  end)

  it("hold for layers that are made later", function()
    local early = layers.Dense(2)
    for _, set in ipairs{config.set_dtype_policy, cusp.mixed_precision.set_global_policy,
      cusp.mixed_precision.set_dtype_policy} do
      set "mixed_bfloat16"
      local layer = layers.Dense(2)
      local outputs = layer(cusp.ones{1, 3})
      assert.are.same({"bfloat16", "float32"}, {outputs.dtype, layer.kernel.dtype})
      assert.are.equal("mixed_bfloat16", cusp.mixed_precision.global_policy().name)
      set(cusp.DTypePolicy "float32")
    end
    assert.are.same({"float32", "float32"},
      {early.compute_dtype, layers.Dense(2).compute_dtype})
    assert.error_matches(function() config.set_dtype_policy "half" end, "dtype should be a name")
    assert.error_matches(function() config.set_dtype_policy() end, "set_dtype_policy: expected")
  end)

  it("leave layers that name a dtype alone, and travel in files", function()
    config.set_dtype_policy "mixed_bfloat16"
    assert.are.equal("float32", layers.Dense{2, dtype = "float32"}.compute_dtype)
    local written = layers.Dense(2):get_config()
    config.set_dtype_policy "float32"
    assert.are.equal("bfloat16", layers.Dense:from_config(written).compute_dtype)
  end)

  it("convert inputs", function()
    local policy = cusp.DTypePolicy "mixed_float16"
    local x, n = cusp.ones{2}, cusp.tensor{1, 2}
    assert.are.equal("float16", policy:convert_input(x, true, "float16").dtype)
    assert.are.equal("float32", policy:convert_input(x, false, "float16").dtype)
    assert.are.equal("int32", policy:convert_input(n, true, "float16").dtype)
  end)
end)

describe("limits of runs", function()
  local function model()
    local made = cusp.Sequential{cusp.Input{shape = {1}}, layers.Dense(1)}
    made:compile{optimizer = "sgd", loss = "mse"}
    return made
  end
  local x = cusp.ones{8, 1}

  after_each(function()
    config.set_max_epochs(nil)
    config.set_max_steps_per_epoch(nil)
  end)

  it("max_epochs", function()
    config.set_max_epochs(2)
    local history = model():fit{x, x, epochs = 5, verbose = 0}
    assert.are.equal(2, #history.history.loss)
    assert.are.equal(2, config.max_epochs())
    assert.error_matches(function() config.set_max_epochs(0) end, "set_max_epochs: expected")
  end)

  it("max_steps_per_epoch", function()
    config.set_max_steps_per_epoch(3)
    local one = model()
    one:fit{x, x, epochs = 2, batch_size = 1, verbose = 0}
    assert.are.equal(6, one.optimizer.iterations:item())
    one:fit{x, x, batch_size = 4, verbose = 0}
    assert.are.equal(8, one.optimizer.iterations:item())
    assert.are.equal(3, #one:predict{x, batch_size = 1, verbose = 0})
  end)
end)

describe("interactive logging", function()
  it("is what writes progress", function()
    local program = [[
      local cusp = require "cusp"
      local m = cusp.Sequential{cusp.Input{shape = {1}}, cusp.layers.Dense(1)}
      m:compile{optimizer = "sgd", loss = "mse"}
      cusp.config.disable_interactive_logging()
      m:fit{cusp.ones{4, 1}, cusp.ones{4, 1}, epochs = 2}
      print(cusp.utils.is_interactive_logging_enabled())
      cusp.utils.enable_interactive_logging()
      m:fit{cusp.ones{4, 1}, cusp.ones{4, 1}, epochs = 2}
    ]]
    local build = os.getenv "CUSP_BUILD" or "build"
    local pipe <close> = assert(io.popen(("%s/cusp -e '%s' 2>&1"):format(build, program)))
    local text = pipe:read "a"
    assert.matches("^false\nEpoch 1/2\n", text)
  end)
end)

describe("backend", function()
  it("answers as Keras's does", function()
    local backend = cusp.backend
    for _, case in ipairs{
      {"int16", "int8", "uint8"}, {"float16", "int32", "float16"}, {"int8", "bool", "int8"},
      {"float32", "float16", "bfloat16"}, {"float32", "int8", "float"}, {"int8", "int8", "int"},
      {"int32", "bool", "int"}, {"bfloat16", "int", "bfloat16"},
    } do
      assert.are.equal(case[1], backend.result_type(case[2], case[3]))
    end
    assert.are.same({true, false, true, false}, {backend.is_float_dtype "bfloat16",
      backend.is_float_dtype "int8", backend.is_int_dtype "uint8", backend.is_int_dtype "bool"})
    assert.are.equal("cusp", backend.backend())
    assert.are.equal(config.floatx(), backend.floatx())
  end)
end)
