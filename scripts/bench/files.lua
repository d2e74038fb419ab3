--- `make bench-files`: saves and loads a model of 100 MB in each format, beside the programs that
-- own the formats.
-- Usage: cusp scripts/bench/files.lua BUILD [PATTERN]
-- PATTERN selects formats by title. Peers run in the Python named by CUSP_BENCH_PYTHON (NumPy,
-- h5py, Keras 3) and CUSP_BENCH_TF_PYTHON (TensorFlow); python3 otherwise. Files go to a temporary
-- folder in TMPDIR, or else /tmp. Each process saves and loads once to warm up, then three times;
-- the processes of a format take turns, several rounds. Cusp's files are on disk when saving
-- returns; a peer's save is timed as it is, and once more with fsync.
local engine = require "cusp.engine"

local build, pattern = arg[1] or "build", arg[2] or ""
local scripts = arg[0]:match "^(.*/)" or "./"
local process = dofile(scripts .. "process.lua")

local rounds = 3
local python = process.environment("CUSP_BENCH_PYTHON", "python3")
local tensorflow = process.environment("CUSP_BENCH_TF_PYTHON", python)

local function cusp(format)
  return {label = "Cusp", command = {build .. "/cusp", scripts .. "files_cusp.lua", format}}
end

local function peer(label, interpreter, framework, format)
  return {label = label, command = {interpreter, scripts .. "files_peers.py", framework, format}}
end

local formats = {
  {"weights, TensorFlow checkpoint", cusp "checkpoint",
    peer("tf.keras", tensorflow, "tensorflow", "checkpoint")},
  {"weights, .h5 of tf.keras 2", cusp "tf2_weights",
    peer("tf.keras", tensorflow, "tensorflow", "tf2_weights"),
    peer("h5py, the same arrays", python, "h5py", "tf2_weights")},
  {"weights, .weights.h5 of Keras 3", cusp "keras3_weights",
    peer("Keras 3", python, "keras", "keras3_weights"),
    peer("h5py, the same arrays", python, "h5py", "keras3_weights")},
  {"whole model, .h5", cusp "model_h5", peer("Keras 3", python, "keras", "model_h5"),
    peer("h5py, the same arrays", python, "h5py", "model_h5")},
  {"whole model, .keras", cusp "model_keras", peer("Keras 3", python, "keras", "model_keras"),
    peer("h5py, the same arrays", python, "h5py", "model_keras")},
  {"tensors, .h5", cusp "h5", peer("h5py", python, "h5py", "h5")},
  {"tensors, .npz", cusp "npz", peer("NumPy", python, "numpy", "npz")},
}

local timed = {
  {"save, to disk", "save", "save_synced"},
  {"save, peers without fsync", "save", "save"},
  {"load", "load", "load"},
}

---------------------------------------------------------------- running

local folder = os.tmpname()
os.remove(folder)
folder = process.environment("TMPDIR", "/tmp") .. "/" .. folder:match "[^/]+$"

local function append(to, from)
  for _, item in ipairs(from) do to[#to + 1] = item end
end

--- Runs the cases of a format in turn; each gets `samples`, lists of seconds by measurement, or is
-- absent.
local function run(cases)
  for _, case in ipairs(cases) do
    case.samples = {save = {}, save_synced = {}, load = {}}
    case.command[#case.command + 1] = folder
  end
  for _ = 1, rounds do
    for _, case in ipairs(cases) do
      local answer = not case.absent and process.answer(case.command)
      -- Flushes: data that one process leaves for the system to write would delay the next that
      -- syncs.
      os.execute("rm -rf " .. process.quote(folder) .. "/*; sync")
      if answer and answer.save then
        case.version = answer.version
        for name, list in pairs(case.samples) do append(list, answer[name] or {}) end
      else
        case.absent = answer and answer.absent or "not installed, or failed"
      end
    end
  end
end

local function median(samples)
  table.sort(samples)
  return (samples[(#samples + 1) // 2] + samples[#samples // 2 + 1]) / 2
end

local function show_case(case, samples, base)
  local name = case.version and ("%s (%s)"):format(case.label, case.version) or case.label
  if case.absent then
    print(("    %-44s %s"):format(name, case.absent))
    return nil
  end
  local middle = median(samples)
  local ratio = base and ("%8.2f"):format(middle / base) or ""
  local spread = ("[%.0f - %.0f]"):format(samples[1] * 1e3, samples[#samples] * 1e3)
  print(("    %-44s %8.1f ms  %-18s %s"):format(name, middle * 1e3, spread, ratio))
  return middle
end

local function show(title, cases)
  print(title)
  for _, row in ipairs(timed) do
    print("  " .. row[1])
    local base
    for i, case in ipairs(cases) do
      local middle = show_case(case, case.samples[i == 1 and row[2] or row[3]], base)
      if i == 1 then base = middle end
    end
  end
  print()
end

local cpu = engine.cpu()
print(("%s, %d threads, %s"):format(cpu.name, engine.get_num_threads(),
  process.last_line "uname -sr" or "unknown"))
print("Median [fastest - slowest] of 100 MB, and how many times Cusp's median it is. Cusp's "
  .. "saves end with the bytes on disk.\n")
engine.files.make_directories(folder)
local ok, problem = pcall(function()
  for _, format in ipairs(formats) do
    if format[1]:find(pattern, 1, true) then
      local cases = table.move(format, 2, #format, 1, {})
      run(cases)
      show(format[1], cases)
      io.stdout:flush()
    end
  end
end)
os.execute("rm -rf " .. process.quote(folder))
if not ok then error(problem, 0) end
