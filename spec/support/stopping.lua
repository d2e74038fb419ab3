--- Runs a function and stops it by an error after a number of Lua instructions, wherever that is.
-- @module spec.support.stopping
local stopping = {}

stopping.message = "stopped here"

--- Calls `f` and stops it by an error at its instruction `n`.
-- @treturn boolean whether it ended before that
-- @return its results, or the error
function stopping.at(n, f)
  local function stop()
    debug.sethook()
    error(stopping.message, 0)
  end
  local ok, result = pcall(function()
    debug.sethook(stop, "", n)
    local returned = f()
    debug.sethook()
    return returned
  end)
  debug.sethook()
  return ok, result
end

--- Stops `run(subject)` at every `stride`-th instruction until it runs to its end, each time with a
-- new subject.
-- @tparam table options `first`, `stride`, `make` (returns a subject), `run`, `check` (called after
-- each error with the subject and n)
-- @treturn integer how often it was stopped
function stopping.sweep(options)
  local n, count = options.first or 1, 0
  while true do
    local subject = options.make()
    local ended, problem = stopping.at(n, function() return options.run(subject) end)
    if ended then return count end
    if not tostring(problem):find(stopping.message, 1, true) then
      error(("at instruction %d: %s"):format(n, tostring(problem)), 0)
    end
    options.check(subject, n)
    n, count = n + options.stride, count + 1
  end
end

return stopping
