--- State that holds during a call only: the training flag, the path of names, trial sizes for
-- unknown axes. It belongs to the coroutine that makes the call, and to those that it resumes
-- meanwhile. A coroutine that yields, dies or is collected inside the call leaves nothing behind
-- for others.
-- @module cusp.base.context
local engine = require "cusp.engine"

local context = {}
local frame = engine.frame
local none = {}

--- The current state.
-- @treturn table read-only; its fields are those passed to `within` by the enclosing calls
function context.get() return frame() or none end

--- Calls a function with some fields changed.
-- @function within
-- @tparam table changes fields by name; `false` removes one. The engine keeps the table
-- @tparam function f
-- @param ... its arguments
-- @return its results
context.within = engine.within

--- Like `within`, but returns the results of pcall. An interrupt is raised all the same.
-- @function attempt
context.attempt = engine.attempt_within

return context
