--- `cusp kernel`: the notebook's kernel.
-- @module cusp.commands.kernel
local errors = require "cusp.base.errors"

local function check(given)
  if given.user and given.prefix then errors.raise "--user and --prefix exclude each other" end
  if not given.install and (given.user or given.prefix) then
    errors.raise "--user and --prefix say where --install writes"
  end
  if (given.install == true) == (given["connection-file"] ~= nil) then
    errors.raise "expected either --install or --connection-file FILE"
  end
end

local function run(given)
  check(given)
  local notebook = require "cusp.notebook"
  if given["connection-file"] then return notebook.serve(given["connection-file"]) end
  print("installed the kernel in " .. notebook.install{user = given.user, prefix = given.prefix})
end

return {
  name = "kernel", run = run,
  usage = "kernel --install [--user | --prefix FOLDER]",
  about = "Makes the kernel for notebooks known to Jupyter.\nWithout --user and --prefix it is for "
    .. "everybody, below /usr/local.",
  options = {
    {"install", "flag", about = "write the kernel's description"},
    {"user", "flag", about = "for this user"},
    {"prefix", "text", value = "FOLDER", about = "below FOLDER/share/jupyter"},
    {"connection-file", "text", value = "FILE", about = "serve a frontend; Jupyter starts it so"},
  },
}
