--- Calls every public function with wrong, nil, huge, negative, empty and cyclic arguments. Correct
-- is a result, or an error in the library's own words at the caller's line, within seconds.
-- @module calls
local child = require "child"
local draw = require "draw"
local typed = require "call_typed"
local values = require "call_values"

local calls = {}

local batch, seconds_each = 150, 10

---------------------------------------------------------------- making calls

local function argument(source)
  if source:chance(0.25) then return source:pick(values.tensors) end
  if source:chance(0.25) then return source:pick(values.names) end
  return source:pick(values.literals)
end

-- Arguments of the kinds that a row of the operation table expects; optional ones only sometimes.
local function arguments_of_row(source, target)
  local call = {positional = {}, keywords = {}}
  for i, kind in ipairs(target.kinds) do
    if target.optional[i] and source:chance(0.4) then break end
    call.positional[i] = source:chance(0.05) and argument(source) or typed.of(source, kind)
  end
  return call
end

local function arguments_of(source, target)
  if target.kinds and source:chance(0.6) then return arguments_of_row(source, target) end
  local call = {positional = {}, keywords = {}}
  for i = 1, source:integer(0, math.min(5, math.max(2,
    #target.parameters))) do call.positional[i] = argument(source) end
  if #target.parameters > 0 and source:chance(0.5) then
    for _ = 1, source:integer(1,
      2) do call.keywords[source:pick(target.parameters)] = argument(source) end
  elseif source:chance(0.05) then
    call.keywords.nonsense = argument(source)
  end
  return call
end

local reserved = {["repeat"] = true, ["function"] = true, ["end"] = true, ["in"] = true}

local function key_text(key) return reserved[key] and ('["%s"]'):format(key) or key end

local function text_of_arguments(call)
  local parts = table.move(call.positional, 1, #call.positional, 1, {})
  local keys, pairs_of = {}, {}
  for key in pairs(call.keywords) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do pairs_of[i] = ("%s = %s"):format(key_text(key),
    call.keywords[key]) end
  if #keys > 0 then parts[#parts + 1] = "{" .. table.concat(pairs_of, ", ") .. "}" end
  return "(" .. table.concat(parts, ", ") .. ")"
end

local function text_of(case)
  local parts = {case.target}
  for _, call in ipairs(case.calls) do parts[#parts + 1] = text_of_arguments(call) end
  return table.concat(parts)
end

local likely = {{35, "class"}, {25, "operation"}, {25, "method"}, {15, "function"}}

local function new_case(source, targets)
  local target = source:pick(targets[source:weighted(likely)])
  local case = {target = target.text, calls = {arguments_of(source, target)}}
  if target.kind == "class" and source:chance(0.3) then case.calls[2] = arguments_of(source,
    {parameters = {}}) end
  return case
end

---------------------------------------------------------------- running them

-- The worker's report: faults by number, and the number of the call that it did not return from.
local function read(output)
  local found, last = {}, 0
  for line in output:gmatch "[^\n]+" do
    local number = line:match "^@(%d+)$"
    if number then last = tonumber(number) end
    local at, kind, cause, message = line:match "^!(%d+)\t(.-)\t(.-)\t(.*)$"
    if at then found[tonumber(at)] = {kind = kind, cause = cause, message = message} end
  end
  return found, last
end

local function run_once(expressions, seconds)
  local name, remove = child.file(table.concat(expressions, "\n") .. "\n")
  local output, death, kind = child.run({"scripts/fuzz/call_worker.lua", name},
    {seconds = seconds})
  remove()
  local found, last = read(output)
  return found, death and last, death and {kind = kind, cause = kind .. ": "
    .. expressions[math.max(last, 1)]:match "^[^(]*", message = death}, output
end

--- Makes the calls; if one ends the process, the rest run in another.
-- @treturn table number → fault
function calls.run(expressions)
  local result, from = {}, 1
  while from <= #expressions do
    local rest = table.move(expressions, from, #expressions, 1, {})
    local found, died, fault, output = run_once(rest, seconds_each + #rest // 5)
    for at, what in pairs(found) do result[from + at - 1] = what end
    if not died then break end
    local alone = fault
    if #rest > 1 and died > 0 then
      local _, again, fault_alone = run_once({rest[died]}, seconds_each)
      alone = again and fault_alone or {kind = fault.kind .. " in company", cause = fault.cause,
        message = fault.message}
    end
    alone.output = output:sub(-2000):gsub("[@!]%d+[^\n]*\n", "")
    result[from + math.max(died, 1) - 1] = alone
    from = from + math.max(died, 1)
  end
  return result
end

---------------------------------------------------------------- shrinking

local simple = {"nil", "1", "{}", "x"}

local function copy(case)
  local result = {target = case.target, calls = {}}
  for i, call in ipairs(case.calls) do
    result.calls[i] = {positional = {table.unpack(call.positional)}, keywords = {}}
    for key, value in pairs(call.keywords) do result.calls[i].keywords[key] = value end
  end
  return result
end

-- All cases that are one step simpler.
local function simpler(case)
  local list = {}
  local function try(change)
    local other = copy(case)
    change(other.calls)
    list[#list + 1] = other
  end
  if #case.calls > 1 then try(function(c) c[#c] = nil end) end
  for at, call in ipairs(case.calls) do
    if #call.positional > 0 then try(function(c) c[at].positional[#c[at].positional] = nil end) end
    for key in pairs(call.keywords) do try(function(c) c[at].keywords[key] = nil end) end
    for i, value in ipairs(call.positional) do
      for _, other in ipairs(simple) do
        if value == other then break end
        try(function(c) c[at].positional[i] = other end)
      end
    end
  end
  return list
end

local function shrink(case, fault, stop)
  while os.time() < stop do
    local candidates, texts = simpler(case), {}
    for i, candidate in ipairs(candidates) do texts[i] = text_of(candidate) end
    local found, better = calls.run(texts), nil
    for i, candidate in ipairs(candidates) do
      if not better and found[i] and found[i].kind == fault.kind
        and found[i].cause == fault.cause then better = candidate end
    end
    if not better then return case end
    case = better
  end
  return case
end

---------------------------------------------------------------- the whole

--- Runs calls for some time.
-- @tparam table options `seconds`, `seed`, `report(kind, what)`, `shrink` (true by default),
-- `count` instead of seconds
-- @treturn table counts: `tried`, `failed`
function calls.fuzz(options)
  local targets = require("call_targets").all()
  local counts, causes, stop, round = {tried = 0, failed = 0, targets = targets.count}, {},
    os.time() + options.seconds, 0
  repeat
    local seed = options.seed + round
    local source, cases, texts = draw.new(seed), {}, {}
    for i = 1, options.count or batch do
      cases[i] = new_case(source, targets)
      texts[i] = text_of(cases[i])
    end
    local found = calls.run(texts)
    for i, case in ipairs(cases) do
      local fault = found[i]
      if fault and not causes[fault.kind .. fault.cause] then
        causes[fault.kind .. fault.cause] = true
        counts.failed = counts.failed + 1
        local text = options.shrink == false and text_of(case) or text_of(shrink(case, fault,
          os.time() + 10))
        options.report("calls", ("%s at %s: %s\nseed %d\n%s%s"):format(fault.kind, fault.cause,
          fault.message, seed, values.script(text),
          fault.output and "\n" .. fault.output or ""))
      end
    end
    counts.tried, round = counts.tried + #cases, round + 1
  until options.count or os.time() >= stop
  return counts
end

return calls
