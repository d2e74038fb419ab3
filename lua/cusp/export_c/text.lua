--- Lines of C with their indentation, and numbers as C writes them.
-- @module cusp.export_c.text
local plain = require "cusp.base.plain"

local text = {}
local Writer = {}
Writer.__index = Writer

local types = {
  float32 = "float", float64 = "double", bool = "uint8_t", int8 = "int8_t", int16 = "int16_t",
  int32 = "int32_t", int64 = "int64_t", uint8 = "uint8_t", uint16 = "uint16_t",
  uint32 = "uint32_t", uint64 = "uint64_t",
}

--- A writer of lines.
-- @tparam[opt=0] integer depth of the first lines
function text.writer(depth) return setmetatable({lines = {}, depth = depth or 0}, Writer) end

--- Adds a line; the rest are arguments of its format.
function Writer:line(format, ...)
  local content = select("#", ...) > 0 and format:format(...) or format
  self.lines[#self.lines + 1] = content == "" and "" or ("  "):rep(self.depth) .. content
end

--- Adds a line that opens a block.
function Writer:open(...)
  self:line(...)
  self.depth = self.depth + 1
end

--- Closes blocks, one by default.
function Writer:close(count)
  for _ = 1, count or 1 do
    self.depth = self.depth - 1
    self:line "}"
  end
end

--- Opens a loop over `count` positions; one position needs none.
-- @treturn string|integer the index in C
-- @treturn integer the number of blocks opened
function Writer:loop(name, count)
  if count == 1 then return 0, 0 end
  self:open("for (int %s = 0; %s < %d; %s++) {", name, name, count, name)
  return name, 1
end

--- Opens loops over all positions of a shape.
-- @treturn {string|integer,...} the indices
-- @treturn integer the number of blocks opened
function Writer:loops(name, shape)
  local indices, blocks = {}, 0
  for axis, size in ipairs(shape) do
    local opened
    indices[axis], opened = self:loop(#shape > 1 and name .. axis or name, size)
    blocks = blocks + opened
  end
  return indices, blocks
end

--- The same, but a loop for each axis, which `continue` may leave.
function Writer:whole_loops(name, shape)
  local indices = {}
  for axis, size in ipairs(shape) do
    indices[axis] = name .. axis
    self:open("for (int %s = 0; %s < %d; %s++) {", indices[axis], indices[axis], size,
      indices[axis])
  end
  if #shape == 0 then self:open "for (int i = 0; i < 1; i++) {" end
  return indices, math.max(#shape, 1)
end

--- The type in C, nil for a dtype that C99 has no type for.
function text.type(dtype) return types[dtype] end

--- "[2, 3]"
function text.shape(shape) return "[" .. table.concat(shape, ", ") .. "]" end

local function float(value, digits, suffix)
  if value ~= value then return "NAN" end
  if value == math.huge then return "INFINITY" end
  if value == -math.huge then return "-INFINITY" end
  local number = plain.format(digits, value)
  if not number:find "[.e]" then number = number .. ".0" end
  return number .. suffix
end

--- A number or a boolean of a dtype as a literal.
function text.literal(value, dtype)
  if dtype == "float32" then return float(value, "%.9g", "f") end
  if dtype == "float64" then return float(value, "%.17g", "") end
  if dtype == "bool" then return value and value ~= 0 and "1" or "0" end
  if value == math.mininteger then return "INT64_MIN" end
  local suffix = dtype == "uint32" and "U" or math.abs(value) > 2147483647 and "LL" or ""
  if dtype == "uint64" then return ("0x%xULL"):format(value) end
  if dtype == "int32" and value == -2147483648 then return "INT32_MIN" end
  return ("%d%s"):format(value, suffix)
end

--- A name for C made of any text.
function text.identifier(name)
  local result = name:gsub("[^%w_]", "_"):gsub("__+", "_"):gsub("^_+", ""):gsub("_+$", "")
  if result == "" or result:find "^%d" then result = "n" .. result end
  return result
end

return text
