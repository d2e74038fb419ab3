--- The list of benchmarks; in each row, several programs do the same work. A row: `title`, `unit`
-- (a name and a factor for seconds or bytes), `field` of the programs' JSON, `cases`. A case:
-- `label`, `command` (a list), `framework` (for those of peers.py; skipped with a note if it is not
-- installed). The first case is Cusp's. With `rounds` the cases take turns that many times.
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

  local function autocast(label, mode, network)
    return {
      label = label, framework = "torch",
      command = {context.python.torch, context.scripts .. "networks.py", mode, network},
    }
  end

  --- A network in bfloat16, beside float32 and PyTorch's autocast.
  local function add_mixed(title, network)
    local row = add(title .. ", mixed_bfloat16: a step", "ms", 1e3, "seconds_per_step", {
      lua_case("networks.lua", network, "mixed_bfloat16"),
      {label = "Cusp, float32", command = {cusp, context.scripts .. "networks.lua", network}},
      autocast("PyTorch, autocast", "autocast", network),
      autocast("PyTorch, autocast, compiled", "autocast-compiled", network),
      autocast("PyTorch, float32", "float32", network),
    })
    row.rounds = 3
  end

  add("fit, 72-32-16-10, batch 32, Adam, accuracy: a step", "us", 1e6, "seconds_per_step", {
    lua_case("training.lua", "tutorial"),
    limit("C over OpenBLAS, by hand", 1, 1000, 32, 40, 9, 72, 32, 16, 10),
    peer("jax", "JAX, jitted loop", "tutorial"),
    peer("torch", "PyTorch loop", "tutorial"),
    peer("keras-jax", "Keras on JAX", "tutorial"),
    peer("keras-tensorflow", "Keras on TensorFlow", "tutorial"),
  })

  add("fit, 784-512-512-10, batch 128, Adam, accuracy: a step", "ms", 1e3, "seconds_per_step", {
    lua_case("training.lua", "mlp"),
    limit("C over OpenBLAS, by hand", context.threads, 6400, 128, 2, 9, 784, 512, 512, 10),
    peer("jax", "JAX, jitted loop", "mlp"),
    peer("torch", "PyTorch loop", "mlp"),
    peer("keras-jax", "Keras on JAX", "mlp"),
    peer("keras-tensorflow", "Keras on TensorFlow", "mlp"),
  })

  add_mixed("784-512-512-10, batch 128", "mlp")
  add_mixed("convolutions 32-64 on 28 x 28, batch 128", "cnn")
  add_mixed("ResNet-20 on 32 x 32, batch 64", "resnet")
  add_mixed("Embedding and LSTM 128, 80 steps, batch 32", "lstm")
  add_mixed("transformer 256, 4 blocks, 128 words, batch 16", "transformer")

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
