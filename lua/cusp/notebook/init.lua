--- A kernel for Jupyter: `cusp kernel`.
-- @module cusp.notebook
local engine = require "cusp.engine"

local notebook = {}

--- Makes the kernel known to Jupyter.
-- @tparam table options `user`: for this user alone; `prefix`: a folder instead of /usr/local
-- @treturn string the folder of the description
-- @raise if it cannot be written, or the part is not built
function notebook.install(options)
  require("cusp.base.native").load("zmq", "the notebook's kernel")
  return require("cusp.notebook.install").run(options, engine.program_path() or "cusp")
end

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

return notebook
