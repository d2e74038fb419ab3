--- `:profile`: where the time of an input goes, by function of Lua and by operation of the engine.
-- A hook at each call and return takes the time, so what calls much is shown slower than it is.
-- @module cusp.prompt.profile
local chunks = require "cusp.prompt.chunks"
local engine = require "cusp.engine"
local profiler = require "cusp.profiler"
local progress = require "cusp.base.progress"

local SHOWN, OPERATIONS = 15, 8

local function name_of(info)
  if info.what == "C" then return info.name or "a function in C" end
  if info.what == "main" then return "the input" end
  return ("%s (%s:%d)"):format(info.name or "a function",
    info.short_src:match "[^/]*$", info.linedefined)
end

local function enter(state, now)
  local info = debug.getinfo(3, "Snf")
  local record = state.records[info.func]
  if not record then
    record = {name = name_of(info), calls = 0, own = 0, total = 0, depth = 0}
    state.records[info.func] = record
  end
  record.calls, record.depth = record.calls + 1, record.depth + 1
  state.stack[#state.stack + 1] = {record = record, began = now, inner = 0}
end

local function leave(state, now)
  local frame = table.remove(state.stack)
  if not frame then return end
  local took, record = now - frame.began, frame.record
  record.own = record.own + took - frame.inner
  record.depth = record.depth - 1
  if record.depth == 0 then record.total = record.total + took end
  local outer = state.stack[#state.stack]
  if outer then outer.inner = outer.inner + took end
end

local function hook_of(state)
  return function(event)
    local now = engine.monotonic()
    if event == "return" then return leave(state, now) end
    if event == "tail call" then leave(state, now) end
    enter(state, now)
  end
end

local function print_records(records)
  local list = {}
  for _, record in pairs(records) do list[#list + 1] = record end
  table.sort(list, function(a, b) return a.own > b.own end)
  print(("%9s %9s %8s  %s"):format("own time", "in all", "calls", "function"))
  for i = 1, math.min(#list, SHOWN) do
    local record = list[i]
    print(("%9s %9s %8d  %s"):format(progress.format_time(record.own),
      progress.format_time(record.total), record.calls, record.name))
  end
end

-- A profile that is being recorded already goes on.
local function start()
  local idle = not profiler.is_running()
  if idle then profiler.start() end
  return idle
end

local function print_operations()
  local report = profiler.stop(false)
  if #report.kernels > 0 then
    print(require("cusp.profiler.tables").operations(report, OPERATIONS))
  end
end

--- Runs a text and prints which functions, and which operations, took the time.
-- @tparam string text
-- @tparam function protected `protected(f)` calls f, shows its errors and returns whether it ran
return function(text, protected)
  local chunk, problem = chunks.compile(text, "=profile")
  if not chunk then return print(problem) end
  local state = {records = {}, stack = {}}
  local started = start()
  protected(function()
    debug.sethook(hook_of(state), "cr")
    local results = table.pack(chunk.run())
    for i = 1, results.n do
      if engine.is_tensor(results[i]) then engine.evaluate{results[i]} end
    end
  end)
  debug.sethook()
  while #state.stack > 0 do leave(state, engine.monotonic()) end
  print_records(state.records)
  if started then print_operations() end
end
