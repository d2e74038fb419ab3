--- Loops over elements: elementwise operations alone, and reductions of them.
-- @module cusp.export_c.fused
local arrays = require "cusp.export_c.arrays"
local expressions = require "cusp.export_c.expressions"
local text = require "cusp.export_c.text"

local fused = {roots = {}}

--- A loop over the elements of a group without a root.
function fused.elementwise(step, group)
  local result = step:result(group.value)
  local operands, values, list = step:operands(group), {}, {result}
  for value, array in pairs(operands) do
    values[#list + 1] = value
    list[#list + 1] = array
  end
  list = arrays.collapse(list)
  for i, value in pairs(values) do operands[value] = list[i] end
  local indices, blocks = step:loops("i", list[1].shape)
  local code = step:evaluate(group, operands, indices)
  step:line("%s = %s;", step:place(list[1], indices), code)
  step:close(blocks)
end

local function is_reduced(op, rank)
  local reduced = {}
  for axis = 1, rank do reduced[axis] = op.attributes.axis == nil end
  for _, axis in ipairs(op.attributes.axis or {}) do reduced[axis + 1] = true end
  return reduced
end

local steps = {
  sum = "sum += %s;", reduce_prod = "sum *= %s;", any = "sum = sum || %s;",
  all = "sum = sum && %s;",
}

-- What is below (or above) all numbers of a type.
local function limit(dtype, least)
  if dtype == "bool" then return least and "0" or "1" end
  if dtype:find "float" then return least and "-INFINITY" or "INFINITY" end
  if least and dtype:find "uint" then return "0" end
  return dtype:upper() .. (least and "_MIN" or "_MAX")
end

-- The number to begin with, and the step for one more element.
local function reducer(step, op, dtype)
  local name = op.name
  if steps[name] then
    return text.literal((name == "reduce_prod" or name == "all") and 1 or 0, dtype), steps[name]
  end
  local helper = expressions.helper(step.program, name == "amax" and "maximum" or "minimum", dtype)
  return limit(dtype, name == "amax"), "sum = " .. helper .. "(%s, sum);"
end

-- Loops over the axes that are reduced, or over the others.
local function loop_over(step, shape, reduced, which, name, indices)
  local blocks = 0
  for axis, size in ipairs(shape) do
    if reduced[axis] == which then
      local opened
      indices[axis], opened = step.writer:loop(name .. axis, size)
      blocks = blocks + opened
    end
  end
  return blocks
end

local function kept(indices, reduced, keepdims)
  local result = {}
  for axis, index in ipairs(indices) do
    if not reduced[axis] then
      result[#result + 1] = index
    elseif keepdims then
      result[#result + 1] = 0
    end
  end
  return result
end

local function reduce(step, op, group, finish)
  local graph, inputs = step.program.graph, group.inputs
  local shape, dtype = inputs.shape, graph.values[op.first_output].dtype
  local operands, reduced, indices = step:operands(inputs), is_reduced(op, #shape), {}
  local start, more = reducer(step, op, dtype)
  local outer = loop_over(step, shape, reduced, false, "i", indices)
  for axis = 1, #shape do indices[axis] = indices[axis] or 0 end
  step:line("%s sum = %s;", text.type(dtype), start)
  local inner = loop_over(step, shape, reduced, true, "k", indices)
  local code = step:evaluate(inputs, operands, indices)
  step:line(more, more:find "[|&]" and expressions.atom(code) or code)
  step:close(inner)
  finish(kept(indices, reduced, op.attributes.keepdims), "sum")
  step:close(outer)
end

for _, name in ipairs{"sum", "reduce_prod", "amax", "amin", "any", "all"} do
  fused.roots[name] = function(step, op, group, _, finish) reduce(step, op, group, finish) end
end

return fused
