--- Elements of datasets.
-- An element is a structure of parts, as a user sees it: a tensor, a string, a list (tuple) or a
-- table by name of those. Within the library it is flat: a list of its parts with the field `form`,
-- which is the structure with the parts' positions in their places. A batch of strings is a
-- `Strings`, so that it is not mistaken for a tuple; users see a plain list.
-- @module cusp.data.machinery.element
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local structure = require "cusp.base.structure"
local plain = require "cusp.base.plain"

local element = {}

---------------------------------------------------------------- strings

local Strings = {__name = "cusp.data.Strings"}
Strings.__index = Strings
Strings.__tostring = function(self) return ("%d strings"):format(#self) end

--- A list of strings as one part.
function element.strings(list) return setmetatable(list, Strings) end
function element.is_strings(value) return getmetatable(value) == Strings end

local function is_list_of_strings(value)
  for i = 1, #value do
    if type(value[i]) ~= "string" then return false end
  end
  return #value > 0
end

---------------------------------------------------------------- structures to elements

-- Whether a list is numbers all the way down, and so one tensor: its first leaf tells, unless there
-- are tensors or strings beside it.
local function is_numeric(value)
  for i = 1, #value do
    if type(value[i]) == "userdata" or type(value[i]) == "string" then return false end
  end
  value = structure.first_leaf(value)
  return type(value) == "number" or type(value) == "boolean"
end

local function to_leaf(owner, value)
  if type(value) == "userdata" then
    if engine.is_tensor(value) then return value end
    if engine.is_variable(value) then return value.value end
  elseif type(value) == "number" or type(value) == "boolean" then
    return engine.tensor(value)
  elseif type(value) == "string" or element.is_strings(value) or kinds.is_dataset(value) then
    return value
  end
  errors.raise(
    "%s: expected tensors, numbers, strings, or lists or tables by name of those, got %s", owner,
    errors.describe(value))
end

local function rectangular(owner, value)
  local ok, tensor = engine.attempt(engine.tensor, value)
  if not ok then errors.raise("%s: %s", owner, (plain.tostring(tensor):gsub("^.-tensor: ", ""))) end
  return tensor
end

local function take_apart(owner, value, out, depth)
  if structure.is_container(value) and #value > 0 then
    if is_numeric(value) then value = rectangular(owner, value)
    elseif is_list_of_strings(value) then value = element.strings(table.move(value, 1, #value, 1,
      {})) end
  end
  if not structure.is_container(value) then
    out[#out + 1] = to_leaf(owner, value)
    return #out
  end
  local form = {}
  depth = structure.deeper(depth or 0)
  if structure.is_list(value) then
    for i = 1, #value do form[i] = take_apart(owner, value[i], out, depth) end
  else
    for _, key in ipairs(structure.keys(value)) do
      form[key] = take_apart(owner, value[key], out, depth)
    end
  end
  return form
end

--- The element of one structure.
-- @tparam string owner name of the function, for messages
-- @param value
-- @treturn table
function element.of(owner, value)
  local out = {}
  out.form = take_apart(owner, value, out)
  return out
end

--- The element of what a function returned: several values are a tuple.
function element.of_values(owner, ...)
  local n = select("#", ...)
  if n == 1 then return element.of(owner, (...)) end
  local out, form = {}, {}
  for i = 1, n do
    local value = select(i, ...)
    if value == nil then errors.raise("%s: value %d of %d is nil", owner, i, n) end
    form[i] = take_apart(owner, value, out)
  end
  out.form = form
  return out
end

---------------------------------------------------------------- elements to structures

local function expose(leaf)
  if element.is_strings(leaf) then return table.move(leaf, 1, #leaf, 1, {}) end
  return leaf
end

local function fill(form, leaves)
  if type(form) == "number" then return expose(leaves[form]) end
  local result = {}
  for key, item in pairs(form) do result[key] = fill(item, leaves) end
  return result
end

--- The structure that users see.
function element.structure(e) return fill(e.form, e) end

--- The same as values: those of a tuple one by one.
function element.values(e)
  local form = e.form
  if form == 1 then return expose(e[1]) end
  if #form == 0 then return fill(form, e) end
  local values = {}
  for i = 1, #form do values[i] = fill(form[i], e) end
  return table.unpack(values, 1, #form)
end

--- Whether two forms are the same.
function element.same_form(a, b)
  if a == b then return true end
  return type(a) == type(b) and structure.describe(a) == structure.describe(b)
end

local function describe_form(form, leaves)
  if type(form) == "number" then
    local leaf = leaves and leaves[form]
    if leaf == nil then return "part" end
    if type(leaf) == "string" then return "string" end
    if type(leaf) == "userdata" then return leaf.dtype .. " " .. errors.shape(leaf.shape) end
    return plain.tostring(leaf)
  end
  local parts = {}
  if structure.is_list(form) then
    for i = 1, #form do parts[i] = describe_form(form[i], leaves) end
  else
    for _, key in ipairs(structure.keys(form)) do
      parts[#parts + 1] = key .. " = " .. describe_form(form[key], leaves)
    end
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

--- "{float32 [3], y = int32 []}", for messages.
function element.describe(e) return describe_form(e.form, e) end

---------------------------------------------------------------- types

--- Shape and dtype of a part.
function element.type_of(leaf)
  if type(leaf) == "string" then return {shape = {}, dtype = "string"} end
  if element.is_strings(leaf) then return {shape = {#leaf}, dtype = "string"} end
  if type(leaf) == "userdata" then return {shape = leaf.shape, dtype = leaf.dtype} end
  return {shape = {}, dtype = "dataset"}
end

function element.types(e)
  local types = {}
  for i = 1, #e do types[i] = element.type_of(e[i]) end
  return types
end

---------------------------------------------------------------- stacking and taking apart

local function check_alike(owner, elements, i, first, other)
  local a, b = element.type_of(first), element.type_of(other)
  if a.dtype ~= b.dtype or errors.shape(a.shape) ~= errors.shape(b.shape) then
    errors.raise(
      "%s: element %d of the batch is %s, but the first is %s; expected equal shapes and dtypes "
      .. "(padded_batch fills up)",
      owner, i, element.describe(elements[i]), element.describe(elements[1]))
  end
end

local function stack_leaf(owner, elements, k)
  local first, items = elements[1][k], {}
  for i, e in ipairs(elements) do
    check_alike(owner, elements, i, first, e[k])
    items[i] = e[k]
  end
  if type(first) == "string" then return element.strings(items) end
  if type(first) ~= "userdata" then
    errors.raise("%s: %s cannot be put into batches", owner, element.describe(elements[1]))
  end
  return engine.ops.stack(items, 1)
end

--- Raises unless elements are of one structure.
function element.check_forms(owner, elements)
  local first = elements[1]
  for i, e in ipairs(elements) do
    if not element.same_form(e.form, first.form) then
      errors.raise("%s: element %d of the batch has the structure %s, but the first has %s", owner,
        i, element.describe(e),
        element.describe(first))
    end
  end
end

--- Raises unless elements could be put together.
function element.check_batch(owner, elements)
  element.check_forms(owner, elements)
  for i, e in ipairs(elements) do
    for k = 1, #e do check_alike(owner, elements, i, elements[1][k], e[k]) end
  end
end

--- One element of many, with a new first axis.
function element.stack(owner, elements)
  local first = elements[1]
  local batch = {form = first.form}
  element.check_forms(owner, elements)
  for k = 1, #first do batch[k] = stack_leaf(owner, elements, k) end
  element.compute(batch)
  return batch
end

--- Number of entries along the first axis of all parts.
function element.rows(owner, e)
  local rows
  for k = 1, #e do
    local shape = element.type_of(e[k]).shape
    if #shape == 0 then
      errors.raise("%s: %s has no first axis to take apart", owner, element.describe(e))
    end
    rows = rows or shape[1]
    if rows ~= shape[1] then
      errors.raise("%s: the parts of %s differ in their first axis", owner, element.describe(e))
    end
  end
  return rows or 0
end

--- Entry `i`, counted from 1, along the first axis.
function element.row(e, i)
  local row = {form = e.form}
  for k = 1, #e do row[k] = e[k][i] end
  return row
end

--- Entries `first` to `last`.
function element.slice(e, first, last)
  local part = {form = e.form}
  for k = 1, #e do
    local leaf = e[k]
    if type(leaf) == "userdata" then part[k] = leaf:slice{{first, last}}
    else part[k] = element.strings(table.move(leaf, first, last, 1, {})) end
  end
  element.compute(part)
  return part
end

--- Computes what is pending, so that errors come here and memory is freed.
function element.compute(e)
  local pending = {}
  for k = 1, #e do
    if type(e[k]) == "userdata" then pending[#pending + 1] = e[k] end
  end
  engine.evaluate(pending)
  return e
end

return element
