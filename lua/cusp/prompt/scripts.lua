--- Inputs and files: the inputs as a script, a file's text, an input in the user's editor.
-- @module cusp.prompt.scripts
local engine = require "cusp.engine"

local scripts = {}

local ran = {} -- the texts of inputs that ended without an error

--- Notes an input that ended without an error.
function scripts.note(text) ran[#ran + 1] = text end

--- Forgets the inputs.
function scripts.clear() ran = {} end

-- An expression is no statement: its values are printed.
local function statement(text)
  if load(text, "=input") then return text end
  local expression = text:match "^%s*=(.*)$" or text
  return ("print(%s)"):format((expression:gsub("[%s;]+$", "")))
end

local header = [[
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops

]]

--- Writes the inputs as a script.
-- @tparam string path
-- @tparam boolean over whether a file that exists is replaced
function scripts.save(path, over)
  local existing = not over and io.open(path)
  if existing then
    existing:close()
    return print(("%s exists; :save! %s writes over it"):format(path, path))
  end
  local texts = {}
  for i, text in ipairs(ran) do texts[i] = statement(text) .. "\n" end
  local file, problem = io.open(path, "w")
  if not file then return print(problem) end
  file:write(header, table.concat(texts))
  file:close()
  print(("wrote %d input%s to %s"):format(#ran, #ran == 1 and "" or "s", path))
end

--- A path with "~" and "$NAME" at its beginning replaced.
-- @treturn string
function scripts.expand(path)
  path = path:gsub("^~/", "$HOME/")
  return (path:gsub("^%$([%w_]+)", os.getenv))
end

--- The text of a file; prints why there is none.
-- @treturn ?string
function scripts.read(path)
  local file, problem = io.open(path)
  local text = file and file:read "a"
  if file then file:close() end
  if not text then return print(problem or (path .. " cannot be read")) end
  return (text:gsub("^#[^\n]*", ""))
end

--- A text after the user has changed it in an editor; nil where the editor failed.
-- @tparam string text
-- @treturn ?string
function scripts.edit(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text, "\n")
  file:close()
  local editor = "vi"
  for _, name in ipairs{"EDITOR", "VISUAL"} do
    if (os.getenv(name) or "") ~= "" then editor = os.getenv(name) end
  end
  local ok = os.execute(("%s '%s'"):format(editor, path))
  local edited = ok and scripts.read(path)
  os.remove(path)
  if engine.take_interrupt() or not edited then return nil end
  return (edited:gsub("%s+$", ""))
end

return scripts
