--- The header of a `.npy` file: `\x93NUMPY`, a version, a length, and a Python dictionary of
-- `descr`, `fortran_order` and `shape`. Parses only the literals that NumPy writes there, and
-- evaluates nothing.
-- @module cusp.formats.numpy.header
local header = {}

local magic = "\x93NUMPY"
local most_bytes = 1 << 20 -- of a dictionary; NumPy itself warns of more than 10000
local most_depth = 20
local alignment = 64

---------------------------------------------------------------- Python's literals

-- Only this file raises it, as a table, so that the position ends up in one message.
local function fail(state, expected)
  local found = state.text:sub(state.at, state.at + 19):gsub("[^\32-\126]", "?")
  error({message = ("its header should have %s at character %d, but there is %q"):format(expected,
    state.at, found)}, 0)
end

local function skip(state, pattern)
  local last = select(2, state.text:find("^" .. pattern, state.at))
  if last then state.at = last + 1 end
  return last ~= nil
end

local function space(state) skip(state, "[ \t\r\n]*") end

local literal

local function items(state, close, depth, add)
  if depth > most_depth then fail(state, "no deeper nesting") end
  space(state)
  while not skip(state, close) do
    add()
    space(state)
    if not skip(state, ",") and not state.text:find("^" .. close, state.at) then
      fail(state, "',' or '" .. close:gsub("%%", "") .. "'")
    end
    space(state)
  end
end

local function sequence(state, close, depth)
  local list = {}
  items(state, close, depth, function() list[#list + 1] = literal(state, depth + 1) end)
  return list
end

local function dictionary(state, depth)
  local result = {}
  items(state, "}", depth, function()
    local key = literal(state, depth + 1)
    space(state)
    if type(key) ~= "string" or not skip(state, ":") then fail(state, "a key in quotes and ':'") end
    if result[key] ~= nil then fail(state, "each key once") end
    result[key] = literal(state, depth + 1)
  end)
  return result
end

local escapes = {["\\"] = "\\", ["'"] = "'", ['"'] = '"', n = "\n", t = "\t", r = "\r"}

local function text_literal(state, quote)
  local parts = {}
  while not skip(state, quote) do
    local plain = state.text:match("^[^\\\n" .. quote .. "]+", state.at)
    local escaped = not plain and state.text:match("^\\(.)", state.at)
    if not plain and not escapes[escaped] then fail(state, "the end of a string") end
    parts[#parts + 1] = plain or escapes[escaped]
    state.at = state.at + (plain and #plain or 2)
  end
  return table.concat(parts)
end

function literal(state, depth)
  space(state)
  if skip(state, "True") then return true end
  if skip(state, "False") then return false end
  if skip(state, "{") then return dictionary(state, depth) end
  if skip(state, "%(") then return sequence(state, "%)", depth) end
  if skip(state, "%[") then return sequence(state, "%]", depth) end
  skip(state, "[ub]?%f['\"]") -- u'<f4', as Python 2 wrote it
  local quote = state.text:match("^['\"]", state.at)
  if quote then
    state.at = state.at + 1
    return text_literal(state, quote)
  end
  local digits = state.text:match("^-?%d+", state.at)
  local number = digits and math.tointeger(digits)
  if not number then fail(state, "a literal") end
  state.at = state.at + #digits
  skip(state, "L")
  return number
end

--- The values of a header's dictionary.
-- @raise a table with a `message` that describes the error in the text
local function parse(text)
  local state = {text = text, at = 1}
  space(state)
  if not skip(state, "{") then fail(state, "'{'") end
  local fields = dictionary(state, 1)
  space(state)
  if state.at <= #text then fail(state, "nothing after its dictionary") end
  return fields
end

---------------------------------------------------------------- reading

local function check_shape(shape)
  if type(shape) ~= "table" then return "its shape is no tuple" end
  for i, size in ipairs(shape) do
    if math.type(size) ~= "integer" or size < 0 then
      return ("axis %d of its shape is %s"):format(i, tostring(size))
    end
  end
end

--- Reads a header.
-- @tparam function read `read(offset, count)` returns bytes; offsets count from the beginning of
-- the array's file
-- @tparam integer size total bytes
-- @treturn ?table `descr` (a string, or a list for records), `fortran_order`, `shape`, `length`
-- (where the elements begin)
-- @treturn ?string the error, if the header is invalid
function header.read(read, size)
  if size < 10 or read(0, 6) ~= magic then return nil, "it does not begin as a .npy file does" end
  local major, minor = read(6, 2):byte(1, 2)
  if major < 1 or major > 3 or minor ~= 0 then
    return nil, ("version %d.%d of the format is not known; 1.0, 2.0 and 3.0 are"):format(major,
      minor)
  end
  local start, format = 10, "<I2"
  if major > 1 then start, format = 12, "<I4" end
  if size < start then return nil, "it ends in its header" end
  local length = string.unpack(format, read(8, start - 8))
  if length > most_bytes then
    return nil, ("its header claims %d bytes, more than any that is read (%d)"):format(length,
      most_bytes)
  end
  if start + length > size then
    return nil, ("its header claims %d bytes, but only %d follow"):format(length, size - start)
  end
  local ok, fields = pcall(parse, read(start, length))
  if not ok then
    if type(fields) ~= "table" then error(fields, 0) end
    return nil, fields.message
  end
  local problem = check_shape(fields.shape)
    or type(fields.fortran_order) ~= "boolean" and "its fortran_order is neither True nor False"
    or fields.descr == nil and "its header has no descr"
  if problem then return nil, problem end
  return {descr = fields.descr, fortran_order = fields.fortran_order, shape = fields.shape,
    length = start + length}
end

---------------------------------------------------------------- writing

-- NumPy leaves room for the first axis to grow in place to this many digits.
local growth_digits = 21

--- The bytes before the elements of a row-major array, as NumPy writes them.
-- @tparam string descr "<f4"
-- @tparam {integer,...} shape
-- @treturn string
function header.write(descr, shape)
  local sizes = table.concat(shape, ", ") .. (#shape == 1 and "," or "")
  local text = ("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }"):format(descr, sizes)
  if #shape > 0 then text = text .. (" "):rep(growth_digits - #tostring(shape[1])) end
  local padding = -(#magic + 4 + #text + 1) % alignment
  text = text .. (" "):rep(padding) .. "\n"
  return magic .. "\1\0" .. string.pack("<I2", #text) .. text
end

return header
