--- `cusp COMMAND ...`: what is done to files of models from the shell. Each command is a file of
-- this folder; nothing of it is loaded otherwise.
-- @module cusp.commands
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local help = require "cusp.commands.machinery.help"
local options = require "cusp.commands.machinery.options"

local commands = {}

local names = {"summary", "predict", "evaluate", "convert", "diff", "plot", "train", "kernel"}

local is_known = {help = true}
for _, name in ipairs(names) do is_known[name] = true end

--- Whether a word is a command, or at least no script.
function commands.has(name) return is_known[name] or not engine.files.exists(name) end

local function refuse(name)
  io.stderr:write(("cusp: there is no script '%s', and no command of that name%s\n"):format(name,
    errors.suggestion(name, is_known)))
  return 1
end

local function definition(name) return require("cusp.commands." .. name) end

--- All commands in the order in which they are listed.
-- @treturn {table,...} their definitions
function commands.list()
  local list = {}
  for i, known in ipairs(names) do list[i] = definition(known) end
  return list
end

local function give_help(name)
  if name == nil then return help.print_list(commands.list()) end
  if name == "help" or not is_known[name] then
    io.stderr:write(("cusp help: there is no command '%s'; the commands are %s\n"):format(name,
      table.concat(names, ", ")))
    return 1
  end
  return help.print(definition(name))
end

local function is_asked_for_help(given)
  for _, argument in ipairs(given) do
    if argument == "--" then return false end
    if argument == "--help" or argument == "-h" then return true end
  end
  return false
end

local function execute(command, given)
  return command.run(options.parse(command, given)) or 0
end

--- Runs a command.
-- @tparam string name
-- @tparam string ... the arguments after it
-- @treturn integer the exit code
function commands.run(name, ...)
  if name == "help" then return give_help((...)) end
  if not is_known[name] then return refuse(name) end
  local command, given = definition(name), {...}
  if name ~= "train" and is_asked_for_help(given) or given[1] == "--help" then
    return help.print(command)
  end
  local ok, result = engine.attempt(execute, command, given)
  if ok then return result end
  io.stdout:flush()
  io.stderr:write(("cusp %s: %s\n"):format(name, (tostring(result):gsub("%s*\n%s*", " "))))
  return 1
end

return commands
