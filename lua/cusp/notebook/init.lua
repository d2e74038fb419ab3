--- `cusp kernel`: a kernel for Jupyter.
-- @module cusp.notebook
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local notebook = {}

notebook.usage = [[
usage: cusp kernel --install [--user | --prefix FOLDER]
       cusp kernel --connection-file FILE

The first form makes the kernel "Lua (Cusp)" known to Jupyter: for this user, below
FOLDER/share/jupyter, or for everybody below /usr/local/share/jupyter. The second form is how
Jupyter starts it.
]]

---------------------------------------------------------------- the command line

local takes_value = {["--connection-file"] = "file", ["--prefix"] = "prefix", ["-f"] = "file"}
local flags = {["--install"] = "install", ["--user"] = "user", ["--help"] = "help", ["-h"] = "help"}

local function parse(arguments)
  local options, i = {}, 1
  while i <= #arguments do
    local name, value = arguments[i]:match "^(%-%-[%w-]+)=(.*)$"
    name = name or arguments[i]
    if takes_value[name] then
      if not value then i = i + 1 end
      value = value or arguments[i]
      if not value then errors.raise("kernel: %s needs a value", name) end
      options[takes_value[name]] = value
    elseif flags[name] and not value then
      options[flags[name]] = true
    else
      errors.raise("kernel: unknown argument '%s'%s", name, errors.suggestion(name, flags))
    end
    i = i + 1
  end
  return options
end

local function install(options)
  if options.user and options.prefix then
    errors.raise "kernel: --user and --prefix exclude each other"
  end
  require("cusp.base.native").load("zmq", "the notebook's kernel")
  local folder = require("cusp.notebook.install").run(options, engine.program_path() or "cusp")
  print("installed the kernel in " .. folder)
end

---------------------------------------------------------------- running

--- Serves a frontend until it ends the kernel.
-- @tparam string path the connection file
-- @raise if it is none, or a port is taken
function notebook.serve(path)
  local kernel = require("cusp.notebook.kernel").open(path)
  local cells = require "cusp.notebook.cells"
  local call = require("cusp.interrupts").call
  cells.open(kernel, call, require("cusp.formats.json").object)
  kernel:run(require "cusp.notebook.requests", call)
  cells.close()
  kernel:close()
end

--- Runs the command.
-- @tparam {string,...} arguments those after `cusp kernel`
-- @raise if they are wrong
function notebook.main(arguments)
  local options = parse(arguments)
  if options.help then return io.write(notebook.usage) end
  if options.install then return install(options) end
  if options.file then return notebook.serve(options.file) end
  errors.raise "kernel: expected --install or --connection-file FILE; --help says more"
end

return notebook
