--- ONNX's numbers for element types, and Cusp's names of those that it has.
-- @module cusp.onnx.messages.dtypes
local dtypes = {}

local names = {
  [1] = "float32", [2] = "uint8", [3] = "int8", [4] = "uint16", [5] = "int16", [6] = "int32",
  [7] = "int64", [8] = "string", [9] = "bool", [10] = "float16", [11] = "float64",
  [12] = "uint32", [13] = "uint64", [16] = "bfloat16",
}
local foreign = {
  [14] = "complex64", [15] = "complex128", [17] = "float8e4m3fn", [18] = "float8e4m3fnuz",
  [19] = "float8e5m2", [20] = "float8e5m2fnuz", [21] = "uint4", [22] = "int4",
  [23] = "float4e2m1", [24] = "float8e8m0", [25] = "uint2", [26] = "int2",
}
local numbers = {}
for number, name in pairs(names) do numbers[name] = number end

--- Bytes of an element.
dtypes.bytes = {float32 = 4, uint8 = 1, int8 = 1, uint16 = 2, int16 = 2, int32 = 4, int64 = 8,
  bool = 1, float16 = 2, float64 = 8, uint32 = 4, uint64 = 8, bfloat16 = 2}

--- Cusp's name, or nil and ONNX's name of a type that Cusp does not have.
function dtypes.name(number)
  if names[number] then return names[number] end
  return nil, foreign[number] or ("type %s"):format(tostring(number))
end

--- ONNX's number of a dtype.
function dtypes.number(name) return numbers[name] end

--- Whether the dtype is one of floats.
function dtypes.is_float(name) return name:find "float" ~= nil end

return dtypes
