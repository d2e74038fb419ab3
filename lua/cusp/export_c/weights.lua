--- Constants as data in C: as they are, or as int8 with a scale for each channel.
-- @module cusp.export_c.weights
local engine = require "cusp.engine"
local arrays = require "cusp.export_c.arrays"
local text = require "cusp.export_c.text"

local weights = {}

-- Which input of an operation may be quantized: those that are large, and read in products or as
-- rows of a table.
local quantizable = {
  matmul = {[2] = true}, conv_forward = {[2] = true}, conv_input_gradient = {[2] = true},
  gather_axis = {[1] = true}, lstm_sequence = {[4] = true, [5] = true},
  gru_sequence = {[3] = true, [4] = true},
}
local SMALLEST = 64 -- elements; below it the scales outweigh what is saved

--- Whether a constant is to be stored as int8.
-- @tparam tensor tensor
-- @tparam {table,...} readers see `cusp.export_c.groups`
function weights.fits(tensor, readers)
  local shape = tensor.shape
  if #shape < 2 or tensor.dtype ~= "float32" or arrays.count(shape) < SMALLEST then return false end
  for _, reader in ipairs(readers) do
    local inputs = reader.op and quantizable[reader.op.name]
    if not inputs or not inputs[reader.input] then return false end
  end
  return true
end

--- A weight as int8 numbers and a scale for each position of the last axis.
-- @tparam tensor tensor
-- @treturn tensor the whole numbers, -127 to 127, as float32
-- @treturn tensor the scales
function weights.quantize(tensor)
  local ops, axes = engine.ops, {}
  for axis = 1, #tensor.shape - 1 do axes[axis] = axis end
  local scale = ops.amax(ops.absolute(tensor), axes) / 127
  local divisor = ops.where(ops.equal(scale, 0), ops.ones_like(scale), scale)
  return ops.round(ops.divide(tensor, divisor)), scale
end

--- The numbers that a quantized weight stands for.
function weights.dequantized(tensor)
  local whole, scale = weights.quantize(tensor)
  return engine.ops.multiply(whole, scale)
end

--- The literal of a constant whose elements are all the same, else nil.
function weights.uniform(tensor, flat)
  local first = flat[1]
  for i = 2, #flat do
    if flat[i] ~= first then return nil end
  end
  return first ~= nil and first == first and text.literal(first, tensor.dtype) or nil
end

local PER_LINE = 8

--- The definition of an array of numbers.
-- @tparam string type_ "float"
-- @tparam string dtype
-- @tparam string name
-- @tparam table flat the numbers
-- @tparam {string,...} lines to which it is added
function weights.define(type_, dtype, name, flat, lines)
  lines[#lines + 1] = ("static const %s %s[%d] = {"):format(type_, name, #flat)
  local row, literal = {}, text.literal
  for i = 1, #flat do
    row[#row + 1] = literal(flat[i], dtype)
    if #row == PER_LINE or i == #flat then
      lines[#lines + 1] = "  " .. table.concat(row, ", ") .. (i < #flat and "," or "")
      row = {}
    end
  end
  lines[#lines + 1] = "};"
end

local function whole(flat)
  local result = {}
  for i = 1, #flat do result[i] = math.tointeger(flat[i]) end
  return result
end

--- Adds the data of a constant to the lines of a program.
-- @tparam table source its `name`, `tensor`, and whether it is quantized (`scale`)
-- @tparam {string,...} lines
function weights.write(source, lines)
  local tensor = source.tensor
  lines[#lines + 1] = ("/* %s, %s */"):format(source.comment, text.shape(tensor.shape))
  if not source.scale then
    return weights.define(text.type(tensor.dtype), tensor.dtype, source.name, tensor:flat(), lines)
  end
  local numbers, scale = weights.quantize(tensor)
  weights.define("int8_t", "int8", source.name, whole(numbers:flat()), lines)
  weights.define("float", "float32", source.name .. "_scale", scale:flat(), lines)
end

return weights
