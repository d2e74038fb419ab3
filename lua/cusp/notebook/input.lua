--- `io.read`, `io.lines` and `io.stdin` in a notebook: the frontend is asked.
-- @module cusp.notebook.input
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"

-- What one format of io.read makes of a line.
local readers = {
  l = function(line) return line end,
  L = function(line) return line .. "\n" end,
  a = function(line) return line end,
  n = function(line) return plain.tonumber(line) end,
}

local function read_format(ask, format)
  if math.type(format) == "integer" then return ask():sub(1, format) end
  local reader = readers[tostring(format):gsub("^%*", ""):sub(1, 1)]
  if not reader then
    errors.raise("io.read: expected \"l\", \"L\", \"n\", \"a\" or a number, got %s",
      errors.describe(format))
  end
  return reader(ask())
end

local function read(ask, ...)
  if select("#", ...) == 0 then return ask() end
  local results = {}
  for i = 1, select("#", ...) do results[i] = read_format(ask, (select(i, ...))) end
  return table.unpack(results, 1, select("#", ...))
end

--- Lets programs read from the frontend.
-- @tparam function ask gives a line
return function(ask)
  local methods = getmetatable(io.stdin).__index
  local file_read, file_lines, io_lines = methods.read, methods.lines, io.lines
  local function lines(...)
    local formats = table.pack(...)
    return function() return read(ask, table.unpack(formats, 1, formats.n)) end
  end
  rawset(io, "read", function(...) return read(ask, ...) end)
  rawset(io, "lines", function(name, ...)
    if name == nil then return lines(...) end
    return io_lines(name, ...)
  end)
  methods.read = function(file, ...)
    if file == io.stdin then return read(ask, ...) end
    return file_read(file, ...)
  end
  methods.lines = function(file, ...)
    if file == io.stdin then return lines(...) end
    return file_lines(file, ...)
  end
end
