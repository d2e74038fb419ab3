--- What is known of the parts of a dataset's elements: shapes, in which sizes may be unknown, and
-- dtypes.
-- @module cusp.data.machinery.spec
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"

local None = shapes.None
local spec = {}

--- Shape and dtype of one part: `TensorSpec({None, 28, 28}, "uint8")`. The dtype of strings is
-- "string".
-- @type TensorSpec
-- @tparam {integer,...} shape `cusp.None` where a size is not known
-- @tparam[opt="float32"] string dtype
-- @tparam[opt] string name
local TensorSpec = Object:extend("TensorSpec", {
  config = {{"shape", "shape"}, {"dtype", "string", default = "float32"},
    {"name", "string", optional = true}},
  __tostring = function(self)
    return ("TensorSpec(shape = %s, dtype = %s)"):format(errors.shape(self.shape), self.dtype)
  end,
})
spec.TensorSpec = TensorSpec

--- The structure of TensorSpecs for a form and the types of its parts.
function spec.of(form, types)
  if type(form) == "number" then return TensorSpec{types[form].shape, types[form].dtype} end
  local result = {}
  for key, item in pairs(form) do result[key] = spec.of(item, types) end
  return result
end

local function flatten(signature, types, owner)
  if Object.is_instance(signature, TensorSpec) then
    types[#types + 1] = {shape = signature.shape, dtype = signature.dtype}
    return #types
  end
  if not structure.is_container(signature) then
    errors.raise("%s: expected a TensorSpec, or a list or table by name of them, got %s", owner,
      errors.describe(signature))
  end
  local form = {}
  if structure.is_list(signature) then
    for i = 1, #signature do form[i] = flatten(signature[i], types, owner) end
  else
    for _, key in ipairs(structure.keys(signature)) do
      form[key] = flatten(signature[key], types, owner)
    end
  end
  return form
end

--- The form and the types of a declared signature.
function spec.flatten(owner, signature)
  local types = {}
  local form = flatten(signature, types, owner)
  return form, types
end

--- "{float32 [None, 3], y = int32 []}", for messages.
function spec.describe(form, types)
  if type(form) == "number" then
    local shape = types[form].shape
    return types[form].dtype .. (shape and " " .. errors.shape(shape) or "")
  end
  local parts = {}
  if structure.is_list(form) then
    for i = 1, #form do parts[i] = spec.describe(form[i], types) end
  else
    for _, key in ipairs(structure.keys(form)) do
      parts[#parts + 1] = key .. " = " .. spec.describe(form[key], types)
    end
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

--- Whether a shape is one of those that a declared shape allows; nil allows all.
function spec.allows(declared, shape)
  if not declared then return true end
  if #declared ~= #shape then return false end
  for i = 1, #shape do
    if declared[i] ~= None and shape[i] ~= None and declared[i] ~= shape[i] then return false end
  end
  return true
end

--- The types of batches of what has these types.
-- @tparam table types
-- @param rows a number, or None
function spec.batched(types, rows)
  local result = {}
  for i, type in ipairs(types) do
    local shape = {rows, table.unpack(type.shape)}
    result[i] = {shape = shape, dtype = type.dtype}
  end
  return result
end

--- The types without their first axis.
function spec.unbatched(types)
  local result = {}
  for i, type in ipairs(types) do
    result[i] = {shape = {table.unpack(type.shape, 2)}, dtype = type.dtype}
  end
  return result
end

--- What two types have in common: sizes that differ become None; nil where ranks or dtypes differ.
function spec.common(a, b)
  if #a ~= #b then return nil end
  local result = {}
  for i = 1, #a do
    if a[i].dtype ~= b[i].dtype or #a[i].shape ~= #b[i].shape then return nil end
    local shape = {}
    for k = 1, #a[i].shape do
      shape[k] = a[i].shape[k] == b[i].shape[k] and a[i].shape[k] or None
    end
    result[i] = {shape = shape, dtype = a[i].dtype}
  end
  return result
end

return spec
