--- The file of inputs that the arrow keys bring back.
-- Each input is added when it is entered, in one write, so that several prompts share the file and
-- a terminal that is closed loses nothing. A line "#SECONDS" stands before each, as in Readline's
-- files; what stands before the first such line was written by older versions, one input a line.
-- @module cusp.prompt.history
local history = {}

local MOST, ROOM = 10000, 2000 -- inputs that are kept; how many more the file may have meanwhile

--- Where the file is; nil where nobody says where home is.
-- @treturn ?string
function history.path()
  local own = os.getenv "CUSP_HISTORY"
  if own and own ~= "" then return own end
  local state = os.getenv "XDG_STATE_HOME"
  if state and state ~= "" then return state .. "/cusp_history" end
  local home = os.getenv "HOME"
  return home and home .. "/.cusp_history"
end

local function parse(text)
  local entries = {}
  local first = text:match "^#%d+\n()" and 1 or text:match "\n()#%d+\n" or #text + 1
  for line in text:sub(1, first - 1):gmatch "([^\n]+)" do entries[#entries + 1] = line end
  while first <= #text do
    local begins = text:match("^#%d+\n()", first)
    local last, after = text:find("\n#%d+\n", begins - 1)
    entries[#entries + 1] = text:sub(begins, (last or #text) - 1)
    first = after and last + 1 or #text + 1
  end
  return entries
end

local function stamped(text, time)
  -- A line of the input that looks like a stamp would begin another.
  return ("#%d\n%s\n"):format(time, (text:gsub("%f[^\n\0](#%d+)%f[\n\0]", " %1")))
end

-- Writes the newest entries beside the file and puts them in its place.
local function shorten(path, entries)
  local texts = {}
  for i = #entries - MOST + 1, #entries do texts[#texts + 1] = stamped(entries[i], 0) end
  local beside = ("%s.%d"):format(path, os.time())
  local file = io.open(beside, "w")
  if not file then return end
  local written = file:write(table.concat(texts))
  if file:close() and written then os.rename(beside, path) else os.remove(beside) end
end

--- The inputs in a file, the newest last.
-- @tparam string path
-- @treturn {string,...}
function history.load(path)
  local file = io.open(path)
  if not file then return {} end
  local text = file:read "a"
  file:close()
  local entries = parse(text)
  if #entries > MOST + ROOM then shorten(path, entries) end
  return table.move(entries, math.max(1, #entries - MOST + 1), #entries, 1, {})
end

--- Adds an input to the end of a file.
function history.add(path, text)
  local file = io.open(path, "a")
  if not file then return end
  file:setvbuf "full"
  file:write(stamped(text, os.time()))
  file:close()
end

return history
