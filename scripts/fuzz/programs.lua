--- Random programs, each run eagerly, compiled, with values printed, with one thread and two,
-- without passes, and with the reference kernels. All ways must agree: in numbers to a tolerance of
-- the dtype, in shapes and dtypes, and in errors.
-- @module programs
local child = require "child"
local compare = require "program_compare"
local draw = require "draw"
local tree = require "program_tree"

local programs = {}

local batch, seconds_each = 8, 30
local makers = {require "program_steps", (require "program_models")}

-- The processes that run each program, and the ways in each; all are compared with the first.
local processes = {
  {modes = "eager,looked,compiled,compiledlooked,threads"},
  {name = "CUSP_DISABLE_PASSES=simplify,common", modes = "eager,compiled",
    environment = {CUSP_DISABLE_PASSES = "simplify,common"}},
  {name = "CUSP_REFERENCE_KERNELS=1", modes = "compiled",
    environment = {CUSP_REFERENCE_KERNELS = "1"}},
}

---------------------------------------------------------------- texts

local function chunk_of(nodes)
  return "local cusp, layers, ops = ...\nlocal function program(mode)\n  "
    .. "cusp.random.set_seed(1)\n  local results = {}\n"
    .. tree.text(nodes, "  ") .. "\n  return results\nend\nreturn program\n"
end

local standalone = [[
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops
%s
local function show(value, indent)
  if type(value) ~= "table" then return print(indent .. tostring(value)) end
  for key, item in pairs(value) do
    print(indent .. tostring(key) .. ":")
    show(item, indent .. "  ")
  end
end
local function look(t) if not require("cusp.engine").tracing() then tostring(t) end end
local function as_it_is(f) return f end
for _, mode in ipairs{
  {name = "eager", step = as_it_is, look = function() end, run_eagerly = true},
  {name = "%s", step = %s, look = %s, run_eagerly = %s},
} do
  print("== " .. mode.name)%s
  show({pcall(program, mode)}, "  ")
end]]

-- A standalone program with the two ways that differ.
local function script(nodes, failure)
  local text = chunk_of(nodes):gsub("^[^\n]*\n", ""):gsub("return program\n$", "")
  local mode = failure.mode
  local compiled = not (mode == "eager" or mode == "looked")
  local looked = mode:find "looked" ~= nil
  local head = failure.process and ("-- Run it with %s set, and without.\n"):format(failure.process)
    or ""
  return head .. standalone:format(text:gsub("%%", "%%"), mode, compiled and "cusp.compile"
    or "as_it_is", looked and "look" or "function() end",
    not compiled, mode == "threads"
      and '\n  cusp.set_num_threads(mode.name == "threads" and 2 or 1)' or "")
end

---------------------------------------------------------------- running

local function read(output, results)
  local last
  for line in output:gmatch "[^\n]+" do
    local at, mode = line:match "^@(%d+) (%w+)$"
    if at then last = {number = tonumber(at), mode = mode} end
    local number, name, value = line:match "^=(%d+) (%w+) (.*)$"
    if number then
      results[tonumber(number)] = results[tonumber(number)] or {}
      results[tonumber(number)][name] = load("return " .. value, "=result", "t", {})()
    end
  end
  return last
end

local function long_string(text) return ("[====[%s]====]"):format(text) end

-- Runs the texts in one process after another; if a process dies, that is the result of its
-- program.
local function run_process(process, texts)
  local results, parts = {}, {}
  for i, text in ipairs(texts) do parts[i] = long_string(text) end
  local name, remove = child.file("return {" .. table.concat(parts, ",\n") .. "}")
  local wait = child.start({"scripts/fuzz/program_worker.lua", name, process.modes},
    {seconds = seconds_each + 2 * #texts, environment = process.environment})
  return function()
    local output, death = wait()
    remove()
    local last = read(output, results)
    if not death then return results end
    last = last or {number = 1, mode = "start"}
    local tail = output:gsub("[@=]%d+ [^\n]*\n", ""):sub(-1500)
    results[last.number] = results[last.number] or {}
    results[last.number][last.mode] = {death = death .. "\n" .. tail}
    if last.number < #texts then -- the rest, in another process
      local rest = run_process(process, table.move(texts, last.number + 1, #texts, 1, {}))()
      for i, result in pairs(rest) do results[last.number + i] = result end
    end
    return results
  end
end

-- The first difference of each program: `{process =, mode =, what =}`.
local function run(texts, wanted)
  local waits, found = {}, {}
  for i, process in ipairs(processes) do
    if not wanted or i == 1 or wanted.process == process.name then waits[#waits + 1] = {process,
      run_process(process, texts)} end
  end
  local reference
  for _, entry in ipairs(waits) do
    local results = entry[2]()
    reference = reference or results
    for i = 1, #texts do
      local base = reference[i] and reference[i].eager
      for mode in entry[1].modes:gmatch "%w+" do
        local result = results[i] and results[i][mode]
        local what = not found[i] and result and (result.death or base and not base.death
          and compare(base, result))
        if what then found[i] = {process = entry[1].name, mode = mode, what = what,
          base = base} end
      end
    end
  end
  return found, reference
end

---------------------------------------------------------------- shrinking

-- The key by which failures count as the same kind.
local function kind_of(failure)
  local what = failure.what
  local how = what:match "^killed" or what:match "^ended by" or what:match "^exit"
    or what:match "^error" and what:gsub("%d+", "0") or "numbers"
  return (failure.process or "") .. failure.mode .. how
end

local function shorter(nodes)
  local list = {}
  for _, length in ipairs{16, 8, 4} do
    for first = 1, #nodes - length, length do list[#list + 1] = tree.without_run(nodes, first,
      length) end
  end
  for number = tree.count(nodes), 1, -1 do
    list[#list + 1] = tree.without(nodes, number)
    list[#list + 1] = tree.opened(nodes, number)
  end
  return list
end

local function first_failing(candidates, failure)
  for first = 1, #candidates, 24 do
    local part, texts = table.move(candidates, first, math.min(first + 23, #candidates), 1, {}), {}
    for i, candidate in ipairs(part) do texts[i] = chunk_of(candidate) end
    local found = run(texts, failure)
    for i, candidate in ipairs(part) do
      if found[i] and kind_of(found[i]) == kind_of(failure) then return candidate, found[i],
        first + i - 1 end
    end
  end
end

--- Shrinks a program as long as it fails in the same way.
local function shrink(nodes, failure, seconds)
  local stop = os.time() + seconds
  while os.time() < stop do
    local smaller, its = first_failing(shorter(nodes), failure)
    if not smaller then break end
    nodes, failure = smaller, its
  end
  return nodes, failure
end

---------------------------------------------------------------- the whole

-- Many failures have one cause, so only the first ones are shrunk.
local most_shrunk = 8

local function report(options, nodes, failure, seed, seconds)
  nodes, failure = shrink(nodes, failure, seconds)
  local way = (failure.process and failure.process .. ": " or "") .. failure.mode
  options.report("programs", ("%s differs from eager: %s\nseed %d\n%s"):format(way, failure.what,
    seed, script(nodes, failure)))
end

--- Generates and runs programs for some time.
-- @tparam table options `seconds` or `count`, `seed`, `report(kind, what)`, `shrink` (seconds per
-- failure; 60)
-- @treturn table counts: `tried`, `ran` (without an error), `failed`
function programs.fuzz(options)
  local counts, stop, seed = {tried = 0, ran = 0, failed = 0}, os.time() + options.seconds,
    options.seed
  repeat
    local trees, texts = {}, {}
    for i = 1, batch do
      local source = draw.new(seed + i - 1)
      trees[i] = makers[1 + (seed + i - 1) % #makers].make(source)
      texts[i] = chunk_of(trees[i])
    end
    local found, reference = run(texts)
    for i = 1, batch do
      local base = reference[i] and reference[i].eager
      if base and not base.error and not base.death then counts.ran = counts.ran + 1 end
      if found[i] then
        counts.failed = counts.failed + 1
        report(options, trees[i], found[i], seed + i - 1, counts.failed <= most_shrunk
          and options.shrink or 0)
      end
    end
    counts.tried, seed = counts.tried + batch, seed + batch
  until options.count and counts.tried >= options.count or os.time() >= stop
  return counts
end

return programs
