--- Losses in the structure of outputs; `false` or `cusp.null` stands for none.
-- @module cusp.distillation.structured
local errors = require "cusp.base.errors"
local losses = require "cusp.losses"
local null = require "cusp.base.null"
local ops = require "cusp.ops"
local structure = require "cusp.base.structure"

local structured = {}

--- Losses from names, objects and functions.
-- @tparam string owner for messages
-- @param given
-- @return the losses in the same structure
function structured.losses(owner, given)
  local any = false
  local result = structure.map(given, function(one)
    if one == nil or one == null then return false end
    any = true
    return losses.get(one)
  end, function(value) return value.class_name ~= nil end)
  if not any then errors.raise("%s: at least one loss should be given", owner) end
  return result
end

--- The losses as a configuration holds them.
function structured.to_config(given)
  return structure.map(given, function(one) return one and losses.serialize(one) or null end)
end

local function kind_of(value)
  if not structure.is_container(value) then return "a single one" end
  return structure.is_list(value) and ("a list of %d"):format(#value) or "a table by name"
end

--- Raises where two structures differ.
function structured.check_same(owner, what, a, b)
  if structure.is_container(a) ~= structure.is_container(b) or structure.is_container(a)
    and (#a ~= #b or structure.is_list(a) ~= structure.is_list(b)) then
    errors.raise("%s: %s differ in structure: %s and %s", owner, what, kind_of(a), kind_of(b))
  end
  if not structure.is_container(a) then return end
  for key, value in pairs(a) do
    if b[key] == nil then
      errors.raise("%s: %s differ in structure: one lacks %s", owner, what, errors.describe(key))
    end
    structured.check_same(owner, what, value, b[key])
  end
end

-- f(loss, a, b) of each loss with the parts of the two at its place, added up.
local function total(loss, a, b, f, sum)
  if not structure.is_container(loss) then
    if not loss then return sum end
    local value = f(loss, a, b)
    if #value.shape > 0 then value = ops.mean(value) end
    return sum and sum + value or value
  end
  if structure.is_list(loss) then
    for i = 1, #loss do sum = total(loss[i], a[i], b[i], f, sum) end
    return sum
  end
  for _, key in ipairs(structure.keys(loss)) do sum = total(loss[key], a[key], b[key], f, sum) end
  return sum
end

--- The sum of `f(loss, a, b)` over losses and the two structures that belong to them.
-- @treturn tensor scalar
function structured.sum(loss, a, b, f) return total(loss, a, b, f) end

return structured
