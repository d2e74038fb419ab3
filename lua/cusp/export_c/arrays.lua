--- How values lie in memory: a source (a buffer, a constant, an argument) with sizes, strides and
-- an offset in elements; or one number for all positions.
-- @module cusp.export_c.arrays
local arrays = {}

--- The number of elements of a shape.
function arrays.count(shape)
  local count = 1
  for _, size in ipairs(shape) do count = count * size end
  return count
end

--- One list of indices from indices and lists of them.
function arrays.indices(...)
  local result = {}
  for _, part in ipairs{...} do
    if type(part) ~= "table" then part = {part} end
    table.move(part, 1, #part, #result + 1, result)
  end
  return result
end

--- Row-major strides.
function arrays.strides(shape)
  local strides, step = {}, 1
  for axis = #shape, 1, -1 do
    strides[axis] = step
    step = step * shape[axis]
  end
  return strides
end

--- All of a source, row by row.
function arrays.dense(source, shape)
  return {source = source, dtype = source.dtype, shape = shape, strides = arrays.strides(shape),
    offset = 0}
end

--- One number at all positions.
-- @tparam string literal in C
function arrays.uniform(literal, dtype, shape)
  return {literal = literal, dtype = dtype, shape = shape, strides = arrays.strides(shape),
    offset = 0}
end

--- The same memory with other sizes and strides.
function arrays.view(array, shape, strides, offset)
  return {source = array.source, literal = array.literal, dtype = array.dtype, shape = shape,
    strides = strides, offset = offset or array.offset}
end

--- The part of an array that a round of a loop reads or writes: one position of the first axis.
-- @tparam table array
-- @tparam function part gives the source of that part, for the stride of the axis
function arrays.slice(array, part)
  local shape = table.move(array.shape, 2, #array.shape, 1, {})
  local result = arrays.view(array, shape, table.move(array.strides, 2, #shape + 1, 1, {}))
  if array.source then result.source = part(array.source, array.strides[1]) end
  return result
end

--- The source that a part in a loop belongs to.
function arrays.whole(source)
  while source.part_of do source = source.part_of end
  return source
end

--- The part of an array that begins at `start[axis]`, else 0, in each axis, and takes each
-- `steps[axis]`-th position.
function arrays.part(array, shape, start, steps)
  local offset, strides = array.offset, {}
  for axis, stride in ipairs(array.strides) do
    offset = offset + (start[axis] or 0) * stride
    strides[axis] = stride * (steps and steps[axis] or 1)
  end
  return arrays.view(array, shape, strides, offset)
end

--- Whether two arrays are the same memory in the same order.
function arrays.same(a, b)
  if not a.source or a.source ~= b.source or a.offset ~= b.offset or #a.shape ~= #b.shape then
    return false
  end
  for axis, size in ipairs(a.shape) do
    if size ~= b.shape[axis] or size ~= 1 and a.strides[axis] ~= b.strides[axis] then
      return false
    end
  end
  return true
end

--- Whether the elements lie one after another, row by row.
function arrays.is_dense(array)
  local strides = arrays.strides(array.shape)
  for axis, size in ipairs(array.shape) do
    if size ~= 1 and array.strides[axis] ~= strides[axis] then return false end
  end
  return true
end

--- As NumPy broadcasts: new axes in front, axes of size 1 repeated.
function arrays.broadcast(array, shape)
  local strides, extra = {}, #shape - #array.shape
  for axis, size in ipairs(shape) do
    local own = array.shape[axis - extra]
    strides[axis] = (own == size and own ~= 1) and array.strides[axis - extra] or 0
  end
  return arrays.view(array, shape, strides)
end

local function term(index, stride)
  if stride == 1 then return index end
  if index:find "[^%w_]" then index = "(" .. index .. ")" end
  return ("%s * %d"):format(index, stride)
end

--- The position of an element in its source.
-- @tparam table array
-- @tparam {string|integer,...} indices
-- @treturn string in C
function arrays.position(array, indices)
  local terms, offset = {}, array.offset
  for axis, index in ipairs(indices) do
    local stride = array.strides[axis]
    if math.type(index) == "integer" then
      offset = offset + index * stride
    elseif array.shape[axis] > 1 and stride ~= 0 then
      terms[#terms + 1] = term(index, stride)
    end
  end
  if offset ~= 0 or #terms == 0 then terms[#terms + 1] = ("%d"):format(offset) end
  return (table.concat(terms, " + "):gsub("%+ %-", "- "))
end

--- Few axes instead of many, where all the arrays allow: those of size 1 go, and neighbours merge.
-- @tparam {table,...} list arrays of one shape
-- @treturn {table,...} the arrays with fewer axes
function arrays.collapse(list)
  local shape, result = {}, {}
  for i, array in ipairs(list) do result[i] = arrays.view(array, shape, {}) end
  for axis, size in ipairs(list[1].shape) do
    local last = #shape
    if size ~= 1 then
      local merges = last > 0
      for i, array in ipairs(list) do
        merges = merges and result[i].strides[last] == array.strides[axis] * size
      end
      if not merges then last = last + 1 end
      shape[last] = (merges and shape[last] or 1) * size
      for i, array in ipairs(list) do result[i].strides[last] = array.strides[axis] end
    end
  end
  return result
end

return arrays
