--- Rows of numbers, columns by name and lines of text from files of text.
-- @module cusp.commands.machinery.tables
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local structure = require "cusp.base.structure"

local tables = {}

-- That has something in it, without the byte order mark of UTF-8.
local function first_line(path)
  local file <close> = assert(io.open(path, "rb"))
  local line = (file:read "l" or ""):gsub("^\xEF\xBB\xBF", "")
  while not line:find "%S" do
    line = file:read "l"
    if not line then return "" end
  end
  return line
end

local unusual = {nan = true, inf = true, infinity = true}

local function is_number(field)
  field = field:gsub('"', ""):match "^%s*(.-)%s*$"
  return field == "" or plain.tonumber(field) or unusual[field:lower():gsub("^[-+]", "")]
end

local function delimiter_of(line)
  if line:find("\t", 1, true) then return "\t" end
  return not line:find(",", 1, true) and line:find(";", 1, true) and ";" or ","
end

local function has_names(line, delimiter)
  for field in line:gmatch("[^" .. delimiter .. "\r]+") do
    if not is_number(field) then return true end
  end
  return false
end

local function from_csv(path, options)
  options[1] = path
  return require("cusp.data").from_csv(options)
end

local function all(path, rows)
  local count = rows:cardinality()
  if count == 0 then errors.raise("%s: has no rows", path) end
  return rows:batch(count):get_single_element()
end

--- The numbers of a table, with or without a line of names.
-- @tparam string path
-- @treturn tensor `[rows, columns]`
function tables.numbers(path)
  local line = first_line(path)
  local delimiter = delimiter_of(line)
  return all(path, from_csv(path, {dense = true, field_delim = delimiter,
    header = has_names(line, delimiter)}))
end

-- The column of an input: that of its name, or the only one for the only input.
local function column_of(path, spec, symbol, is_alone)
  for _, name in ipairs(symbol.names) do
    if spec[name] then return name end
  end
  local columns = structure.keys(spec)
  if is_alone and #columns == 1 then return columns[1] end
  errors.raise("%s: has no column '%s'; its first line names %s", path, symbol.name,
    table.concat(columns, ", "))
end

--- The columns of a table whose first line has names, for inputs of these names.
-- @tparam string path
-- @tparam {table,...} symbols `{name =, names =, dtype =}`
-- @treturn table of tensors by the inputs' names
function tables.columns(path, symbols)
  local delimiter = delimiter_of(first_line(path))
  local spec = from_csv(path, {field_delim = delimiter}).element_spec
  local columns, selected, types = {}, {}, {}
  for _, symbol in ipairs(symbols) do
    local column = column_of(path, spec, symbol, #symbols == 1)
    columns[symbol.name] = column
    if not types[column] then selected[#selected + 1] = column end
    types[column] = symbol.dtype == "string" and "string" or spec[column].dtype
  end
  local rows = all(path, from_csv(path, {field_delim = delimiter, select_columns = selected,
    column_defaults = types}))
  local result = {}
  for name, column in pairs(columns) do result[name] = engine.tensor(rows[column], {}) end
  return result
end

--- The lines of a text.
-- @tparam string path
-- @treturn tensor of strings
function tables.lines(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = (line:gsub("\r$", "")) end
  if #lines == 0 then errors.raise("%s: has no lines", path) end
  return engine.tensor(lines, {})
end

return tables
