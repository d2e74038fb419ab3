--- `:debug` after an error: the frames it went through, their locals, and expressions within one.
-- @module cusp.prompt.debugger
local engine = require "cusp.engine"
local inputs = require "cusp.prompt.inputs"
local inspect = require "cusp.base.inspect"

local debugger = {}

---------------------------------------------------------------- noting frames

local function add_varargs(info, level)
  local list = {}
  for i = 1, 50 do
    local name, value = debug.getlocal(level + 1, -i)
    if not name then break end
    list[i] = value
  end
  info.varargs = list
end

--- Notes the locals and upvalues of a frame that is still there, the inner ones last.
-- @tparam table info of the frame
-- @tparam integer level of it, seen from the caller
function debugger.read_locals(info, level)
  info.names, info.values = {}, {}
  local function add(name, value)
    if not name:find "^[%a_]" or name:find "^__" then return end
    if info.values[name] == nil then info.names[#info.names + 1] = name end
    info.values[name] = {value}
  end
  for i = 1, 60 do
    local name, value = debug.getupvalue(info.func, i)
    if not name then break end
    if name ~= "_ENV" then add(name, value) end
  end
  for i = 1, 200 do
    local name, value = debug.getlocal(level + 1, i)
    if not name then break end
    add(name, value)
  end
  add_varargs(info, level + 1)
end

---------------------------------------------------------------- showing them

local function place(info) return ("%s:%d"):format(info.short_src, info.currentline) end

local function list_frames(session)
  for i, info in ipairs(session.frames) do
    local name = info.what == "main" and "the input" or info.name or "a function"
    print(("%s %d  %s in %s"):format(i == session.at and "*" or " ", i, place(info), name))
  end
end

local function show_line(session)
  local info = session.frames[session.at]
  print(("frame %d of %d, %s"):format(session.at, #session.frames, place(info)))
  for number = math.max(1, info.currentline - 3), info.currentline + 3 do
    local line = inputs.line(info.source:match "^[@=](.*)$" or info.short_src, number)
    local mark = number == info.currentline and ">" or " "
    if line then print(("%s %4d  %s"):format(mark, number, line)) end
  end
end

local function list_locals(session)
  local info = session.frames[session.at]
  for _, name in ipairs(info.names) do
    print(("  %s = %s"):format(name, inspect(info.values[name][1], {depth = 2, items = 8})))
  end
  if #info.names == 0 then print "  no locals" end
end

---------------------------------------------------------------- expressions

-- Locals come before globals; what is assigned stays in the copy of the frame.
local function environment(info)
  return setmetatable({}, {
    __index = function(_, name)
      local found = info.values[name]
      if found then return found[1] end
      return _G[name]
    end,
    __newindex = function(_, name, value)
      if info.values[name] then info.values[name][1] = value else _G[name] = value end
    end,
  })
end

local function show_results(ok, ...)
  if not ok then return print((...)) end
  for i = 1, select("#", ...) do print(inspect((select(i, ...)))) end
end

local function run_expression(session, text)
  local info = session.frames[session.at]
  local env = environment(info)
  local chunk, problem = load("return " .. text, "=debug", "t", env)
  if not chunk then chunk, problem = load(text, "=debug", "t", env) end
  if not chunk then return print(problem) end
  show_results(engine.attempt(chunk, table.unpack(info.varargs)))
end

---------------------------------------------------------------- the session

local function move(session, to)
  if to < 1 or to > #session.frames then return print "there is no frame there" end
  session.at = to
  show_line(session)
end

local commands = {
  where = list_frames, frames = list_frames, locals = list_locals, list = show_line,
  up = function(session) move(session, session.at + 1) end,
  down = function(session) move(session, session.at - 1) end,
  help = function()
    print("frames (or where), up, down, a frame's number, locals, list, an expression or "
      .. "statement; quit")
  end,
}

local function handle(session, text)
  local number = text:match "^%d+$"
  if number then return move(session, math.tointeger(tonumber(number))) end
  local name = text:match "^:?(%a+)$"
  if name and commands[name] and not session.frames[session.at].values[name] then
    return commands[name](session)
  end
  run_expression(session, text)
end

local leaving = {quit = true, exit = true, q = true, [":quit"] = true}

--- Reads commands and expressions until the user leaves.
-- @tparam table found `{message =, frames =}` of the error
-- @tparam function read `read(prompt)` gives a line; nil or false to leave
-- @tparam function protected `protected(f)` calls f and shows its errors
function debugger.run(found, read, protected)
  local session = {frames = found.frames, at = 1}
  if #session.frames == 0 then return print "the error was raised outside of any Lua of yours" end
  show_line(session)
  commands.help()
  while true do
    local text = read(("debug %d> "):format(session.at))
    text = text and text:match "^%s*(.-)%s*$"
    if not text or leaving[text] then return end
    if text ~= "" then protected(function() handle(session, text) end) end
  end
end

return debugger
