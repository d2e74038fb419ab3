--- Damaged files of every format: each must be read, or refused with an error that names the fault,
-- in bounded time and memory.
-- @module files
local files = {}

-- of address space; larger requests of a reader give an error
local kilobytes = 6 * 1024 * 1024
local portion = 20                -- seconds for one process
local build = os.getenv "CUSP_BUILD" or "build"

local function start(seed, first, seconds)
  local memory = os.getenv "LSAN_OPTIONS" and "" or ("ulimit -v %d; "):format(kilobytes)
  return assert(
    io.popen(
      ("ulimit -c 0; %stimeout -s KILL %d %s/cusp scripts/fuzz/files_worker.lua %d %d %s 2>&1 "
        .. "</dev/null"):format(
    memory, seconds + 60, build, seed, first, seconds)))
end

-- The output of a process, and the number of the last case that it began.
local function run(seed, first, seconds, report)
  local pipe = start(seed, first, seconds)
  local case, label, done, failed, rest = first - 1, "no case", false, 0, {}
  for line in pipe:lines() do
    local number = line:match "^case (%d+): "
    if number then case, label, rest = math.tointeger(tonumber(number)), line, {}
    elseif line == "done" then done = true
    elseif line:find "^FAILED" then
      failed = failed + 1
      report("files", ("seed %d, %s\n%s"):format(seed, label, line))
    else rest[#rest + 1] = line end
  end
  pipe:close()
  if not done then
    failed = failed + 1
    local last = table.concat(rest, "\n", math.max(1, #rest - 20))
    report("files", ("seed %d, %s\nthe process ended or was killed\n%s"):format(seed, label, last))
  end
  return case, failed
end

--- Tries damaged files for some time. Reports failures with the seed and the number of the case,
-- which reproduce them.
-- @tparam table options `seconds`, `seed` (1), `report(kind, what)`
-- @treturn table `tried`, `failed`
function files.fuzz(options)
  local seed, left = options.seed or 1, options.seconds
  local report = options.report or function(_, what) print(what) end
  local counts, next_case = {tried = 0, failed = 0}, 0
  while left > 0 do
    local began = os.time()
    local last, failed = run(seed, next_case, math.min(portion, left), report)
    counts.tried, counts.failed = counts.tried + math.max(last - next_case + 1, 0),
      counts.failed + failed
    if last < next_case then break end -- the process does not even begin
    next_case, left = last + 1, left - math.max(1, os.time() - began)
  end
  return counts
end

files.run = files.fuzz

return files
