--- Makes the calls of a file, one per line, and reports the fault of each, if any. It prints the
-- number of each call first, so that a crash or a hang is identified by the last number. Run by
-- `calls.lua`.
package.path = os.getenv "CUSP_FUZZ" .. "/?.lua;" .. package.path
local errors = require "cusp.base.errors"
local faults = require "call_faults"
local values = require "call_values"

local out = io.stdout
local print = print
_G.print = function() end -- what `summary` and the like print is not looked at

-- Computes lazy results now, so that errors and crashes do not show up in a later call.
local function look(...)
  for i = 1, select("#", ...) do tostring((select(i, ...))) end
end

local function handler(message)
  return {message = message, cause = faults.cause(errors.is_library, message)}
end

-- Stops loops in Lua; the parent kills hangs in C.
local function limit(seconds)
  local stop = os.clock() + seconds
  debug.sethook(function()
    if os.clock() > stop then
      debug.sethook()
      error("FUZZ: no end in sight", 0)
    end
  end, "", 100000)
end

local function make_call(expression)
  local environment = values.environment()
  local call = assert(load("look(" .. expression .. ")", "=call", "t", environment))
  rawset(environment, "look", look)
  rawset(environment, "print", function() end)
  limit(5)
  local ok, result = xpcall(call, handler)
  debug.sethook()
  if not ok then return faults.of(result.message, result.cause) end
end

local number = 0
for expression in io.lines(arg[1]) do
  number = number + 1
  out:write("@", number, "\n")
  out:flush()
  local fault = make_call(expression)
  if fault then out:write("!", number, "\t", fault.kind, "\t", fault.cause, "\t",
    (fault.message:gsub("[%c]+", " ")), "\n") end
  if number % 50 == 0 then collectgarbage() end
end
print "done"
