--- The ways to run a program in one process: the value of `mode` in it.
-- @module program_modes
local cusp = require "cusp"
local engine = require "cusp.engine"

local function as_it_is(f) return f end
local function nothing() end

-- A traced tensor has no value to read.
local function look(tensor)
  if not engine.tracing() then tostring(tensor) end
end

local function threads(n, mode)
  return setmetatable({}, {__index = function(_, key)
    cusp.set_num_threads(n)
    return mode[key]
  end})
end

local modes = {
  eager = {step = as_it_is, look = nothing, run_eagerly = true},
  looked = {step = as_it_is, look = look, run_eagerly = true},
  compiled = {step = cusp.compile, look = nothing, run_eagerly = false},
  compiledlooked = {step = cusp.compile, look = look, run_eagerly = false},
}
modes.threads = threads(2, modes.compiled)

return modes
