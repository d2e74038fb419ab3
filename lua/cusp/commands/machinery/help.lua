--- What `--help` prints.
-- @module cusp.commands.machinery.help
local help = {}

--- An option with its value, as it is written.
-- @tparam table option of a command's definition
-- @treturn string
function help.left_of(option)
  if option[2] == "flag" then return "--" .. option[1] end
  return ("--%s %s"):format(option[1], option.value)
end

local function print_table(rows)
  local width = 0
  for _, row in ipairs(rows) do width = math.max(width, #row[1]) end
  for _, row in ipairs(rows) do
    local gap, first = (" "):rep(width - #row[1]), true
    for line in row[2]:gmatch "[^\n]+" do
      print(("  %s  %s"):format(first and row[1] .. gap or (" "):rep(width), line))
      first = false
    end
  end
end

--- Prints the help of one command.
-- @treturn integer the exit code
function help.print(command)
  print("usage: cusp " .. command.usage)
  print(command.about)
  local rows = {}
  for _, option in ipairs(command.options or {}) do
    rows[#rows + 1] = {help.left_of(option), option.about}
  end
  rows[#rows + 1] = {"--help", "show this"}
  print ""
  print_table(rows)
  return 0
end

--- Prints all commands with their first lines.
-- @treturn integer the exit code
function help.print_list(commands)
  print "usage: cusp COMMAND ...\n"
  local rows = {}
  for i, command in ipairs(commands) do
    rows[i] = {command.name, command.about:match "^[^\n]*"}
  end
  print_table(rows)
  print("\ncusp COMMAND --help lists what a command takes. "
    .. "A script of such a name is run as ./NAME.")
  return 0
end

return help
