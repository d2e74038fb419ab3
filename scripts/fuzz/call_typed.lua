--- Arguments of the kinds that rows of the operation table expect, with unusual ranks, dtypes and
-- sizes: they pass the check of kinds, so the row itself must check them.
-- @module call_typed
local typed = {}

local sizes = {{10, "1"}, {20, "2"}, {30, "3"}, {15, "4"}, {8, "0"}}

local dtypes = {
  {40, "float32"}, {6, "float64"}, {4, "float16"}, {4, "bfloat16"}, {10, "int32"},
  {5, "int64"}, {4, "uint8"}, {4, "bool"}, {2, "int8"}, {2, "uint64"}, {1, "uint32"},
}

local integers = {
  {30, "1"}, {20, "2"}, {15, "3"}, {8, "0"}, {8, "-1"}, {4, "-2"}, {3, "7"},
  {2, "2^31|0"}, {2, "(2^31|0) - 1"}, {2, "2^32|0"}, {2, "2^53|0"}, {2, "2^62|0"},
  {1, "math.maxinteger"}, {1, "math.mininteger"},
}

local long_shapes = {"{2^20|0}", "{0, 2^31|0}", "{2^20|0, 0}", "{0, 2^53|0}"}

local floats = {"0", "1", "0.5", "-1", "-0.0", "1e300", "1e-300", "0/0", "1/0", "-1/0", "3"}

local strings = {
  '"valid"', '"same"', '"causal"', '"channels_first"', '"channels_last"', '"constant"',
  '"reflect"', '"bilinear"', '"nearest"', '"sum"', '"max"', '"left"', '"reduced"', '"hann"',
  '"tanh"', '"ij,jk->ik"', '"ii->i"', '"..."', '"i...,->"', '""', '"xy"',
}

local function list(source, longest, item)
  local items = {}
  for i = 1, source:integer(0, longest) do items[i] = item(source) end
  return "{" .. table.concat(items, ", ") .. "}"
end

local function size(source) return source:weighted(sizes) end

local function integer(source) return source:weighted(integers) end

-- A long axis comes alone, so that work stays small if an empty axis is reduced.
local function shape(source)
  if source:chance(0.05) then return source:pick(long_shapes) end
  return list(source, source:chance(0.1) and 8 or 4, size)
end

local function tensor(source)
  local dtype, dims = source:weighted(dtypes), shape(source)
  if not dtype:find "int" or source:chance(0.7) then
    return ("cusp.ones(%s, {dtype = %q})"):format(dims, dtype)
  end
  local value = source:pick{"-1", "2", "3", "100", "2000000000"}
  return ("ops.cast(ops.full(%s, %s), %q)"):format(dims, value, dtype)
end

local function axis(source)
  if source:chance(0.2) then return integer(source) end
  return source:pick{"1", "2", "-1", "-2"}
end

local function up_to(count, item)
  return function(source) return list(source, count, item) end
end

local function either(probability, first, second)
  return function(source) return (source:chance(probability) and first or second)(source) end
end

local draws = {
  tensor = tensor,
  tensors = up_to(3, tensor),
  int = integer,
  axis = axis,
  float = function(source) return source:pick(floats) end,
  bool = function(source) return source:pick{"true", "false"} end,
  dtype = function(source) return ("%q"):format(source:weighted(dtypes)) end,
  string = function(source) return source:pick(strings) end,
  ints = up_to(4, integer),
  shape = either(0.7, shape, up_to(4, integer)),
  axes = up_to(3, integer),
  int_or_ints = either(0.5, integer, up_to(3, integer)),
}

--- Lua text of an argument.
-- @tparam table source random source
-- @tparam string kind as in `cusp.ops.describe`
-- @treturn string
function typed.of(source, kind) return (draws[kind] or tensor)(source) end

return typed
