--- What is computed along one axis: softmax, positions of extremes, running sums.
-- @module cusp.export_c.rows
local text = require "cusp.export_c.text"
local expressions = require "cusp.export_c.expressions"

local rows = {}

local function suffix(dtype) return dtype == "float32" and "f" or "" end

-- Opens loops over all axes but one.
local function open_others(step, shape, axis)
  local others = table.move(shape, 1, #shape, 1, {})
  others[axis] = 1
  return step:loops("i", others)
end

local function along(indices, axis, index)
  local result = table.move(indices, 1, #indices, 1, {})
  result[axis] = index
  return result
end

-- A loop over the axis.
local function each(step, size, f)
  step:open("for (int j = 0; j < %d; j++) {", size)
  f()
  step:close()
end

local function largest(step, x, indices, axis)
  local maximum = expressions.helper(step.program, "maximum", x.dtype)
  step:line("%s largest = %s;", text.type(x.dtype), step:at(x, along(indices, axis, 0)))
  each(step, x.shape[axis], function()
    step:line("largest = %s(%s, largest);", maximum, step:at(x, along(indices, axis, "j")))
  end)
end

local function open_block(step, blocks)
  if blocks == 0 then step:open "{" end
  return math.max(blocks, 1)
end

-- Opens the loops around the last axis, where `largest` and `sum` are declared.
local function open_softmax(step, op)
  local x, y = step:array(op.inputs[1]), step:result(op.first_output)
  local axis = #x.shape
  local indices, blocks = open_others(step, x.shape, axis)
  blocks = open_block(step, blocks)
  largest(step, x, indices, axis)
  step:line("%s sum = 0;", text.type(x.dtype))
  return x, y, axis, indices, blocks
end

function rows.softmax_rows(step, op)
  local x, y, axis, indices, blocks = open_softmax(step, op)
  local place = step:place(y, along(indices, axis, "j"))
  each(step, x.shape[axis], function()
    step:line("%s = exp%s(%s - largest);", place, suffix(x.dtype),
      step:at(x, along(indices, axis, "j")))
    step:line("sum += %s;", place)
  end)
  each(step, x.shape[axis], function() step:line("%s /= sum;", place) end)
  step:close(blocks)
end

function rows.log_softmax_rows(step, op)
  local x, y, axis, indices, blocks = open_softmax(step, op)
  local element = step:at(x, along(indices, axis, "j"))
  each(step, x.shape[axis], function()
    step:line("sum += exp%s(%s - largest);", suffix(x.dtype), element)
  end)
  step:line("sum = largest + log%s(sum);", suffix(x.dtype))
  each(step, x.shape[axis], function()
    step:line("%s = %s - sum;", step:place(y, along(indices, axis, "j")), element)
  end)
  step:close(blocks)
end

local function flat_axis(op, x)
  if op.attributes.axis == nil then return nil end
  local axis = op.attributes.axis + 1
  return axis < 1 and axis + #x.shape or axis
end

local function extreme(sign)
  return function(step, op)
    local x, y = step:array(op.inputs[1]), step:result(op.first_output)
    local axis = flat_axis(op, x)
    if not axis and #x.shape > 1 then step.program:refuse(op, "of all elements") end
    axis = axis or 1
    local indices, blocks = open_others(step, x.shape, axis)
    local to = along(indices, axis, 0)
    if not op.attributes.keepdims then table.remove(to, axis) end
    local place = step:place(y, to)
    step:line("%s = 0;", place)
    each(step, x.shape[axis], function()
      step:line("if (%s %s %s)", step:at(x, along(indices, axis, "j")), sign,
        step:at(x, along(indices, axis, place)))
      step:line("  %s = (%s)j;", place, text.type(y.dtype))
    end)
    step:close(blocks)
  end
end

rows.argmax, rows.argmin = extreme ">", extreme "<"

local function scan(start, combine)
  return function(step, op)
    local x, y = step:array(op.inputs[1]), step:result(op.first_output)
    local axis, attributes = flat_axis(op, x), op.attributes
    local indices, blocks = open_others(step, x.shape, axis)
    blocks = open_block(step, blocks)
    step:line("%s sum = %d;", text.type(y.dtype), start)
    each(step, x.shape[axis], function()
      local at = attributes.reverse and ("%d - j"):format(x.shape[axis] - 1) or "j"
      local place = step:place(y, along(indices, axis, at))
      local element = step:at(x, along(indices, axis, at))
      if attributes.exclusive then step:line("%s = sum;", place) end
      step:line("sum = (%s)(sum %s %s);", text.type(y.dtype), combine, element)
      if not attributes.exclusive then step:line("%s = sum;", place) end
    end)
    step:close(blocks)
  end
end

rows.cumsum_axis, rows.cumprod_axis = scan(0, "+"), scan(1, "*")

function rows.linear_recurrence(step, op)
  local decay, x = step:array(op.inputs[1]), step:array(op.inputs[2])
  local y, axis = step:result(op.first_output), flat_axis(op, x)
  local indices, blocks = open_others(step, x.shape, axis)
  blocks = open_block(step, blocks)
  step:line("%s sum = 0;", text.type(y.dtype))
  each(step, x.shape[axis], function()
    local at = op.attributes.reverse and ("%d - j"):format(x.shape[axis] - 1) or "j"
    local position = along(indices, axis, at)
    step:line("sum = sum * %s + %s;", step:at(decay, position), step:at(x, position))
    step:line("%s = sum;", step:place(y, position))
  end)
  step:close(blocks)
end

return rows
