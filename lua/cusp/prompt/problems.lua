--- Errors as the prompt shows them: the message, the line with a mark below the place, and the
-- user's frames.
-- @module cusp.prompt.problems
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local inputs = require "cusp.prompt.inputs"
local inspect = require "cusp.base.inspect"
local plain = require "cusp.base.plain"
local python = require "cusp.base.python_words"

local problems = {}

local MOST_FRAMES = 10

---------------------------------------------------------------- the line and the place in it

-- What a message says about a name or a token, which is marked in its line.
local patterns = {"near '(.-)'$", "%(%a+ '([%w_]+)'%)", "'([%w_]+)' is not", "'([%w_]+)' is Python"}

local function word_in(line, word)
  local plain_word = word:gsub("%p", "%%%0")
  if word:find "^[%w_]+$" then
    return line:find("%f[%w_]" .. plain_word .. "%f[^%w_]")
  end
  return line:find(word, 1, true)
end

local function place_in(line, message)
  for _, pattern in ipairs(patterns) do
    local word = message:match(pattern)
    local at = word and word ~= "<eof>" and word_in(line, word)
    if at then return at end
  end
  -- what failed has its own name in front: "add: argument 'x2' ..."
  local name = message:match "^[^\n]-:%d+: ([%w_]+):"
  return name and word_in(line, name) or line:find "%S" or 1
end

--- A line of an input or file, and a mark below a place in it; nil where the line is not to be had.
-- @tparam string message that begins with "NAME:LINE:"
function problems.excerpt(message)
  local name, number = message:match "^([^\n:]+):(%d+):"
  if not name or engine.is_internal("@" .. name) then return nil end
  local line = inputs.line(name, math.tointeger(tonumber(number)))
  if not line or #line > 300 or not line:find "%S" then return nil end
  local place = place_in(line, message:match "^[^\n]*")
  local before = line:sub(1, place - 1)
  local blanks = (" "):rep(utf8.len(before) or #before)
  return ("  %s\n  %s^"):format(line:gsub("\t", " "), blanks)
end

---------------------------------------------------------------- texts

-- An error that is not a string.
local function value_text(value)
  local meta = getmetatable(value)
  if type(meta) == "table" and rawget(meta, "__tostring") then return plain.tostring(value) end
  return "error: " .. inspect(value)
end

local function frame_text(info)
  local name = info.what == "main" and "the input" or info.name and ("'%s'"):format(info.name)
    or "a function"
  return ("  %s:%d: in %s"):format(info.short_src, info.currentline, name)
end

--- The user's frames, from the one that failed outwards, with the locals of each.
-- @tparam integer level where to begin
-- @treturn {table,...} as `debug.getinfo` gives them
function problems.frames(level)
  local frames, full = {}, os.getenv "CUSP_TRACEBACK" == "full"
  for at = level, 200 do
    local info = debug.getinfo(at + 1, "Slntfu")
    if not info then break end
    if info.what ~= "C" and (full or not engine.is_internal(info.source)) then
      info.level = at
      frames[#frames + 1] = info
    end
  end
  return frames
end

-- The input itself is named where the message does not.
local function frame_lines(frames, message)
  local lines = {}
  for _, info in ipairs(frames) do
    local place = ("%s:%d:"):format(info.short_src, info.currentline)
    local said = info.what == "main" and message:sub(1, #place) == place
    if not said and #lines < MOST_FRAMES then lines[#lines + 1] = frame_text(info) end
  end
  return lines
end

-- Where the message is about a file of the library or none, the nearest line of the user's.
local function excerpt_for(message, frames)
  local found = problems.excerpt(message)
  if found or message:find "^%[%d+%]:" or not frames[1] then return found end
  local info = frames[1]
  return problems.excerpt(("%s:%d: %s"):format(info.short_src, info.currentline, message))
end

--- The text of an error.
-- @param message the error value
-- @tparam[opt] {table,...} frames
-- @treturn string
function problems.text(message, frames)
  frames = frames or {}
  if type(message) ~= "string" then
    local lines = frame_lines(frames, "")
    table.insert(lines, 1, value_text(message))
    return table.concat(lines, "\n")
  end
  local lines = {errors.with_nearest_name(message)}
  lines[#lines + 1] = excerpt_for(message, frames)
  for _, line in ipairs(frame_lines(frames, message)) do lines[#lines + 1] = line end
  return table.concat(lines, "\n")
end

--- The text of a compiler's message.
function problems.syntax(message, text)
  local lines = {python.explain(message, text)}
  lines[#lines + 1] = problems.excerpt(message)
  return table.concat(lines, "\n")
end

return problems
