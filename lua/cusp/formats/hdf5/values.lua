--- Values of HDF5 files: checks the descriptions that the reading process sends, converts them to
-- Lua values and tensors, and converts Lua values for writing. A description is a table with
-- `dtype` ("float32") or `type = "string"`, `shape`, and possibly `values`; none of it is trusted.
-- @module cusp.formats.hdf5.values
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local gathering = require "cusp.base.gathering"

local values = {}

local kind_of_dtype = {bool = "bool", float16 = "float", bfloat16 = "float", float32 = "float",
  float64 = "float"}
for _, bits in ipairs{8, 16, 32, 64} do
  kind_of_dtype["int" .. bits], kind_of_dtype["uint" .. bits] = "int", "uint"
end

---------------------------------------------------------------- reading

-- Raises unless `condition` holds: the file has misled the process that described it.
local function check(condition, where, what)
  if not condition then errors.raise("hdf5: %s: the file is damaged: %s", where, what) end
  return condition
end
values.check = check

--- Raises the known fault of an object: damage, or an unsupported feature.
-- @tparam string where "path: /name", for messages
-- @tparam table description
function values.check_readable(where, description)
  if type(description.error) == "string" then
    errors.raise("hdf5: %s: %s", where, description.error)
  end
  if type(description.unsupported) == "string" then
    errors.raise("hdf5: %s: uses %s, which is not supported", where, description.unsupported)
  end
end

--- The shape of a description: a list of nonnegative integers, or nil for a null dataspace.
function values.shape(where, description)
  if description.null then return nil end
  local shape, copy = description.shape, {}
  check(type(shape) == "table", where, "a shape is missing")
  for i = 1, #shape do
    check(math.type(shape[i]) == "integer" and shape[i] >= 0, where,
      "a shape has sizes that are none")
    copy[i] = shape[i]
  end
  return copy
end

--- The number of elements of a shape.
-- @raise if it overflows
function values.count(where, shape)
  local count = 1
  for _, size in ipairs(shape or {0}) do
    check(size == 0 or count <= math.maxinteger // size, where,
      "its shape has more elements than can be counted")
    count = count * size
  end
  return count
end

-- Items first, first + 1, ... of a flat list, nested according to a shape.
local function nest(list, shape, axis, first)
  if axis > #shape then return list[first], first + 1 end
  local nested = {}
  for i = 1, shape[axis] do nested[i], first = nest(list, shape, axis + 1, first) end
  return nested, first
end

--- The string, or nested lists of strings, of a checked string description.
function values.strings(where, description)
  local shape, list = values.shape(where, description), description.values
  local count = values.count(where, shape)
  if count == 0 then return {} end
  check(type(list) == "table" and #list == count, where, "its strings do not fit its shape")
  for i = 1, count do check(type(list[i]) == "string", where, "one of its strings is none") end
  return (nest(list, shape, 1, 1))
end

--- The tensor of a numeric description whose bytes are in `values`.
function values.tensor(where, description)
  local shape = values.shape(where, description) or {0}
  check(kind_of_dtype[description.dtype] and type(description.values) == "string", where,
    "its numbers are missing")
  return engine.files.tensor_from_string(description.values, description.dtype, shape,
    description.big_endian)
end

--- The result of `attributes:get`: a string or lists of them; a number or boolean; a tensor; `{}`
-- for an array without elements.
function values.attribute(where, description)
  values.check_readable(where, description)
  if description.type == "string" then return values.strings(where, description) end
  local shape = values.shape(where, description)
  if values.count(where, shape) == 0 then return {} end
  local tensor = values.tensor(where, description)
  if #shape == 0 then return tensor:item() end
  return tensor
end

--- The result of `attributes:describe`.
function values.describe(where, description)
  local kind = description.type == "string" and "string" or kind_of_dtype[description.dtype]
    or "other"
  return {
    kind = kind, variable = description.variable, charset = description.charset,
    padding = description.padding, size = description.size,
    dtype = description.dtype, shape = values.shape(where, description) or {},
    null = description.null or false,
    unsupported = description.unsupported,
  }
end

---------------------------------------------------------------- writing

local function is_string_list(value)
  if not lists.is_container(value) or #value == 0 then return false end
  for i = 1, #value do
    if type(value[i]) ~= "string" then return false end
  end
  return true
end

-- Lua's numbers become the dtypes that NumPy gives to Python's: int64, float64, bool.
local function wide_dtype(tensor)
  if tensor.dtype == "bool" then return "bool" end
  return tensor.dtype:find "int" and "int64" or "float64"
end

local function number_tensor(where, value, dtype)
  if engine.is_variable(value) then
    value = gathering.kept(value)
    if gathering.is_kept(value) and dtype == nil then return value end
    value = gathering.is_kept(value) and gathering.read(value) or value.value
  end
  if engine.is_tensor(value) then
    return dtype and dtype ~= value.dtype and engine.ops.cast(value, dtype) or value
  end
  local kind = type(value)
  if kind ~= "number" and kind ~= "boolean" and kind ~= "table" then
    errors.raise("hdf5: %s: expected a tensor, a number, a string or a list of them, got %s", where,
      errors.describe(value))
  end
  if kind == "table" and #value == 0 then return engine.tensor({}, {dtype = dtype or "float64"}) end
  return engine.tensor(value, {dtype = dtype or wide_dtype(engine.tensor(value))})
end

-- The size of fixed-length strings: the given size, or that of the longest.
local function fixed_size(where, strings, fixed)
  local longest = 1
  for _, text in ipairs(strings) do longest = math.max(longest, #text) end
  if fixed == true then return longest end
  if math.type(fixed) ~= "integer" or fixed < longest then
    errors.raise(
      "hdf5: %s: fixed expects true or an integer of at least %d, the longest string, got %s",
      where, longest,
      errors.describe(fixed))
  end
  return fixed
end

local function check_texts(where, strings, charset)
  for _, text in ipairs(strings) do
    if text:find("\0", 1, true) then
      errors.raise(
        "hdf5: %s: a string of variable length cannot hold a zero byte; pass fixed = true", where)
    end
  end
  if charset ~= "ascii" and charset ~= "utf8" then
    errors.raise('hdf5: %s: charset expects "ascii" or "utf8", got %s', where,
      errors.describe(charset))
  end
end

local function string_value(where, value, options)
  local strings = type(value) == "string" and {value} or {table.unpack(value)}
  local charset, size = options.charset or "utf8", nil
  if options.fixed then
    size = fixed_size(where, strings, options.fixed)
  else
    check_texts(where, strings, charset)
  end
  local shape = type(value) == "string" and {} or {#value}
  return {strings = strings, charset = charset, size = size, shape = options.shape or shape}
end

local known_options = {"charset", "fixed", "dtype", "shape", "chunks", "compression",
  "compression_opts", "shuffle", "fletcher32"}

local function check_options(where, options)
  if type(options) ~= "table" then
    errors.raise("hdf5: %s: expected a table of options, got %s", where, errors.describe(options))
  end
  for key in pairs(options) do
    local found = false
    for _, name in ipairs(known_options) do found = found or name == key end
    if not found then
      errors.raise("hdf5: %s: unknown option '%s'%s", where, tostring(key),
        errors.suggestion(key, known_options))
    end
  end
end

--- Converts a value for writing.
-- @tparam string where "path: /name", for messages
-- @param value a tensor, a variable, a number, a boolean, (nested) lists of these, a string, a list
-- of strings
-- @tparam ?table options `charset`, `fixed` for strings; `dtype`, `shape` for numbers
-- @treturn table `{strings =, charset =, size =, shape =}` or `{tensor =}`
function values.to_write(where, value, options)
  options = options or {}
  check_options(where, options)
  if type(value) == "string" or is_string_list(value)
    or type(value) == "table" and #value == 0 and options.charset then
    return string_value(where, value, options)
  end
  local tensor = number_tensor(where, value, options.dtype)
  if options.shape then tensor = engine.ops.reshape(tensor, options.shape) end
  return {tensor = tensor}
end

return values
