--- The list of benchmarks; in each row, several programs do the same work. A row: `title`, `unit`
-- (a name and a factor for seconds or bytes), `field` of the programs' JSON, `cases`. A case:
-- `label`, `command` (a list), `framework` (for those of peers.py; skipped with a note if it is not
-- installed). The first case is Cusp's. `rounds`: how often it runs at most.
-- @param context `build`, `scripts` (directories), `threads`, `python` (framework → interpreter)
return function(context)
  local cusp, bench = context.build .. "/cusp", context.build .. "/bench/"
  local rows = {}

  local function lua_case(script, ...)
    return {label = "Cusp", command = {cusp, context.scripts .. script, ...}}
  end

  local function peer(framework, label, problem)
    return {
      label = label,
      framework = framework,
      command = {context.python[framework], context.scripts .. "peers.py", framework, problem},
    }
  end

  local function limit(label, ...) return {label = label, command = {bench .. "limit", ...}} end

  --- The same cases, each run `runs` times as a whole process.
  local function measured(runs, case)
    return {label = case.label, framework = case.framework,
      command = {bench .. "measure", runs, table.unpack(case.command)}}
  end

  local function add(title, unit, scale, field, cases)
    rows[#rows + 1] = {title = title, unit = unit, scale = scale, field = field, cases = cases}
    return rows[#rows]
  end

  local function keras(framework, label, ...)
    return {
      label = label, framework = framework,
      command = {context.python[framework], context.scripts .. "networks_keras.py", framework, ...},
    }
  end

  local function torch(label, mode, network)
    return {
      label = label, framework = "torch",
      command = {context.python.torch, context.scripts .. "networks.py", mode, network},
    }
  end

  --- A network in bfloat16, beside float32 and PyTorch's autocast.
  local function add_mixed(title, network)
    add(title .. ", mixed_bfloat16: a step", "ms", 1e3, "seconds_per_step", {
      lua_case("networks.lua", network, "mixed_bfloat16"),
      {label = "Cusp, float32", command = {cusp, context.scripts .. "networks.lua", network}},
      torch("PyTorch, autocast", "autocast", network),
      torch("PyTorch, autocast, compiled", "autocast-compiled", network),
      torch("PyTorch, float32", "float32", network),
    })
  end

  --- A network in float32, beside Keras and PyTorch: its time and its memory.
  local function add_network(title, network)
    local cases = {
      lua_case("networks.lua", network),
      torch("PyTorch", "float32", network),
      torch("PyTorch, compiled", "float32-compiled", network),
      keras("keras-jax", "Keras on JAX", network),
      keras("keras-tensorflow", "Keras on TensorFlow", network),
    }
    add(title .. ": a step", "ms", 1e3, "seconds_per_step", cases)
    add("the same: peak resident memory", "MB", 1e-6, "peak_bytes", cases)
  end

  --- The same case beside processes that keep a core busy each.
  local function beside(count, case)
    return {label = case.label, framework = case.framework,
      command = {bench .. "beside", count, table.unpack(case.command)}}
  end

  --- Training beside other programs; on one thread as well, since none has a core of its own.
  local function add_busy(title, network, others)
    local cusp_case = lua_case("networks.lua", network)
    add(title, "ms", 1e3, "seconds_per_step", {
      beside(others, cusp_case),
      beside(others, {label = "Cusp, one thread",
        command = {"env", "OMP_NUM_THREADS=1", table.unpack(cusp_case.command)}}),
      beside(others, keras("keras-tensorflow", "Keras on TensorFlow", network)),
    })
  end

  --- The tutorial's network in a loop that Lua, or Python, sees at each step.
  local function add_loop(title, mode)
    add(title, "us", 1e6, "seconds_per_step", {
      lua_case("training.lua", "tutorial", mode),
      keras("keras-jax", "Keras on JAX", "tutorial", mode),
      keras("keras-tensorflow", "Keras on TensorFlow", "tutorial", mode),
    })
  end

  add("fit, 72-32-16-10, batch 32, Adam, accuracy: a step", "us", 1e6, "seconds_per_step", {
    lua_case("training.lua", "tutorial"),
    limit("C over OpenBLAS, by hand", 1, 1000, 32, 40, 9, 72, 32, 16, 10),
    peer("jax", "JAX, jitted loop", "tutorial"),
    peer("torch", "PyTorch loop", "tutorial"),
    peer("keras-jax", "Keras on JAX", "tutorial"),
    peer("keras-tensorflow", "Keras on TensorFlow", "tutorial"),
  })

  add_loop("the same with a function after each batch: a step", "hook")
  add_loop("the same with train_on_batch: a step", "train_on_batch")

  add("fit, 784-512-512-10, batch 128, Adam, accuracy: a step", "ms", 1e3, "seconds_per_step", {
    lua_case("training.lua", "mlp"),
    limit("C over OpenBLAS, by hand", context.threads, 6400, 128, 2, 9, 784, 512, 512, 10),
    peer("jax", "JAX, jitted loop", "mlp"),
    peer("torch", "PyTorch loop", "mlp"),
    peer("keras-jax", "Keras on JAX", "mlp"),
    peer("keras-tensorflow", "Keras on TensorFlow", "mlp"),
  })

  add_network("convolutions 32-64 on 28 x 28, batch 128", "cnn")
  add_network("ResNet-20 on 32 x 32, batch 64", "resnet")
  add_network("Embedding and LSTM 128, 80 steps, batch 32", "lstm")
  add_network("transformer 256, 4 blocks, 128 words, batch 16", "transformer")
  add("graph attention, 512 nodes, 4,096 edges, 8 heads: a step", "ms", 1e3, "seconds_per_step", {
    lua_case("networks.lua", "graph"),
    torch("PyTorch", "float32", "graph"),
    torch("PyTorch, compiled", "float32-compiled", "graph"),
    keras("keras-jax", "Keras on JAX", "graph"),
  })

  add_busy("MobileNetV2 on 64 x 64, batch 8: a step", "mobilenet", 0)
  for _, others in ipairs{1, 2, 4} do
    add_busy(("MobileNetV2 beside %d busy process%s: a step"):format(others,
      others > 1 and "es" or ""), "mobilenet", others)
  end

  add_mixed("784-512-512-10, batch 128", "mlp")
  add_mixed("convolutions 32-64 on 28 x 28, batch 128", "cnn")
  add_mixed("ResNet-20 on 32 x 32, batch 64", "resnet")
  add_mixed("Embedding and LSTM 128, 80 steps, batch 32", "lstm")
  add_mixed("transformer 256, 4 blocks, 128 words, batch 16", "transformer")
  add("transformer 256, 4 blocks, 128 words, batch 16, int8: predict", "ms", 1e3,
    "seconds_per_step", {
      lua_case("quantized.lua", "int8"),
      {label = "Cusp, float32", command = {cusp, context.scripts .. "quantized.lua"}},
    })

  add("cusp -e \"require 'cusp'\": whole process", "ms", 1e3, "seconds", {
    measured(20, {label = "Cusp", command = {cusp, "-e", "require 'cusp'"}}),
  })

  local first = {
    measured(9, lua_case "first_model.lua"),
    measured(3, peer("keras-jax", "Keras on JAX", "first")),
    measured(3, peer("keras-tensorflow", "Keras on TensorFlow", "first")),
  }
  add("make, train (5 epochs) and validate 72-32-16-10: whole process", "s", 1, "seconds", first)
  add("the same: peak resident memory", "MB", 1e-6, "peak_bytes", first)

  local tensors = {measured(3, lua_case "small_tensors.lua"),
    measured(1, peer("torch", "PyTorch", "tensors"))}
  add("a loop that makes and drops a million small tensors: peak resident memory", "MB", 1e-6,
    "peak_bytes", tensors)
  add("the same: time", "s", 1, "seconds", tensors)
  return rows
end
