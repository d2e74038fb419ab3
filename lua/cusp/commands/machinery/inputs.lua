--- Data for a model from files: arrays, tables of numbers, and pictures at the size that the model
-- takes.
-- @module cusp.commands.machinery.inputs
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local ops = require "cusp.ops"
local plain = require "cusp.base.plain"

local inputs = {}

---------------------------------------------------------------- kinds of files

local signatures = {
  {"\147NUMPY", "npy"}, {"PK", "npz"}, {"\137PNG", "picture"}, {"\255\216\255", "picture"},
  {"GIF8", "picture"}, {"RIFF", "picture"}, {"\137HDF", "h5"},
}
local by_extension = {csv = "csv", tsv = "csv", txt = "csv", json = "json", yaml = "yaml",
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
  errors.raise("%s: is no input: expected .npy, .npz, .csv, .json, .safetensors, .h5 or a picture",
    path)
end

---------------------------------------------------------------- tables of numbers

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

local function read_csv(path)
  local line = first_line(path)
  local delimiter = delimiter_of(line)
  local rows = require("cusp.data").from_csv{path, dense = true, field_delim = delimiter,
    header = has_names(line, delimiter)}
  local count = rows:cardinality()
  if count == 0 then errors.raise("%s: has no rows", path) end
  return rows:batch(count):get_single_element()
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

local function read_picture(path, shape, options)
  local height, width, channels, first = picture_form(path, shape)
  local utils = require "cusp.utils"
  local picture = utils.load_img{path, color_mode = color_modes[channels],
    target_size = height and {height, width}, interpolation = options.interpolation or "bilinear"}
  local data_format = first and "channels_first" or "channels_last"
  return ops.expand_dims(utils.img_to_array{picture, data_format = data_format}, 1)
end

---------------------------------------------------------------- any file

local readers = {
  csv = read_csv, picture = read_picture,
  npy = function(path) return require("cusp.formats.numpy").load(path) end,
  npz = function(path) return require("cusp.formats.numpy").load(path) end,
}

local function read_value(path, shape, options)
  local kind = kind_of(path)
  local value = (readers[kind] or require("cusp.saving.tensors").load)(path, shape, options)
  if kind == "json" or kind == "yaml" then value = engine.tensor(value, {}) end
  return value
end

-- The only tensor of a table of tensors, or the one of a name.
local function pick(path, value, name)
  if engine.is_tensor(value) then return value end
  if type(value) ~= "table" then
    errors.raise("%s: holds no tensor, but %s", path, errors.describe(value))
  end
  if name and engine.is_tensor(value[name]) then return value[name] end
  local key = next(value)
  if key ~= nil and next(value, key) == nil and engine.is_tensor(value[key]) then
    return value[key]
  end
  errors.raise("%s: holds several tensors, and none is called '%s'", path, tostring(name))
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
  if #value.shape == 2 and value.shape[2] == size then return ops.reshape(value, shape) end
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
-- @tparam ?table input the model's symbolic input
-- @tparam table options `interpolation`
-- @treturn tensor
function inputs.read(paths, input, options)
  local parts = {}
  for i, path in ipairs(paths) do
    local value = pick(path, read_value(path, input and input.shape, options), input and input.name)
    parts[i] = to_shape(path, value, input)
  end
  return joined(parts)
end

---------------------------------------------------------------- several inputs

-- Divides "name=path" where the name is known and no file is called so.
local function split(text, by_name)
  local name, path = text:match "^([^=]+)=(.+)$"
  if name and by_name[name] and not engine.files.exists(text) then return name, path end
  if name and not engine.files.exists(text) then
    local known = {}
    for key in pairs(by_name) do known[#known + 1] = key end
    table.sort(known)
    errors.raise("there is no '%s'; the names are %s", name, table.concat(known, ", "))
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

-- One archive with a tensor for each of them.
local function read_archive(path, symbols)
  local value = read_value(path, nil, {})
  local result = {}
  for i, symbol in ipairs(symbols) do
    result[i] = to_shape(path, pick(path, value, symbol.name), symbol)
  end
  return result
end

--- The data of a model's inputs (or outputs, for targets).
-- @tparam {string,...} given paths, or "name=path"
-- @tparam {table,...} symbols `{name =, shape =}`; empty where the model does not say
-- @tparam table options
-- @treturn {tensor,...} one for each symbol
function inputs.read_all(given, symbols, options)
  if #symbols == 0 then return {inputs.read(given, nil, options)} end
  local by_name, named, paths = {}, {}, {}
  for _, symbol in ipairs(symbols) do by_name[symbol.name] = true end
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

--- The inputs of a model that says them, in order.
-- @treturn {table,...} `{name =, shape =, dtype =}`
function inputs.of_model(model)
  local result = {}
  if not model.__own.graph and not model.__own.stack then return result end
  local symbols = model.inputs
  for i, tensor in ipairs(lists.is_container(symbols) and symbols or {symbols}) do
    result[i] = {name = tensor._history.operation.name, shape = tensor.shape, dtype = tensor.dtype}
  end
  return result
end

return inputs
