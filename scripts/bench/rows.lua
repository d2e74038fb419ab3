--- The list of benchmarks; in each row, several programs do the same work. A row: `title`, `unit`
-- (a name and a factor for seconds or bytes), `field` of the programs' JSON, `cases`. A case:
-- `label`, `command` (a list), `framework` (for those of peers.py; skipped with a note if it is not
-- installed). The first case is Cusp's.
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
