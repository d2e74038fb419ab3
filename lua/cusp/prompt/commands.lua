--- What the prompt does besides running Lua: `:time`, `:who`, `:save` and the like, `?name`, `$
-- command`.
-- @module cusp.prompt.commands
local chunks = require "cusp.prompt.chunks"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local evaluate = require "cusp.prompt.evaluate"
local lists = require "cusp.base.lists"
local files = require "cusp.prompt.scripts"
local globals = require "cusp.prompt.globals"
local inputs = require "cusp.prompt.inputs"
local inspect = require "cusp.base.inspect"
local progress = require "cusp.base.progress"

local commands = {}

local list = {} -- name → {usage, what it does, function(prompt, argument)}

local function define(name, argument, text, run)
  list[name] = {usage = (":%s %s"):format(name, argument):match "^(.-)%s*$", text = text, run = run}
end

---------------------------------------------------------------- measuring

-- What an input computes is computed, not only noted.
local function settle(results)
  local tensors = {}
  for i = 1, results.n do
    if engine.is_tensor(results[i]) then tensors[#tensors + 1] = results[i] end
  end
  if #tensors > 0 then engine.evaluate(tensors) end
end

define("time", "CODE", "run CODE and say how long it took", function(prompt, code)
  local took
  local chunk, problem = chunks.compile(code, inputs.chunk_name(inputs.number()))
  if not chunk then return print(problem) end
  local run = chunk.run
  local started = engine.monotonic()
  local function timed()
    local results = table.pack(run())
    settle(results)
    took = engine.monotonic() - started
    return table.unpack(results, 1, results.n)
  end
  if #chunk.declared == 0 then chunk.run = timed end
  if evaluate.run(prompt.call, chunk, code, inputs.add(code)) then
    print("took " .. progress.format_time(took or engine.monotonic() - started))
  end
end)

define("profile", "CODE", "run CODE and list the functions that took the most time",
  function(prompt, code)
    require "cusp.prompt.profile"(code, function(f)
      return evaluate.protected(prompt.call, f)
    end)
  end)

---------------------------------------------------------------- variables

local function kind_of(value)
  local meta = debug.getmetatable(value)
  if type(value) == "table" and type(meta) == "table" and rawget(meta, "__super") then
    return tostring(meta.__name)
  end
  if engine.is_tensor(value) then return "tensor" end
  return engine.is_variable(value) and "variable" or type(value)
end

-- One line of a value.
local function brief(value)
  if engine.is_tensor(value) or engine.is_variable(value) then
    return ("shape {%s}, %s"):format(table.concat(value.shape, ", "), value.dtype)
  end
  local text = inspect(value, {depth = 1, items = 5}):gsub("%s*\n%s*", " ")
  return #text <= 60 and text or text:sub(1, 57) .. "..."
end

define("who", "", "list the variables", function(prompt)
  local all = globals.all()
  local names = lists.keys(all, function(name)
    return type(name) == "string" and not name:find "^_" and prompt.initial[name] ~= all[name]
  end)
  if #names == 0 then print "no variables yet" end
  for _, name in ipairs(names) do
    local value = globals.get(name)
    print(("  %-12s %-10s %s"):format(name, kind_of(value), brief(value)))
  end
end)

define("reset", "", "forget all variables and inputs", function(prompt)
  globals.reset(prompt.initial)
  inputs.clear()
  evaluate.forget_error()
  files.clear()
  collectgarbage()
end)

---------------------------------------------------------------- files

define("load", "FILE", "run a file as if it had been typed", function(prompt, path)
  local text = files.read(path)
  if text and evaluate.input(prompt.call, text, "@" .. path) then files.note(text) end
end)

define("save", "FILE", "write the inputs that ran without an error as a script",
  function(_, path) files.save(path, false) end)

define("save!", "FILE", "the same, over a file that exists",
  function(_, path) files.save(path, true) end)

define("edit", "[N]", "edit the last input, or input N, in $EDITOR and run it",
  function(prompt, number)
    local all = inputs.all()
    local text = number == "" and (all[#all] or "") or all[tonumber(number)]
    if not text then return print(("there is no input %s"):format(number)) end
    text = files.edit(text)
    if not text or not text:find "%S" then return end
    print(text)
    prompt.remember(text)
    if evaluate.input(prompt.call, text) then files.note(text) end
  end)

---------------------------------------------------------------- the rest

define("debug", "", "look at the frames and locals of the last error", function(prompt)
  local found = evaluate.last_error()
  if not found then return print "there has been no error yet" end
  require("cusp.prompt.debugger").run(found, prompt.read_line, function(f)
    return evaluate.protected(prompt.call, f)
  end)
end)

define("history", "[WORD]", "list the inputs so far, or those with WORD in them",
  function(_, word)
    for number, text in ipairs(inputs.all()) do
      if text:find(word, 1, true) then print(("[%d] %s"):format(number, text)) end
    end
  end)

define("help", "", "list these commands", function()
  local function line(usage, text) print(("  %-16s %s"):format(usage, text)) end
  for _, name in ipairs(lists.keys(list)) do line(list[name].usage, list[name].text) end
  line("?NAME, NAME?", "help on a name; also help NAME")
  line("??NAME", "its source")
  line("apropos WORD", 'what mentions a word; also apropos "WORD"')
  line("$ COMMAND", "run a command of the system")
  line("quit", "leave; so does Ctrl-D")
end)

define("quit", "", "leave the prompt", function(prompt) prompt.done = true end)

---------------------------------------------------------------- dispatch

--- Names of the commands, for completion.
-- @treturn table name → true
function commands.names()
  local names = {}
  for name in pairs(list) do names[name] = true end
  return names
end

local function run_command(prompt, text)
  local name, argument = text:match "^:([%w!]+)%s*(.*)$"
  local command = list[name]
  if not command then
    return print((":%s is no command%s; :help lists them"):format(name or "",
      errors.suggestion(name, commands.names())))
  end
  if argument == "" and command.usage:find " [A-Z]" then
    return print("usage: " .. command.usage)
  end
  command.run(prompt, command.usage:find "FILE" and files.expand(argument) or argument)
end

--- Runs a text for which `evaluate.special` is not nil.
-- @tparam table prompt
-- @tparam string text
function commands.run(prompt, text)
  local function run()
    if text:find "^:" then return run_command(prompt, text) end
    if text:find "^%$" then
      io.stdout:flush()
      os.execute(text:sub(2))
      return
    end
    local help = require "cusp.prompt.help"
    local word = text:match "^apropos%s+\"(.*)\"$"
    if word then return help.apropos(word) end
    if text:find "^%?%?" then return help.source(text:match "^%?%?%s*(.*)$") end
    local name = text:match "^%?%s*(.*)$"
    if name == "" then return help() end
    help.print_name(name:match '^"(.*)"$' or name)
  end
  evaluate.protected(prompt.call, run)
end

return commands
