--- New tensors: `cusp.tensor`, `zeros`, `ones`, `full`, `arange`, `linspace`, `eye`.
-- @module cusp.tensors.creation
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local ops = require "cusp.ops"

local creation = {}

local bind_tensor = arguments.binder("tensor", {
  {"data", "any"}, {"dtype", "dtype", optional = true, strings = true},
  {"shape", "shape", optional = true, allow_integer = true},
}, "nested")

--- Makes a tensor from Lua values. Integers become int32 (int64 if needed), any float the default
-- float dtype (`1.0` is a float), booleans bool. A number that the given dtype cannot hold is an
-- error.
-- @param data nested tables of numbers or booleans, a flat table with a `shape`, a number, a
-- boolean, or another tensor
-- @tparam[opt] string dtype
-- @tparam[opt] {integer,...} shape
-- @treturn tensor
-- @usage
-- cusp.tensor{{1.0, 2.0}, {3.0, 4.0}}
-- cusp.tensor({1, 2, 3, 4, 5, 6}, {shape = {2, 3}, dtype = "float32"})
function creation.tensor(...)
  local data, dtype, shape = bind_tensor(...)
  return engine.tensor(data, {dtype = dtype, shape = shape})
end

--- A tensor of zeros, ones, or `fill_value`. `zeros{2, 3}`, `zeros({2, 3}, "int32")`, `full({2, 3},
-- 0.5)`.
-- @function zeros
-- @tparam {integer,...} shape
-- @tparam[opt] string dtype
-- @treturn tensor
for _, name in ipairs{"zeros", "ones", "full", "arange", "linspace", "eye", "zeros_like",
  "ones_like"} do
  creation[name] = ops[name]
end

return creation
