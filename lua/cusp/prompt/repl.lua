--- The prompt: reads lines with editing and history, runs them, echoes values.
-- `require "cusp.prompt.repl"()` starts it; the program `cusp` does so when it is alone on a
-- terminal.
-- @module cusp.prompt.repl
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local show = require "cusp.prompt.show"

local HISTORY_LINES = 2000

---------------------------------------------------------------- chunks

-- A chunk that is an expression is compiled as one, so that its values can be shown. The third
-- result says that more lines are needed.
local function compile(text)
  local expression = text:match "^%s*=(.*)$" or text
  local chunk = load("return " .. expression, "=stdin")
  if chunk then return chunk end
  local problem
  chunk, problem = load(text, "=stdin")
  return chunk, problem, problem and problem:find "<eof>$" ~= nil
end

-- What is declared `local` at the prompt would be gone with its line: it is kept, as a global, when
-- the chunk returns.
local function keep_locals(chunk)
  debug.sethook(function()
    if debug.getinfo(2, "f").func ~= chunk then return end
    for i = 1, 250 do
      local name, value = debug.getlocal(2, i)
      if not name then break end
      if name:match "^[%a_]" then _G[name] = value end
    end
  end, "r")
end

local function traceback(message)
  if type(message) ~= "string" then
    local meta = getmetatable(message)
    return type(meta) == "table" and meta.__tostring and tostring(message)
      or ("(error object is a %s value)"):format(type(message))
  end
  local frames = {}
  for level = 2, 100 do
    local info = debug.getinfo(level, "Slnt")
    if not info then break end
    if info.what ~= "C" and info.what ~= "main" and not engine.is_internal(info.source) then
      frames[#frames + 1] = ("  %s:%d: in %s"):format(info.short_src, info.currentline,
        info.name or "a function")
    end
  end
  return errors.with_nearest_name(message)
    .. (#frames > 0 and "\n" .. table.concat(frames, "\n", 1, math.min(#frames, 10)) or "")
end

local function run(readline, chunk, text)
  if text:find "%f[%w]local%f[%W]" then keep_locals(chunk) end
  local results = table.pack(readline.call(chunk, traceback))
  debug.sethook()
  return results
end

---------------------------------------------------------------- echo

local function write_error(message)
  io.stdout:flush()
  io.stderr:write(tostring(message), "\n")
end

local function echo(results)
  if not results[1] then return write_error(results[2]) end
  if results.n < 2 then return end
  local texts = {}
  for i = 2, results.n do
    local ok, text = engine.attempt(show, results[i])
    texts[#texts + 1] = ok and text or "(cannot be shown: " .. tostring(text) .. ")"
  end
  rawset(_G, "_", results[2])
  local many = #texts > 1 and table.concat(texts):find "\n"
  print(table.concat(texts, many and "\n" or "\t"))
end

local function run_and_echo(readline, chunk, text)
  local results = run(readline, chunk, text)
  local ok, problem = readline.call(function() echo(results) end, traceback)
  if not ok then write_error(problem) end
end

---------------------------------------------------------------- reading

-- Lines until they make a whole chunk. nil at the end of input, "" after Ctrl-C.
local function read_chunk(readline)
  local text = readline.read "> "
  if not text then return text == false and "" or nil end
  while true do
    local chunk, problem, unfinished = compile(text)
    if not unfinished then return text, chunk, problem end
    local line = readline.read ">> "
    if line == nil then return text, chunk, problem end
    if line == false then return "" end
    text = text .. "\n" .. line
  end
end

local function history_path()
  local state = os.getenv "XDG_STATE_HOME"
  if state and state ~= "" then return state .. "/cusp_history" end
  local home = os.getenv "HOME"
  return home and home .. "/.cusp_history"
end

local function remember(readline, text)
  -- One line of history may hold several of text: Readline's files keep one a line.
  readline.add((text:gsub("%s*\n%s*", " ")))
end

local function open(readline)
  local path = history_path()
  if path then readline.load(path) end
  readline.complete(require "cusp.prompt.complete")
  return function()
    if path then readline.save(path, HISTORY_LINES) end
  end
end

---------------------------------------------------------------- the loop

local function set_globals()
  local cusp = require "cusp"
  rawset(_G, "cusp", cusp)
  rawset(_G, "layers", cusp.layers)
  rawset(_G, "ops", cusp.ops)
  rawset(_G, "help", require "cusp.prompt.help")
end

--- Runs the prompt until the end of input.
return function()
  local readline = require "cusp.readline"
  set_globals()
  local close = open(readline)
  print(('Cusp %s on %s. help() says how to begin; Ctrl-D leaves.'):format(engine.version,
    _VERSION))
  while true do
    local text, chunk, problem = read_chunk(readline)
    if not text or text:match "^%s*exit%s*$" or text:match "^%s*quit%s*$" then break end
    if text:find "%S" then
      remember(readline, text)
      if chunk then run_and_echo(readline, chunk, text) else write_error(problem) end
    end
  end
  close()
  print()
end
