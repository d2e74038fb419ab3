--- Datasets of CSV files: one row an element.
-- The file is read once when the dataset is made, to find its rows and what its columns hold;
-- after that rows are read as they are asked for, so it may be larger than memory. Where all
-- columns that are chosen are numbers, that happens in the background.
-- @module cusp.data.csv
local Dataset = require "cusp.data.dataset"
local arguments = require "cusp.base.arguments"
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local lists = require "cusp.base.lists"
local plain = require "cusp.base.plain"

local csv = {}

local function stage(name) return require("cusp.data.stages.source")[name] end

---------------------------------------------------------------- columns

-- The file's columns as `{name =, type =, index =}`, also by name.
local function columns_of(path, file, options)
  local _, described = file:describe()
  local columns = {}
  local names = options.column_names
  if names and #names ~= #described then
    errors.raise("from_csv: %s: column_names has %d names, but the file has %d columns", path,
      #names, #described)
  end
  for i, column in ipairs(described) do
    local name = names and names[i] or column.name or "column" .. i
    if columns[name] then errors.raise("from_csv: %s: there are two columns '%s'", path, name) end
    columns[i] = {name = name, type = column.type, index = i}
    columns[name] = columns[i]
  end
  return columns
end

local function find_column(path, columns, name, what)
  local found = columns[name]
  -- as in TensorFlow, positions count from 0
  if math.type(name) == "integer" then found = columns[name + 1] end
  if found then return found end
  local names = lists.pick(columns, "name")
  errors.raise("from_csv: %s: %s: there is no column %s%s; the columns are %s", path, what,
    plain.tostring(name),
    errors.suggestion(name, names),
    table.concat(names, ", "))
end

-- What is to be read, in order, the label left out.
local function select_columns(path, columns, options)
  local chosen, label = {}, nil
  if options.label_name ~= nil then
    label = find_column(path, columns, options.label_name, "label_name")
  end
  if options.select_columns then
    for i, name in ipairs(options.select_columns) do
      chosen[i] = find_column(path, columns, name, "select_columns")
    end
  else
    for i, column in ipairs(columns) do chosen[i] = column end
  end
  local features = {}
  for _, column in ipairs(chosen) do
    if column ~= label then features[#features + 1] = column end
  end
  if label and options.select_columns and #features == #chosen then
    errors.raise("from_csv: %s: label_name '%s' is not among select_columns", path, label.name)
  end
  return features, label
end

-- Defaults: a value for missing ones, or a dtype, which allows none to be missing.
local function apply_default(path, column, default)
  if default == nil then
    column.missing = column.type == "string" and "" or 0
  elseif type(default) == "string" and (kinds.dtypes[default] or default == "string") then
    column.type, column.required = default, true
  elseif type(default) == "number" then
    if math.type(default) == "float" and column.type:find "^int" then column.type = "float32" end
    if column.type == "int32" and (default < -2 ^ 31 or default >= 2 ^ 31) then
      column.type = "int64"
    end
    column.missing = default
  elseif type(default) == "string" then
    column.type, column.missing = "string", default
  else
    errors.raise(
      "from_csv: %s: the default of column '%s' should be a number, a string or a dtype, got %s",
      path, column.name,
      errors.describe(default))
  end
end

local function apply_defaults(path, features, label, options)
  local defaults, all = options.column_defaults or {}, table.move(features, 1, #features, 1, {})
  if label then all[#all + 1] = label end
  local by_position = #defaults > 0
  if by_position and #defaults ~= #all then
    errors.raise("from_csv: %s: column_defaults has %d entries for %d columns", path, #defaults,
      #all)
  end
  plain.sort(all, function(a, b) return a.index < b.index end)
  for i, column in ipairs(all) do
    apply_default(path, column,
      by_position and defaults[i] or not by_position and defaults[column.name])
  end
end

---------------------------------------------------------------- numbers

local function cell(column)
  return {column = column.index, required = column.required, missing = column.missing}
end

local function output(column) return {dtype = column.type, cell(column)} end

-- One vector of all features.
local function dense_output(path, features, dtype)
  local result = {dtype = dtype, vector = true}
  for i, column in ipairs(features) do
    if column.type == "string" then
      errors.raise(
        "from_csv: %s: dense features are numbers, but column '%s' holds text; leave it out with "
        .. "select_columns", path,
        column.name)
    end
    result[i] = cell(column)
  end
  return result
end

local function numeric_dataset(path, file, features, label, options)
  local outputs, form = {}, {}
  if options.dense then
    outputs[1], form = dense_output(path, features, options.dtype), 1
  else
    for i, column in ipairs(features) do outputs[i], form[column.name] = output(column), i end
  end
  if label then
    outputs[#outputs + 1] = output(label)
    form = {form, #outputs}
  end
  return Dataset.make(stage "rows", {rows = file:rows(outputs), form = form})
end

---------------------------------------------------------------- text

local function parse(path, file, row, column, field)
  if not field then
    if column.required then
      errors.raise("%s:%d: column %s: expected %s, got nothing", path, file:line(row), column.name,
        column.type)
    end
    field = column.missing
  end
  if column.type == "string" then return plain.tostring(field) end
  local number = type(field) == "number" and field or plain.tonumber(field)
  if column.type:find "int" then number = math.tointeger(number) end
  if not number then
    errors.raise("%s:%d: column %s: expected %s, got %q", path, file:line(row), column.name,
      column.type, plain.tostring(field))
  end
  return engine.tensor(number, {dtype = column.type})
end

local function text_dataset(path, file, features, label)
  local columns, form = table.move(features, 1, #features, 1, {}), {}
  for i, column in ipairs(features) do form[column.name] = i end
  if label then
    columns[#columns + 1] = label
    form = {form, #columns}
  end
  local types = {}
  for i, column in ipairs(columns) do types[i] = {shape = {}, dtype = column.type} end
  local rows = file:describe()
  local function start()
    local row = 0
    return function()
      row = row + 1
      if row > rows then return nil end
      local fields, e = file:row(row), {form = form}
      for i, column in ipairs(columns) do
        e[i] = parse(path, file, row, column, fields[column.index])
      end
      return element.compute(e)
    end, function() end
  end
  return Dataset.make(stage "reader", {start = start, count = function()
    return rows
  end, form = form, types = types})
end

---------------------------------------------------------------- datasets

local bind = arguments.named_binder("from_csv", {
  {"path", "string"}, {"label_name", "any", optional = true},
  {"select_columns", "list", optional = true},
  {"column_defaults", "any", optional = true}, {"column_names", "list", optional = true},
  {"field_delim", "string", default = ","}, {"use_quote_delim", "boolean", default = true},
  {"na_value", "string", default = ""},
  {"header", "boolean", default = true}, {"dense", "boolean", default = false},
  {"dtype", "dtype", default = "float32"},
}, false)

--- Rows of a CSV file, with the argument names of `tf.data.experimental.make_csv_dataset`; put them
-- into batches with `batch`.
-- @tparam string path
-- @tparam[opt] string label_name elements are then `(features, label)`
-- @tparam[opt] table select_columns names (or positions, from 0) of the columns to read; by default
-- all
-- @tparam[opt] table column_defaults by column name, or in the order of the columns: a value that
-- stands for missing ones (0 and "" by default), or a dtype, of which none may be missing
-- @tparam[opt] table column_names by default the first line's
-- @tparam[opt=","] string field_delim
-- @tparam[opt=true] boolean use_quote_delim whether "..." quotes a field
-- @tparam[opt=""] string na_value what stands for a missing value, besides nothing
-- @tparam[opt=true] boolean header whether the first line has names
-- @tparam[opt=false] boolean dense whether the features are one vector rather than a table of
-- scalars by name. Cusp's own
-- @tparam[opt="float32"] string dtype of that vector
-- @treturn Dataset of tables by column name: int32, int64, float32 or string scalars, as the file's
-- values are
-- @raise naming file and line, for rows with too many or too few fields and misplaced quotes; while
-- reading, for values of another type
function csv.from_csv(...)
  local options = bind(...)
  local path = options.path
  if #options.field_delim ~= 1 then
    errors.raise("from_csv: field_delim should be one character, got %q", options.field_delim)
  end
  if not engine.files.exists(path) then
    errors.raise("from_csv: there is no file '%s'", path)
  end
  local file = engine.data.csv(path, {
    delimiter = options.field_delim, quotes = options.use_quote_delim, header = options.header,
    na = options.na_value,
  })
  local columns = columns_of(path, file, options)
  local features, label = select_columns(path, columns, options)
  if #features == 0 then errors.raise("from_csv: %s: there is no column of features", path) end
  apply_defaults(path, features, label, options)
  local has_text = label and label.type == "string"
  for _, column in ipairs(features) do
    has_text = has_text or column.type == "string" and not options.dense
  end
  return (has_text and text_dataset or numeric_dataset)(path, file, features, label, options)
end

return csv
