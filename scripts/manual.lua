--- Writes the manual page of `cusp` from what the program and its commands say of themselves.
-- Usage: build/cusp scripts/manual.lua > cusp.1
local commands = require "cusp.commands"
local help = require "cusp.commands.machinery.help"

local program = arg[-1]

-- Text as troff prints it: no line of it is a request, and hyphens can be searched for and copied.
local function escaped(text)
  text = text:gsub("\\", "\\e"):gsub("%-", "\\-")
  return (("\n" .. text):gsub("\n([.'])", "\n\\&%1"):sub(2))
end

local function put(format, ...) io.write(format:format(...), "\n") end

local function entry(left, about)
  put(".TP\n.B %s\n%s", escaped(left), escaped(about))
end

local function output_of(option)
  local pipe <close> = io.popen(("'%s' %s"):format(program, option))
  return pipe:read "a"
end

local function program_options()
  local options = {}
  for line in output_of "-h":gmatch "[^\n]+" do
    local left, about = line:match "^  (%-[^ ]* ?%u*)  +(.*)$"
    if left then options[#options + 1] = {left, about} end
  end
  assert(#options > 5, "the options of " .. program .. " are not understood")
  return options
end

local function describe_command(command)
  put(".SS cusp %s\n.B cusp %s\n.PP\n%s", command.name, escaped(command.usage),
    escaped(command.about))
  for _, option in ipairs(command.options or {}) do
    entry(help.left_of(option), option.about)
  end
end

local variables = {
  {"OMP_NUM_THREADS", "the number of threads that compute; by default one for each core"},
  {"CUSP_ISA", "baseline, avx2 or avx512: the instructions to use, if not the best there are"},
  {"CUSP_TRACEBACK", "full: errors show the library's own calls too"},
  {"CUSP_HISTORY", "the file of the prompt's history"},
  {"NO_COLOR", "anything: no colours at the prompt"},
  {"LUA_INIT, LUA_PATH, LUA_CPATH", "as of lua(1)"},
}

put('.TH CUSP 1 "" "cusp %s" "User commands"', output_of "-v":match "^Cusp ([%d.]+)")
put ".SH NAME\ncusp \\- deep learning for Lua"
put ".SH SYNOPSIS\n.B cusp\n[options] [script [args]]\n.br\n.B cusp\nCOMMAND ..."
put(".SH DESCRIPTION\n%s", escaped[[
Runs a Lua script as lua(1) does, with the library cusp on the path. Without a script, on a
terminal, it is a prompt with help, completion and history. A COMMAND works on files of
models.]])
put ".SH OPTIONS"
for _, option in ipairs(program_options()) do entry(option[1], option[2]) end
put(".SH COMMANDS\n%s", escaped "A script of such a name is run as ./NAME.")
for _, command in ipairs(commands.list()) do describe_command(command) end
put ".SH ENVIRONMENT"
for _, variable in ipairs(variables) do entry(variable[1], variable[2]) end
put(".SH EXIT STATUS\n%s", escaped[[
0, or 1 after an error, or 130 after an interrupt. cusp diff exits with 1 where the files differ.]])
put ".SH SEE ALSO\n.BR lua (1)"
