--- Copies: joining, padding, and reading at positions that a tensor holds.
-- @module cusp.export_c.arrange
local arrays = require "cusp.export_c.arrays"

local arrange = {}

local function replace(indices, axis, index)
  local result = table.move(indices, 1, #indices, 1, {})
  result[axis] = index
  return result
end

--- Copies an array into another of the same shape.
function arrange.copy(step, from, to)
  local list = arrays.collapse{to, from}
  local indices, blocks = step:loops("i", list[1].shape)
  step:line("%s = %s;", step:place(list[1], indices), step:at(list[2], indices))
  step:close(blocks)
end

-- What has been computed in its place is not copied.
function arrange.concatenate(step, op)
  local result, start = step:result(op.first_output), 0
  local axis = op.attributes.axis + 1
  if axis < 1 then axis = axis + #result.shape end
  for _, value in ipairs(op.inputs) do
    local array = step:array(value)
    local place = arrays.part(result, array.shape, {[axis] = start})
    if arrays.count(array.shape) > 0 and not arrays.same(array, place) then
      arrange.copy(step, array, place)
    end
    start = start + array.shape[axis]
  end
end

--- A tensor as a part of a larger one: padding.
function arrange.embed(step, op)
  local result, x = step:result(op.first_output), step:array(op.inputs[1])
  local value = op.inputs[2] and arrays.broadcast(step:array(op.inputs[2]), result.shape)
    or arrays.uniform("0", result.dtype, result.shape)
  arrange.copy(step, value, result)
  arrange.copy(step, x, arrays.part(result, x.shape, op.attributes.start, op.attributes.step))
end

--- A position that counts from the end where negative, kept within its axis whatever comes.
function arrange.position(step, array, indices, size)
  if size == 1 then return 0 end
  step.program.needs_index = true
  return ("%s_index(%s, %d)"):format(step.program.prefix, step:at(array, indices), size)
end

function arrange.gather_axis(step, op)
  local x, at = step:array(op.inputs[1]), step:array(op.inputs[2])
  local result, axis = step:result(op.first_output), op.attributes.axis + 1
  local indices, blocks = step:loops("i", result.shape)
  local inner = table.move(indices, axis, axis + #at.shape - 1, 1, {})
  local from = table.move(indices, 1, axis - 1, 1, {})
  from[axis] = arrange.position(step, at, inner, x.shape[axis])
  table.move(indices, axis + #at.shape, #indices, axis + 1, from)
  step:line("%s = %s;", step:place(result, indices), step:at(x, from))
  step:close(blocks)
end

function arrange.gather_along(step, op)
  local x, at = step:array(op.inputs[1]), step:array(op.inputs[2])
  local result, axis = step:result(op.first_output), op.attributes.axis + 1
  local indices, blocks = step:loops("i", result.shape)
  local from = replace(indices, axis,
    arrange.position(step, at, indices, x.shape[axis]))
  step:line("%s = %s;", step:place(result, indices), step:at(x, from))
  step:close(blocks)
end

function arrange.gather_nd(step, op)
  if op.attributes.drop then step.program:refuse(op, "that drops positions outside") end
  local x, at = step:array(op.inputs[1]), step:array(op.inputs[2])
  local result, lead = step:result(op.first_output), #at.shape - 1
  local indices, blocks = step:loops("i", result.shape)
  local outer, from = table.move(indices, 1, lead, 1, {}), {}
  for k = 1, at.shape[#at.shape] do
    from[k] = arrange.position(step, at, replace(outer, lead + 1, k - 1), x.shape[k])
  end
  table.move(indices, lead + 1, #indices, #from + 1, from)
  step:line("%s = %s;", step:place(result, indices), step:at(x, from))
  step:close(blocks)
end

--- Each line of an axis, moved; zeros come in.
function arrange.shift_axis(step, op)
  local x, result = step:array(op.inputs[1]), step:result(op.first_output)
  local axis, by, shape = op.attributes.axis + 1, op.attributes.by, {}
  arrange.copy(step, arrays.uniform("0", result.dtype, result.shape), result)
  local to, from = {}, {}
  for i, size in ipairs(x.shape) do
    shape[i], to[i], from[i] = size, 0, 0
  end
  shape[axis] = shape[axis] - math.abs(by)
  if shape[axis] <= 0 then return end
  to[axis], from[axis] = math.max(by, 0), math.max(-by, 0)
  arrange.copy(step, arrays.part(x, shape, from), arrays.part(result, shape, to))
end

return arrange
