--- `make bench`: times Cusp and the installed peers on the same work, prints a table and writes
-- BUILD/bench.json.
-- Usage: cusp scripts/bench/run.lua BUILD [PATTERN [ROWS]]
-- PATTERN selects rows by title, ROWS the file that lists them (rows.lua). Peers run in the Python
-- named by CUSP_BENCH_PYTHON (PyTorch, JAX, onnxruntime, Keras 3) and CUSP_BENCH_TF_PYTHON
-- (TensorFlow); python3 otherwise. All cases of all rows take turns, CUSP_BENCH_ROUNDS times (3): a
-- busy minute meets all of them.
local engine = require "cusp.engine"
local json = require "cusp.formats.json"

local build, pattern = arg[1] or "build", arg[2] or ""
local scripts = arg[0]:match "^(.*/)" or "./"

local process = dofile(scripts .. "process.lua")
local last_line, environment = process.last_line, process.environment
local rounds = math.max(math.tointeger(environment("CUSP_BENCH_ROUNDS", "3")) or 3, 1)

---------------------------------------------------------------- running

local python = environment("CUSP_BENCH_PYTHON", "python3")
local interpreters = {
  torch = python,
  jax = python,
  onnxruntime = python,
  ["keras-jax"] = python,
  ["keras-tensorflow"] = environment("CUSP_BENCH_TF_PYTHON", python),
}

local versions = {}

--- The version of a peer, or false if it is not installed.
local function version_of(framework)
  if versions[framework] == nil then
    local answer = process.answer{interpreters[framework], scripts .. "peers.py", framework,
      "version"}
    versions[framework] = answer and answer.version or false
  end
  return versions[framework]
end

local peaks = {} -- the most of all rounds: operations a second by dtype, bytes a second

local function measure_peaks()
  local found = process.answer{build .. "/cusp", scripts .. "peaks.lua"} or {}
  for name, value in pairs(found) do peaks[name] = math.max(peaks[name] or 0, value) end
end

local answers -- of this round: a command runs once, whichever rows use it

local function answer_of(words)
  local command = process.shell(words)
  if answers[command] == nil then answers[command] = process.answer(words) or false end
  return answers[command]
end

-- Adds what a case measures in this round to `results[case]` of the row; false where it failed.
local function take(row, case, results)
  if results[case] == false or case.framework and not version_of(case.framework) then return end
  local answer, result = answer_of(case.command), results[case] or {samples = {}}
  local new = answer and answer[case.field or row.field]
  if not new then
    results[case] = false
    return
  end
  table.move(new, 1, #new, #result.samples + 1, result.samples)
  result.work, result.traffic, result.dtype = answer.work, answer.traffic, answer.dtype
  results[case] = result
end

local function run_round(round, rows, results)
  answers = {}
  measure_peaks()
  for _, row in ipairs(rows) do
    if round <= (row.rounds or rounds) then
      io.stderr:write(("round %d of %d: %s\n"):format(round, rounds, row.title))
      results[row] = results[row] or {}
      for _, case in ipairs(row.cases) do take(row, case, results[row]) end
    end
  end
end

---------------------------------------------------------------- what was measured

local function measured(row, case, found)
  local result = {label = case.label, version = case.framework and version_of(case.framework)}
  if result.version == false then
    result.absent = "not installed"
  elseif not found then
    result.absent = "failed"
  end
  if result.absent then return result end
  local samples = found.samples
  table.sort(samples)
  for i, sample in ipairs(samples) do samples[i] = sample * row.scale end
  result.samples, result.low, result.high = samples, samples[1], samples[#samples]
  result.median = (samples[(#samples + 1) // 2] + samples[#samples // 2 + 1]) / 2
  return result
end

--- The least time of a step: its products at the peak, and the traffic of weights that no cache
-- holds at the bandwidth of memory.
-- @treturn ?number in the row's unit
local function limit_of(row, found)
  local peak = found and peaks[found.dtype or "float32"]
  if row.field ~= "seconds_per_step" or not found or not found.work or not peak
    or not peaks.bandwidth then
    return nil
  end
  return row.scale * (found.work / peak + found.traffic / peaks.bandwidth)
end

---------------------------------------------------------------- showing

local function show(row, result, base, limit)
  local name = result.version and result.version ~= result.label
    and ("%s (%s)"):format(result.label, result.version) or result.label
  if result.absent then
    print(("  %-52s %s"):format(name, result.absent))
    return
  end
  local spread = ("[%.4g - %.4g]"):format(result.low, result.high)
  local ratio = base and ("%8.2f"):format(result.median / base) or ""
  local fraction = limit and ("%5.0f%%"):format(100 * limit / result.median) or ""
  print(("  %-52s %8.4g %s  %-20s %s %s"):format(name, result.median, row.unit, spread, ratio,
    fraction))
end

local function show_row(row, results)
  print(row.title)
  local first = results[row.cases[1]]
  local entry = {title = row.title, unit = row.unit, cases = {}, limit = limit_of(row, first)}
  for i, case in ipairs(row.cases) do
    local result = measured(row, case, results[case])
    entry.cases[i] = result
    show(row, result, entry.cases[1].median, entry.limit)
  end
  if entry.limit then
    print(("  %-52s %8.4g %s  %.3g GFLOP, %.3g MB of weights and their moments"):format("limit",
      entry.limit, row.unit, first.work / 1e9, first.traffic / 1e6))
  end
  print()
  return entry
end

local function select_rows(context)
  local rows = {}
  for _, row in ipairs(dofile(scripts .. (arg[3] or "rows.lua"))(context)) do
    if row.title:find(pattern, 1, true) then rows[#rows + 1] = row end
  end
  return rows
end

local commit = last_line "git rev-parse --short HEAD" or "unknown"
if last_line "git status --porcelain --untracked-files=no" then commit = commit .. ", changed" end
local cpu = engine.cpu()
local threads = engine.get_num_threads()
local report = {
  cpu = cpu.name,
  isa = cpu.isa,
  threads = threads,
  system = last_line "uname -sr" or "unknown",
  commit = commit,
  date = os.date "!%Y-%m-%dT%H:%M:%SZ",
  rows = {},
}

local rows = select_rows{build = build, scripts = scripts, threads = threads,
  python = interpreters}
local results = {}
for round = 1, rounds do run_round(round, rows, results) end

report.peaks = peaks
print(("%s (%s), %d thread%s, %s, commit %s"):format(cpu.name, cpu.isa, threads,
  threads == 1 and "" or "s", report.system, commit))
print(("Peak: %.0f GFLOP/s in float32, %.0f in bfloat16, %.1f GB/s."):format(
  (peaks.float32 or 0) / 1e9, (peaks.bfloat16 or 0) / 1e9, (peaks.bandwidth or 0) / 1e9))
print "Median [fastest - slowest], how many times Cusp's median it is, fraction of the limit.\n"
for i, row in ipairs(rows) do report.rows[i] = show_row(row, results[row]) end

local path = build .. "/bench.json"
local file = assert(io.open(path, "w"))
file:write(json.encode(report), "\n")
file:close()
print("Written to " .. path)
