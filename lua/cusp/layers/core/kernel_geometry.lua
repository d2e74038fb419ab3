--- How the scales of a quantized kernel lie: as the kernel does, as a file has them, and as the
-- outputs do.
-- @module cusp.layers.core.kernel_geometry
local ops = require "cusp.ops"

local kernel_geometry = {}

local function count(shape, axes)
  local product = 1
  for _, axis in ipairs(axes) do product = product * shape[axis] end
  return product
end

local function same(x) return x end

--- Of a kernel `[features, units]` behind inputs' last axis.
-- @tparam integer features
-- @tparam integer units
-- @treturn table `shape` of the kernel; `rows` that are summed and `columns`; `reduced` axes of the
-- kernel, `input_axes` of inputs; `scale_shape` in files; `is_flat`: kernel and inputs are matrices
-- but for a reshape; functions `multiply`, `go_back` (from the outputs' gradient to the inputs'),
-- `to_file`, `to_kernel` and `to_output` for scales
function kernel_geometry.dense(features, units)
  return {
    shape = {features, units}, rows = features, columns = units, reduced = {1}, input_axes = {-1},
    scale_shape = {units}, is_flat = true, is_dense = true,
    multiply = function(x, kernel) return ops.matmul(x, kernel) end,
    go_back = function(upstream, kernel) return ops.matmul(upstream, ops.transpose(kernel)) end,
    to_file = function(scale) return ops.squeeze(scale, 1) end,
    to_kernel = same, to_output = same,
  }
end

---------------------------------------------------------------- einsum

local function find(letters, letter) return letters:find(letter, 1, true) end

-- The axes of letters that are not, and that are, in the output.
local function divide(letters, output)
  local reduced, kept = {}, {}
  for i = 1, #letters do
    local list = find(output, letters:sub(i, i)) and kept or reduced
    list[#list + 1] = i
  end
  return reduced, kept
end

-- A scale of a factor, with ones along the axes that are summed, with the axes of the output.
local function aligner(letters, output, reduced)
  return function(scale)
    if #reduced > 0 then scale = ops.squeeze(scale, reduced) end
    local rest, order, shape = letters, {}, {}
    for i = #reduced, 1, -1 do rest = rest:sub(1, reduced[i] - 1) .. rest:sub(reduced[i] + 1) end
    for i = 1, #output do
      local at = find(rest, output:sub(i, i))
      if at then order[#order + 1] = at end
      shape[i] = at and scale.shape[at] or 1
    end
    if #order > 1 then scale = ops.transpose(scale, order) end
    return ops.reshape(scale, shape)
  end
end

-- The other way: from the output's axes to the kernel's.
local function spreader(letters, output)
  return function(scale)
    local order, shape, axes = {}, {}, {}
    for i = 1, #letters do
      local at = find(output, letters:sub(i, i))
      shape[i] = at and scale.shape[at] or 1
      if at then order[#order + 1] = at end
    end
    for i = 1, #output do
      if not find(letters, output:sub(i, i)) then axes[#axes + 1] = i end
    end
    local taken = {}
    for i, at in ipairs(order) do
      taken[i] = at
      for _, axis in ipairs(axes) do
        if axis < at then taken[i] = taken[i] - 1 end
      end
    end
    if #axes > 0 then scale = ops.squeeze(scale, axes) end
    if #taken > 1 then scale = ops.transpose(scale, taken) end
    return ops.reshape(scale, shape)
  end
end

-- Letters for the axes of an ellipsis that no part of the equation has.
local function spare_letters(text, number)
  local spare = ""
  for code = string.byte "A", string.byte "Z" do
    local letter = string.char(code)
    if #spare < number and not find(text, letter) then spare = spare .. letter end
  end
  return spare
end

-- Whether the last axes of inputs are the first ones of the kernel, and its last ones the outputs'.
local function is_flat(input, kernel, output, reduced)
  local free, letters = #input - #reduced, input:sub(#input - #reduced + 1)
  return #reduced > 0 and kernel:sub(1, #reduced) == letters
    and output == input:sub(1, free) .. kernel:sub(#reduced + 1)
end

--- Of a kernel in an einsum.
-- @tparam table parts of the equation: `input`, `kernel`, `output`, `side` of the ellipsis and the
-- number of axes `elided`
-- @tparam {integer,...} shape of the kernel
-- @treturn table as `dense` has it
function kernel_geometry.einsum(parts, shape)
  local input, kernel, output = parts.input, parts.kernel, parts.output
  local spare = spare_letters(input .. kernel .. output, parts.elided)
  if parts.side == "left" then input, output = spare .. input, spare .. output
  elseif parts.side == "right" then input, output = input .. spare, output .. spare end
  local reduced, kept = divide(kernel, output)
  local input_axes = divide(input, output)
  local scale_shape = {}
  for i = 1, #output do
    local at = find(kernel, output:sub(i, i))
    scale_shape[i] = at and shape[at] or 1
  end
  local forward, back = ("%s,%s->%s"):format(input, kernel, output),
    ("%s,%s->%s"):format(output, kernel, input)
  return {
    shape = shape, rows = count(shape, reduced), columns = count(shape, kept), reduced = reduced,
    input_axes = input_axes, scale_shape = scale_shape,
    is_flat = is_flat(input, kernel, output, input_axes),
    multiply = function(x, w) return ops.einsum(forward, x, w) end,
    go_back = function(upstream, w) return ops.einsum(back, upstream, w) end,
    to_file = aligner(kernel, output, reduced), to_kernel = spreader(kernel, output),
    to_output = aligner(input, output, input_axes),
  }
end

return kernel_geometry
