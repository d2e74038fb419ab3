--- Data for a model from files: arrays, tables, text, and pictures at the size that the model
-- takes.
-- @module cusp.commands.machinery.inputs
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local plain = require "cusp.base.plain"
local structure = require "cusp.base.structure"
local tables = require "cusp.commands.machinery.tables"

local inputs = {}

---------------------------------------------------------------- kinds of files

local signatures = {
  {"\147NUMPY", "npy"}, {"PK", "npz"}, {"\137PNG", "picture"}, {"\255\216\255", "picture"},
  {"GIF8", "picture"}, {"RIFF", "picture"}, {"\137HDF", "h5"},
}
local by_extension = {csv = "csv", tsv = "csv", txt = "txt", json = "json", yaml = "yaml",
  yml = "yaml", safetensors = "safetensors", npy = "npy", npz = "npz", h5 = "h5",
  png = "picture", jpg = "picture", jpeg = "picture", gif = "picture", webp = "picture"}

local function kind_of(path)
  if not engine.files.exists(path) then errors.raise("there is no file '%s'", path) end
  local extension = plain.lower(path:match "%.([^./]+)$" or "")
  if by_extension[extension] then return by_extension[extension] end
  local reader <close> = engine.files.open(path)
  local first = reader:read(0, math.min(reader.size, 8))
  for _, row in ipairs(signatures) do
    if first:sub(1, #row[1]) == row[1] then return row[2] end
  end
  errors.raise("%s: is no input: expected .npy, .npz, .csv, .txt, .json, .safetensors, .h5 or a "
    .. "picture", path)
end

---------------------------------------------------------------- pictures

local color_modes = {[1] = "grayscale", [3] = "rgb", [4] = "rgba"}

-- Height, width, channels and whether the channels come first, where the model says so.
local function picture_form(path, shape)
  if shape and #shape ~= 4 then
    errors.raise("%s: is a picture, but the model's input is %s", path, errors.shape(shape))
  end
  if not shape then return nil, nil, 3, false end
  local first = color_modes[shape[2]] ~= nil and color_modes[shape[4]] == nil
  local height, width = table.unpack(shape, first and 3 or 2)
  local channels = shape[first and 2 or 4]
  channels = math.type(channels) == "integer" and channels or 3
  if not color_modes[channels] then
    errors.raise("%s: is a picture, but the model's input has %d channels", path, channels)
  end
  local is_fixed = math.type(height) == "integer" and math.type(width) == "integer"
  return is_fixed and height or nil, is_fixed and width or nil, channels, first
end

local function read_picture(path, symbol, options)
  local shape = symbol and symbol.shape
  local height, width, channels, first = picture_form(path, shape)
  local utils = require "cusp.utils"
  local picture = utils.load_img{path, color_mode = color_modes[channels],
    target_size = height and {height, width}, interpolation = options.interpolation or "bilinear"}
  local data_format = first and "channels_first" or "channels_last"
  return ops.expand_dims(utils.img_to_array{picture, data_format = data_format}, 1)
end

---------------------------------------------------------------- any file

local function is_text(symbol) return symbol ~= nil and symbol.dtype == "string" end

local function read_csv(path, symbol)
  if is_text(symbol) then return tables.columns(path, {symbol}) end
  return tables.numbers(path)
end

local function read_txt(path, symbol)
  return is_text(symbol) and tables.lines(path) or tables.numbers(path)
end

-- Lists of numbers or of strings, or a table of them by name.
local function read_lists(path)
  local value = require("cusp.saving.tensors").load(path)
  if type(value) ~= "table" or structure.is_list(value) then return engine.tensor(value, {}) end
  local result = {}
  for key, list in pairs(value) do result[key] = engine.tensor(list, {}) end
  return result
end

local readers = {
  csv = read_csv, txt = read_txt, json = read_lists, yaml = read_lists, picture = read_picture,
  npy = function(path) return require("cusp.formats.numpy").load(path) end,
  npz = function(path) return require("cusp.formats.numpy").load(path) end,
}

local function read_value(path, symbol, options)
  local read = readers[kind_of(path)] or require("cusp.saving.tensors").load
  return read(path, symbol, options)
end

local no_names = {}

-- The only tensor of a table of tensors, or the one of a name.
local function pick(path, value, symbol)
  if engine.is_tensor(value) then return value end
  if type(value) ~= "table" then
    errors.raise("%s: holds no tensor, but %s", path, errors.describe(value))
  end
  for _, name in ipairs(symbol and symbol.names or no_names) do
    if engine.is_tensor(value[name]) then return value[name] end
  end
  local key = next(value)
  if key ~= nil and next(value, key) == nil and engine.is_tensor(value[key]) then
    return value[key]
  end
  errors.raise("%s: holds several tensors, and none is called '%s'", path,
    tostring(symbol and symbol.name))
end

local function fits(shape, wanted, from)
  if #shape ~= #wanted - from + 1 then return false end
  for i, size in ipairs(shape) do
    local other = wanted[i + from - 1]
    if math.type(other) == "integer" and other ~= size then return false end
  end
  return true
end

-- The rows of a table as what the model takes, if they have as many numbers.
local function reshape_rows(value, wanted)
  local shape, size = {value.shape[1]}, 1
  for i = 2, #wanted do
    shape[i] = wanted[i]
    if math.type(wanted[i]) ~= "integer" then return nil end
    size = size * wanted[i]
  end
  local columns = #value.shape == 1 and 1 or #value.shape == 2 and value.shape[2]
  if columns == size then return ops.reshape(value, shape) end
end

local function to_shape(path, value, input)
  local wanted = input and input.shape
  if not wanted or fits(value.shape, wanted, 1) then return value end
  if fits(value.shape, wanted, 2) then return ops.expand_dims(value, 1) end
  local reshaped = reshape_rows(value, wanted)
  if reshaped then return reshaped end
  errors.raise("%s: has shape %s, but the model's input '%s' takes %s", path,
    errors.shape(value.shape), tostring(input.name), errors.shape(wanted))
end

local function joined(parts)
  if #parts == 1 then return parts[1] end
  for i = 2, #parts do
    if #parts[i].shape ~= #parts[1].shape then
      errors.raise("the inputs have shapes %s and %s, which make no batch",
        errors.shape(parts[1].shape), errors.shape(parts[i].shape))
    end
  end
  return ops.concatenate(parts, 1)
end

--- What the files of one input of a model hold, as one batch.
-- @tparam {string,...} paths
-- @tparam ?table input as of `inputs.of_model`
-- @tparam table options `interpolation`
-- @treturn tensor
function inputs.read(paths, input, options)
  local parts = {}
  for i, path in ipairs(paths) do
    parts[i] = to_shape(path, pick(path, read_value(path, input, options), input), input)
  end
  return joined(parts)
end

---------------------------------------------------------------- several inputs

-- Divides "name=path" where the name is known and no file is called so.
local function split(text, by_name)
  local name, path = text:match "^([^=]+)=(.+)$"
  if name and by_name[name] and not engine.files.exists(text) then return by_name[name], path end
  if name and not engine.files.exists(text) then
    errors.raise("there is no '%s'; the names are %s", name,
      table.concat(structure.keys(by_name), ", "))
  end
  return nil, text
end

local function unnamed_groups(paths, symbols)
  if #symbols == 1 then return {paths} end
  local groups = {}
  for i, path in ipairs(paths) do groups[i] = {path} end
  if #paths ~= #symbols then
    errors.raise("the model has %d of them, %d files are given; name them: --input name=FILE",
      #symbols, #paths)
  end
  return groups
end

local function named_groups(named, symbols)
  local groups = {}
  for i, symbol in ipairs(symbols) do
    groups[i] = named[symbol.name]
    if not groups[i] then errors.raise("there is no file for '%s'", symbol.name) end
  end
  return groups
end

-- One archive with a tensor for each of them, or one table with a column for each.
local function read_archive(path, symbols)
  local is_table = kind_of(path) == "csv"
  local value = is_table and tables.columns(path, symbols) or read_value(path, nil, {})
  local result = {}
  for i, symbol in ipairs(symbols) do
    result[i] = to_shape(path, pick(path, value, symbol), symbol)
  end
  return result
end

--- The data of a model's inputs (or outputs, for targets).
-- @tparam {string,...} given paths, or "name=path"
-- @tparam {table,...} symbols as of `inputs.of_model`; empty where the model does not say
-- @tparam table options
-- @treturn {tensor,...} one for each symbol
function inputs.read_all(given, symbols, options)
  if #symbols == 0 then return {inputs.read(given, nil, options)} end
  local by_name, named, paths = {}, {}, {}
  for _, symbol in ipairs(symbols) do
    for _, name in ipairs(symbol.names) do by_name[name] = symbol.name end
  end
  for _, text in ipairs(given) do
    local name, path = split(text, by_name)
    local list = name and (named[name] or {}) or paths
    list[#list + 1] = path
    if name then named[name] = list end
  end
  if next(named) and #paths > 0 then
    errors.raise("'%s' has no name, but others have", paths[1])
  end
  if #symbols > 1 and #paths == 1 then return read_archive(paths[1], symbols) end
  local groups = next(named) and named_groups(named, symbols) or unnamed_groups(paths, symbols)
  local result = {}
  for i, symbol in ipairs(symbols) do result[i] = inputs.read(groups[i], symbol, options) end
  return result
end

local function form_of(model)
  return (model.__own.graph or model.__own.stack) and model.input
end

local function collect(form, key, out)
  if not structure.is_container(form) then
    local name = form._history.operation.name
    out[#out + 1] = {name = key or name, names = {key or name, name}, shape = form.shape,
      dtype = form.dtype}
  elseif structure.is_list(form) then
    for _, part in ipairs(form) do collect(part, nil, out) end
  else
    for _, name in ipairs(structure.keys(form)) do collect(form[name], name, out) end
  end
  return out
end

--- The inputs of a model that says them, in order.
-- @treturn {table,...} `{name =, names =, shape =, dtype =}`; `names` are that in the model's table
-- of inputs and that of the Input
function inputs.of_model(model)
  local form = form_of(model)
  return form and collect(form, nil, {}) or {}
end

--- The values of a model's inputs in the form in which it takes them.
-- @tparam Model model
-- @tparam {tensor,...} values in the order of `inputs.of_model`
function inputs.arrange(model, values)
  local form = form_of(model)
  if not form then return values[1] end
  return structure.pack(form, values)
end

return inputs
