--- What holds during a call and no longer: the training flag, the path of names, what stands in for
-- unknown sizes, and such. It belongs to the coroutine that the call is in, and to those that it
-- resumes meanwhile: one that yields, dies or is collected in the middle leaves nothing behind for
-- others.
-- @module cusp.base.context
local engine = require "cusp.engine"

local context = {}
local frame = engine.frame
local none = {}

--- What holds now.
-- @treturn table to be read only; its fields are those given to `within` by the calls around
function context.get() return frame() or none end

--- Calls a function with some of it changed.
-- @function within
-- @tparam table changes fields by name; `false` takes one away. The table becomes the engine's
-- @tparam function f
-- @param ... its arguments
-- @return its results
context.within = engine.within

--- As `within`, with the results that pcall gives; an interrupt is raised all the same.
-- @function attempt
context.attempt = engine.attempt_within

return context
