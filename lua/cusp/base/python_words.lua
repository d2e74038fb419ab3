--- What Python's words are in Lua: for errors about programs that were written with Python in mind.
-- @module cusp.base.python_words
local python = {}

--- Words that would silently be nil.
python.constants = {
  True = "true", False = "false",
  None = "nil (in shapes cusp.None; as an argument cusp.null)",
}

local functions = {
  len = "#x", str = "tostring(x)", int = "math.tointeger(x) or x // 1", float = "tonumber(x)",
  range = "for i = 1, n do ... end", enumerate = "for i, x in ipairs(t) do ... end",
  zip = "for i = 1, #a do ... end", isinstance = "type(x), or Class.is_instance(x, Class)",
  list = "a table, {...}", dict = "a table, {name = value}", tuple = "a table, {...}",
  set = "a table, {[value] = true}", abs = "math.abs(x)", max = "math.max(x, y)",
  min = "math.min(x, y)", round = "math.floor(x + 0.5)", sum = "x:sum() of a tensor",
  sorted = "table.sort(t)", reversed = "for i = #t, 1, -1 do ... end",
  open = "io.open(path)", input = "io.read()", exit = "os.exit()", super = "Class.__super",
  hasattr = "x.name ~= nil", getattr = "x[name]", setattr = "x[name] = value",
  map = "a loop over the table", filter = "a loop over the table", import = 'require "name"',
}

-- What they are here: the library itself, or a member of it.
local libraries = {
  np = ".ops", numpy = ".ops", jnp = ".ops", keras = "", tf = "", tensorflow = "", torch = "",
  nn = ".layers", F = ".ops", pd = ".data",
}

--- The error for one of the constants.
function python.message(name)
  return ("'%s' is Python's: Lua writes %s"):format(name, python.constants[name])
end

--- What to write instead, for Lua's message about a global that is nil; "" where nothing is known.
-- @tparam string message
-- @treturn string "; Lua writes #x"
function python.hint(message)
  local called = message:match "attempt to call a nil value %(global '([%w_]+)'%)$"
  if called and functions[called] then return "; Lua writes " .. functions[called] end
  local used = message:match "attempt to index a nil value %(global '([%w_]+)'%)$"
  local member = used and libraries[used]
  if member then return ("; here it is cusp%s"):format(member) end
  return ""
end

---------------------------------------------------------------- Python's syntax

-- Patterns of a line with a syntax error, and what Lua writes.
local syntax = {
  {"!=", "Lua writes ~= for 'is not equal'"},
  {"[%w_%])]%s*[%+%-%*/]=", "Lua has no +=: write x = x + 1"},
  {"%+%+", "Lua has no ++: write x = x + 1"},
  {"&&", "Lua writes 'and'"},
  {"||", "Lua writes 'or'"},
  {"^%s*elif%f[^%w_]", "Lua writes 'elseif ... then'"},
  {"^%s*else%s+if%f[^%w_]", "'else if' opens a block of its own, which needs its own 'end'; "
    .. "'elseif' does not"},
  {"^%s*else%s*:", "Lua writes 'else' without a colon, and closes blocks with 'end'"},
  {"^%s*def%s+[%a_]", "Lua writes 'function name(arguments) ... end'"},
  {"^%s*class%s+[%a_]", 'Lua makes a class by a call: Layer:extend("Name", {...})'},
  {"%f[%w_]lambda%f[^%w_]", "Lua writes function(x) return x end"},
  {"^%s*import%s", 'Lua writes local name = require "name"'},
  {"^%s*from%s+[%w_.]+%s+import", 'Lua writes local name = require("module").name'},
  {"^%s*for%s+.-%s+in%s+range", "Lua writes for i = 1, n do ... end"},
  {"^%s*for%s+.*:%s*$", "Lua writes for i = 1, n do ... end, or for i, x in ipairs(t) do ... end"},
  {"^%s*while%s+.*:%s*$", "Lua writes while condition do ... end"},
  {"^%s*if%s+.*:%s*$", "Lua writes if condition then ... end"},
  {"^%s*try%s*:", "Lua writes pcall(f), which returns false and the error"},
  {"^%s*with%s+.*:", "Lua writes local name <close> = value, in a block do ... end"},
  {"^%s*#%s", "Lua's comments begin with --"},
  {"%s#%s", "Lua's comments begin with --"},
  {"%f[%w_]is%s+not%f[^%w_]", "Lua writes ~= nil"},
  {"%*%*", "Lua writes x ^ y"},
  {"%f[%w_][fr][\"']", "Lua's strings have no prefix; ('%d'):format(x) puts values into text"},
  {"[%w_]%[[^%]]*:[^%]]*%]", "Lua has no slices by colon: x:slice{{first, last}}"},
}

local function call_with_names(message, line)
  if not message:find "'%)' expected near '='" then return nil end
  local called = line:match "([%a_][%w_.:]*)%s*%([^()]*[%a_][%w_]*%s*=[^=]"
  return ("arguments by name stand in braces: %s{3, name = value}"):format(called or "f")
end

--- What was meant by a line that Lua cannot read; nil where nothing is known.
-- @tparam string message of the compiler
-- @tparam string line of the program
-- @treturn ?string
function python.syntax_hint(message, line)
  local code = line:gsub('%b""', '""'):gsub("%b''", "''"):gsub("%-%-.*$", "")
  local named = call_with_names(message, code)
  if named then return named end
  for _, case in ipairs(syntax) do
    if code:find(case[1]) then return case[2] end
  end
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
  return lines
end

-- The nearest line before that opens a block as Python does, which is noticed only later.
local function block_hint(lines, last)
  for number = last, math.max(1, last - 50), -1 do
    for _, case in ipairs(syntax) do
      if case[1]:sub(1, 1) == "^" and lines[number]:find(case[1]) then
        return ("line %d: %s"):format(number, case[2])
      end
    end
  end
end

local function read_file(path)
  local file = io.open(path)
  local text = file and file:read "a" or ""
  if file then file:close() end
  return text
end

--- A compiler's message, with what was meant. The program calls it for scripts.
-- @tparam string message
-- @tparam[opt] string text of the chunk, for one that is no file
-- @treturn string
function python.explain(message, text)
  local path, number = message:match "^([^\n]-):(%d+): "
  if not path then return message end
  local lines = lines_of(text or read_file(path))
  local last = math.min(math.tointeger(tonumber(number)), #lines)
  local hint = last > 0 and (python.syntax_hint(message, lines[last]) or block_hint(lines, last))
  return hint and ("%s (%s)"):format(message, hint) or message
end

return python
