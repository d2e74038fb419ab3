--- Makes the kernel known to Jupyter: a folder with a description and a picture.
-- Source: "Making kernels for Jupyter", section "Kernel specs".
-- @module cusp.notebook.install
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local json = require "cusp.formats.json"
local native = require "cusp.base.native"
local whole_file = require "cusp.base.whole_file"

local install = {}

---------------------------------------------------------------- where

local function from_environment(name, tail)
  local value = os.getenv(name)
  return value and value ~= "" and value .. tail or nil
end

-- The user's folder of Jupyter.
local function of_user()
  return from_environment("JUPYTER_DATA_DIR", "") or from_environment("XDG_DATA_HOME", "/jupyter")
    or from_environment("HOME", "/.local/share/jupyter")
    or errors.raise "kernel: --user needs HOME or JUPYTER_DATA_DIR in the environment"
end

local function folder(options)
  local top = options.user and of_user()
    or (options.prefix or "/usr/local") .. "/share/jupyter"
  return top .. "/kernels/cusp"
end

---------------------------------------------------------------- what

-- The kernel starts the program that installs it, wherever Jupyter is started.
local function description(program)
  return json.encode({
    argv = {program, "kernel", "--connection-file", "{connection_file}"},
    display_name = "Lua (Cusp)", language = "lua", interrupt_mode = "signal",
    metadata = json.object{debugger = false},
  }, {indent = 2}) .. "\n"
end

-- The curve y² = x³, whose point at the origin is a cusp.
local function logo(format, size)
  local canvas <close> = native.load("cairo", "the kernel's picture").canvas(format, size, size, 1)
  local points = {}
  for i = -40, 40 do
    local t = i / 40
    points[#points + 1] = size * (0.12 + 0.76 * t * t)
    points[#points + 1] = size * (0.5 - 0.4 * t * t * t)
  end
  canvas:line(points, {0.12, 0.37, 0.75}, size / 12)
  canvas:dot(size * 0.12, size * 0.5, size / 14, {0.89, 0.41, 0.05})
  return canvas:finish()
end

--- Installs the kernel's description.
-- @tparam table options `user`: boolean; `prefix`: a folder; without either /usr/local
-- @tparam string program the path of the program
-- @treturn string the folder
-- @raise if it cannot be written
function install.run(options, program)
  local path = folder(options)
  engine.files.make_directories(path)
  whole_file.write(path .. "/logo-64x64.png", logo("png", 64))
  whole_file.write(path .. "/logo-32x32.png", logo("png", 32))
  whole_file.write(path .. "/logo-svg.svg", logo("svg", 64))
  whole_file.write(path .. "/kernel.json", description(program))
  return path
end

return install
