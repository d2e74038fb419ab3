--- Products of matrices.
-- @module cusp.export_c.products
local arrays = require "cusp.export_c.arrays"
local text = require "cusp.export_c.text"

local products = {roots = {}}

-- A vector is a row on the left and a column on the right.
local function as_matrix(array, left)
  if #array.shape > 1 then return array end
  local size, stride = array.shape[1], array.strides[1]
  return arrays.view(array, left and {1, size} or {size, 1}, left and {0, stride} or {stride, 0})
end

local function batched(array, batch)
  local shape = table.move(batch, 1, #batch, 1, {})
  table.move(array.shape, #array.shape - 1, #array.shape, #shape + 1, shape)
  return arrays.broadcast(array, shape)
end

local function with(indices, ...)
  local result = table.move(indices, 1, #indices, 1, {})
  for _, index in ipairs{...} do result[#result + 1] = index end
  return result
end

local function quantized(array) return array.source and array.source.scale end

-- The indices of the result, which lacks the axes that a vector does not have.
local function result_indices(m, batch, row, column)
  local indices = with(batch)
  if m.has_row then indices[#indices + 1] = row end
  if m.has_column then indices[#indices + 1] = column end
  return indices
end

-- Along the rows of the right matrix: each of its elements is read in the order of memory.
local function by_rows(step, m, batch, row, finish)
  local function column() return step.writer:loop("j", m.columns) end
  local j, blocks = column()
  local function place(at) return step:place(m.result, result_indices(m, batch, row, at)) end
  step:line("%s = 0;", place(j))
  step:close(blocks)
  local k, rows = step.writer:loop("k", m.inner)
  if rows == 0 then step:open "{" end
  step:line("const %s x = %s;", m.type, step:at(m.a, with(batch, row, k)))
  j, blocks = column()
  local stored = step:stored(m.b, with(batch, k, j))
  step:line("%s += x * %s;", place(j), stored)
  step:close(blocks + math.max(rows, 1))
  if not quantized(m.b) and m.plain then return end
  j, blocks = column()
  local root = place(j)
  if quantized(m.b) then root = ("%s * %s_scale[%s]"):format(root, m.b.source.name, j) end
  finish(result_indices(m, batch, row, j), root)
  step:close(blocks)
end

-- A sum for each element, where the columns of the right matrix lie in the order of memory.
local function by_columns(step, m, batch, row, finish)
  local j, blocks = step.writer:loop("j", m.columns)
  if blocks == 0 then step:open "{" end
  step:line("%s sum = 0;", m.type)
  local k, inner = step.writer:loop("k", m.inner)
  step:line("sum += %s * %s;", step:at(m.a, with(batch, row, k)), step:at(m.b, with(batch, k, j)))
  step:close(inner)
  finish(result_indices(m, batch, row, j), "sum")
  step:close(math.max(blocks, 1))
end

local function describe(step, op, group, result)
  local a, b = step:array(op.inputs[1]), step:array(op.inputs[2])
  local shape = step.program.graph.values[op.first_output].shape
  local m = {has_row = #a.shape > 1, has_column = #b.shape > 1, result = result}
  local batch = {}
  table.move(shape, 1, #shape - (m.has_row and 1 or 0) - (m.has_column and 1 or 0), 1, batch)
  m.a, m.b = batched(as_matrix(a, true), batch), batched(as_matrix(b, false), batch)
  m.batch, m.type = batch, text.type(result.dtype)
  m.rows, m.inner = m.a.shape[#batch + 1], m.a.shape[#batch + 2]
  m.columns, m.plain = m.b.shape[#batch + 2], #group.members == 0
  return m
end

function products.roots.matmul(step, op, group, result, finish)
  if result.dtype == "bool" then step.program:refuse(op, "of booleans") end
  local m = describe(step, op, group, result)
  local batch, blocks = step:loops("b", m.batch)
  local row, rows = step.writer:loop("i", m.rows)
  local last = #m.b.shape
  local columns_lie_together = m.b.strides[last] ~= 1 and m.b.strides[last - 1] == 1
    and not quantized(m.b)
  local walk = (columns_lie_together or m.columns == 1 and not quantized(m.b)) and by_columns
    or by_rows
  walk(step, m, batch, row, finish)
  step:close(rows + blocks)
end

return products
