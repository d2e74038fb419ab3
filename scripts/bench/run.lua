--- `make bench`: times Cusp and the installed peers on the same work, prints a table and writes
-- BUILD/bench.json.
-- Usage: cusp scripts/bench/run.lua BUILD [PATTERN]
-- PATTERN selects rows by title. Peers run in the Python named by CUSP_BENCH_PYTHON (PyTorch, JAX,
-- Keras 3) and CUSP_BENCH_TF_PYTHON (TensorFlow); python3 otherwise.
local engine = require "cusp.engine"
local json = require "cusp.formats.json"

local build, pattern = arg[1] or "build", arg[2] or ""
local scripts = arg[0]:match "^(.*/)" or "./"

local process = dofile(scripts .. "process.lua")
local last_line, environment = process.last_line, process.environment

---------------------------------------------------------------- running

local python = environment("CUSP_BENCH_PYTHON", "python3")
local interpreters = {
  torch = python,
  jax = python,
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

local answers = {}

--- A command's output as JSON; each command runs once, whichever rows use it.
local function run(words)
  local command = process.shell(words)
  if answers[command] == nil then answers[command] = process.answer(words) or false end
  return answers[command]
end

local function sorted(list)
  local copy = table.move(list, 1, #list, 1, {})
  table.sort(copy)
  return copy
end

--- The samples of each case, which take turns: a busy minute meets all of them.
-- @treturn table case → list of samples, or false where it failed
local function run_in_turns(row)
  local found = {}
  for _ = 1, row.rounds do
    for _, case in ipairs(row.cases) do
      if found[case] ~= false and (not case.framework or version_of(case.framework)) then
        local answer, list = process.answer(case.command), found[case] or {}
        local new = answer and answer[row.field]
        found[case] = new and table.move(new, 1, #new, #list + 1, list) or false
      end
    end
  end
  return found
end

local function measure(row, case, found)
  local result = {label = case.label}
  if case.framework then
    result.version = version_of(case.framework)
    if not result.version then
      result.absent = "not installed"
      return result
    end
  end
  local answer = found and {[row.field] = found[case]} or not found and run(case.command)
  if not answer or not answer[row.field] then
    result.absent = "failed"
    return result
  end
  local samples = sorted(answer[row.field])
  for i, sample in ipairs(samples) do samples[i] = sample * row.scale end
  result.samples, result.low, result.high = samples, samples[1], samples[#samples]
  result.median = (samples[(#samples + 1) // 2] + samples[#samples // 2 + 1]) / 2
  return result
end

---------------------------------------------------------------- showing

local function show(row, result, base)
  local name = result.version and result.version ~= result.label
    and ("%s (%s)"):format(result.label, result.version) or result.label
  if result.absent then
    print(("  %-52s %s"):format(name, result.absent))
    return
  end
  local spread = ("[%.4g - %.4g]"):format(result.low, result.high)
  local ratio = base and ("%8.2f"):format(result.median / base) or ""
  print(("  %-52s %8.4g %s  %-20s %s"):format(name, result.median, row.unit, spread, ratio))
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
print(("%s (%s), %d thread%s, %s, commit %s"):format(cpu.name, cpu.isa, threads,
  threads == 1 and "" or "s", report.system, commit))
print "Median [fastest - slowest], and how many times Cusp's median it is.\n"

local context = {build = build, scripts = scripts, threads = threads, python = interpreters}
for _, row in ipairs(dofile(scripts .. "rows.lua")(context)) do
  if row.title:find(pattern, 1, true) then
    print(row.title)
    local entry = {title = row.title, unit = row.unit, cases = {}}
    local found = row.rounds and run_in_turns(row)
    for i, case in ipairs(row.cases) do
      local result = measure(row, case, found)
      entry.cases[i] = result
      show(row, result, entry.cases[1].median)
      io.stdout:flush()
    end
    report.rows[#report.rows + 1] = entry
    print()
  end
end

local path = build .. "/bench.json"
local file = assert(io.open(path, "w"))
file:write(json.encode(report), "\n")
file:close()
print("Written to " .. path)
