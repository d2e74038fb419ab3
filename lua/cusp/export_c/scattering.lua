--- Writing at positions that a tensor holds.
-- @module cusp.export_c.scattering
local arrange = require "cusp.export_c.arrange"
local arrays = require "cusp.export_c.arrays"
local expressions = require "cusp.export_c.expressions"

local scattering = {}

local function middle(indices, first, last) return table.move(indices, first, last, 1, {}) end

local function zeros(step, result)
  arrange.copy(step, arrays.uniform("0", result.dtype, result.shape), result)
end

-- Zeros to which each update is added where `position` says.
local function add_along(step, op, position)
  local updates, at = step:array(op.inputs[1]), step:array(op.inputs[2])
  local result, axis = step:result(op.first_output), op.attributes.axis + 1
  zeros(step, result)
  local indices, blocks = step:loops("i", updates.shape)
  local to = position(indices, axis, function(inner)
    return arrange.position(step, at, inner, result.shape[axis])
  end, #at.shape)
  step:line("%s += %s;", step:place(result, to), step:at(updates, indices))
  step:close(blocks)
end

function scattering.scatter_axis(step, op)
  add_along(step, op, function(indices, axis, index, rank)
    return arrays.indices(middle(indices, 1, axis - 1),
      index(middle(indices, axis, axis + rank - 1)),
      middle(indices, axis + rank, #indices))
  end)
end

function scattering.scatter_along(step, op)
  add_along(step, op, function(indices, axis, index)
    return arrays.indices(middle(indices, 1, axis - 1), index(indices),
      middle(indices, axis + 1, #indices))
  end)
end

-- By the numbers of the row's modes.
local modes = {[0] = "%s = %s;", "%s += %s;", "maximum", "minimum", "%s *= %s;"}

local function combine(step, mode, dtype, place, x)
  local pattern = modes[mode]
  if pattern:find "%%" then return step:line(pattern, place, x) end
  step:line("%s = %s(%s, %s);", place, expressions.helper(step.program, pattern, dtype), x, place)
end

-- Positions outside are left out.
local function skip_outside(step, code, size)
  step:line("if (%s < 0 || %s >= %d)", code, code, size)
  step:line "  continue;"
end

--- A tensor with updates at positions in its first axes.
function scattering.scatter_nd(step, op)
  local x, at, updates = step:array(op.inputs[1]), step:array(op.inputs[2]),
    step:array(op.inputs[3])
  local result, lead = step:result(op.first_output), #at.shape - 1
  arrange.copy(step, x, result)
  local outer, blocks = step.writer:whole_loops("i", middle(at.shape, 1, lead))
  local to = {}
  for k = 1, at.shape[#at.shape] do
    local code = step:at(at, arrays.indices(outer, k - 1))
    if op.attributes.drop then
      skip_outside(step, code, result.shape[k])
      to[k] = code
    else
      to[k] = arrange.position(step, at, arrays.indices(outer, k - 1), result.shape[k])
    end
  end
  local inner, opened = step:loops("k", middle(updates.shape, lead + 1, #updates.shape))
  combine(step, op.attributes.mode, result.dtype, step:place(result, arrays.indices(to, inner)),
    step:at(updates, arrays.indices(outer, inner)))
  step:close(opened + blocks)
end

-- Where a part of x begins, moved inwards where it would reach past an end.
local function starts(step, x, at, shape)
  local result = {}
  for axis, size in ipairs(shape) do
    local room = x.shape[axis] - size
    result[axis] = 0
    if room > 0 then
      local name, code = "start" .. axis, step:at(at, {axis - 1})
      step:line("const int %s = %s < 0 ? 0 : %s > %d ? %d : (int)%s;", name, code, code, room, room,
        code)
      result[axis] = name
    end
  end
  return result
end

local function moved(indices, by)
  local result = {}
  for axis, index in ipairs(indices) do
    result[axis] = by[axis] == 0 and index or ("%s + %s"):format(by[axis], index)
  end
  return result
end

function scattering.dynamic_slice(step, op)
  local x, result = step:array(op.inputs[1]), step:result(op.first_output)
  local by = starts(step, x, step:array(op.inputs[2]), result.shape)
  local indices, blocks = step:loops("i", result.shape)
  step:line("%s = %s;", step:place(result, indices), step:at(x, moved(indices, by)))
  step:close(blocks)
end

function scattering.dynamic_update(step, op)
  local x, updates = step:array(op.inputs[1]), step:array(op.inputs[3])
  local result = step:result(op.first_output)
  arrange.copy(step, x, result)
  local by = starts(step, x, step:array(op.inputs[2]), updates.shape)
  local indices, blocks = step:loops("i", updates.shape)
  step:line("%s = %s;", step:place(result, moved(indices, by)), step:at(updates, indices))
  step:close(blocks)
end

return scattering
