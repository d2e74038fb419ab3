--- Sessions at the prompt, in a terminal that the program `script` makes.
local folder = require "spec.support.folder"

local prompt = {}

local program = (os.getenv "CUSP_BUILD" or "build") .. "/cusp"

--- Whether a terminal can be made here. Some machines have the program and no terminals.
prompt.possible = (function()
  local pipe = io.popen("script -qec 'test -t 0 && echo made' /dev/null < /dev/null 2> /dev/null")
  local text = pipe and pipe:read "a" or ""
  if pipe then pipe:close() end
  return text:find("made", 1, true) ~= nil
end)()

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read "a" or ""
  if file then file:close() end
  return text
end

-- What is typed: a file, or a command that waits for something before it goes on.
local function input_of(home, typed)
  if type(typed) == "string" then
    write(home .. "/input", typed .. "\n\4")
    return ("cat %s/input"):format(home)
  end
  return typed(home)
end

--- Types at the prompt.
-- @tparam string|function typed the text, or a function of the folder that gives a shell command
-- which writes it
-- @tparam[opt] table options `term`, "dumb" by default; `history`, the file as it is before;
-- `environment`
-- @treturn string what appears after the greeting
-- @treturn string the file of the history
function prompt.session(typed, options)
  options = options or {}
  local place <close> = folder.new()
  local home = place.path
  if options.history then write(home .. "/.cusp_history", options.history) end
  local command = ("%s | HOME=%s XDG_STATE_HOME= CUSP_HISTORY= INPUTRC=/dev/null TERM=%s %s "
    .. "script -qec %s /dev/null 2>&1"):format(input_of(home, typed), home,
    options.term or "dumb", options.environment or "", program)
  local pipe = io.popen(command)
  local screen = pipe:read("a"):gsub("\r", "")
  pipe:close()
  local history = read(home .. "/.cusp_history")
  return screen:match "leaves%.\n(.*)$" or screen, history
end

return prompt
