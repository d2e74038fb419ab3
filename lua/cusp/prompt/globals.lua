--- The variables of the prompt: globals, of which some are constant or are closed at the end, and
-- what happens when one is read that is not there.
-- @module cusp.prompt.globals
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local python = require "cusp.base.python_words"

local globals = {}

-- Behind the globals, as a table: so compiled functions see when one of them is another.
local constants = {}
local constant_names = {} -- name → true; a constant may be nil
local closers = {}   -- {name =, value =}, in the order of their declarations

---------------------------------------------------------------- closing

local function close(value, name)
  local method = debug.getmetatable(value)
  method = type(method) == "table" and rawget(method, "__close")
  if not method then return end
  local ok, problem = engine.attempt(method, value, nil)
  if not ok then
    io.stderr:write(("%s: closing it failed: %s\n"):format(name, plain.tostring(problem)))
  end
end

-- Forgets a constant, and closes what it held.
local function forget(name)
  constants[name], constant_names[name] = nil, nil
  for i = #closers, 1, -1 do
    if closers[i].name == name then
      local closer = table.remove(closers, i)
      close(closer.value, name)
    end
  end
end

--- Closes what was declared `<close>`, the last first.
function globals.close_all()
  while #closers > 0 do forget(closers[#closers].name) end
end

---------------------------------------------------------------- declaring

local function is_closable(value)
  local meta = debug.getmetatable(value)
  return not value or type(meta) == "table" and rawget(meta, "__close") ~= nil
end

--- Sets a variable that was declared `local`; what had the name before is closed.
-- @tparam string name
-- @param value
-- @tparam[opt] string attribute "const" or "close"
function globals.declare(name, value, attribute)
  if attribute == "close" and not is_closable(value) then
    error(("variable '%s' got a non-closable value"):format(name), 0)
  end
  forget(name)
  rawset(_G, name, nil)
  if attribute then
    constants[name], constant_names[name] = value, true
  else
    rawset(_G, name, value)
  end
  if attribute == "close" and value then
    closers[#closers + 1] = {name = name, value = value}
  end
end

--- The value of a variable, without a warning where there is none.
function globals.get(name)
  if constant_names[name] then return rawget(constants, name) end
  return rawget(_G, name)
end

--- All variables: name → value.
-- @treturn table
function globals.all()
  local all = {}
  for name, value in next, _G do all[name] = value end
  for name, value in next, constants do all[name] = value end
  return all
end

---------------------------------------------------------------- reading what is not there

local warned = {}

--- Lets each name be warned about again: another input begins.
function globals.begin_input() warned = {} end

-- The variable that was meant by a name; one or two letters are near to too much.
local function suggestion(name)
  local names = {}
  for key in pairs(globals.all()) do
    if type(key) == "string" and #key > 2 and not key:find "^_" then names[key] = true end
  end
  return #name > 2 and errors.suggestion(name, names) or ""
end

local function warn_undefined(name, info)
  if warned[name] then return end
  warned[name] = true
  io.stdout:flush()
  io.stderr:write(("%s:%d: warning: '%s' is not defined%s\n"):format(info.short_src,
    info.currentline, name, suggestion(name)))
end

local function read(_, name)
  if constant_names[name] then return nil end
  if python.constants[name] then error(python.message(name), 2) end
  local info = debug.getinfo(2, "Sl")
  if not info or not info.source:find "^=%[%d+%]$" then return nil end
  if type(name) == "string" and name ~= "_" then warn_undefined(name, info) end
  return nil
end

local function write(t, name, value)
  if constant_names[name] then
    error(("attempt to assign to const variable '%s'"):format(name), 2)
  end
  rawset(t, name, value)
end

local function watch()
  setmetatable(constants, {__index = read})
  setmetatable(_G, {__index = constants, __newindex = write})
end

---------------------------------------------------------------- beginning

local function set_library()
  local cusp = require "cusp"
  rawset(_G, "cusp", cusp)
  rawset(_G, "layers", cusp.layers)
  rawset(_G, "ops", cusp.ops)
  rawset(_G, "help", require "cusp.prompt.help")
  rawset(_G, "apropos", function(word) return require("cusp.prompt.help").apropos(word) end)
  rawset(_G, "print", require("cusp.prompt.evaluate").print)
end

-- An interrupt is for the prompt: no pcall of an input keeps it.
local function let_interrupts_pass()
  local xpcall = xpcall
  local function passed(ok, problem, ...)
    if not ok and engine.is_interrupt(problem) then error(problem, 0) end
    return ok, problem, ...
  end
  rawset(_G, "pcall", engine.attempt)
  rawset(_G, "xpcall", function(f, handler, ...)
    return passed(xpcall(f, function(message)
      if engine.is_interrupt(message) then return message end
      return handler(message)
    end, ...))
  end)
end

--- Sets the variables that inputs find, and begins to watch the globals.
-- @treturn table the variables: name → value
function globals.open()
  set_library()
  let_interrupts_pass()
  local initial = {}
  for name, value in next, _G do initial[name] = value end
  watch()
  return initial
end

--- Forgets what inputs have made: all globals that are not in `kept`.
-- @tparam table kept name → value
function globals.reset(kept)
  globals.close_all()
  for name in next, globals.all() do
    constants[name], constant_names[name] = nil, nil
    rawset(_G, name, kept[name])
  end
end

return globals
