--- Layers that compute with the parts of weights that are divided among processes
--
-- A class names in `divides` the weights that its `call` can compute with parts of, or has there a
-- function `(layer, splits)` that says whether it can.
-- @module cusp.layers.machinery.parallel
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local registry = require "cusp.base.registry"
local sharding = require "cusp.base.sharding"

local parallel = {}

---------------------------------------------------------------- which weights

-- The class whose `divides` and `call` go together; a `call` of a program's class is not known.
local function knows(layer, name, known)
  local class = getmetatable(layer)
  while class and rawget(class, "divides") == nil do class = class.__super end
  if not class or layer.call ~= class.call then return false end
  local divides = class.divides[name]
  if type(divides) == "function" then return divides(layer, known.splits) end
  return divides
end

local additive = {L1 = true, L2 = true, L1L2 = true}
local elementwise_constraints = {NonNeg = true, NonNegative = true}

local function refuse(layer, path, known, reason)
  errors.raise("%s (%s): the variable %s of shape %s cannot be divided as its layout %s says: %s",
    layer.name, getmetatable(layer).__name, path, errors.shape(known.shape),
    tostring(known.layout), reason)
end

--- Raises where a weight is to be divided that the layer cannot compute with parts of.
-- @tparam Layer layer
-- @tparam table args those of `add_weight`, with `regularizer` and `constraint` as objects
-- @tparam string path of the variable
-- @tparam table known how it is to be divided
function parallel.check(layer, args, path, known)
  if not knows(layer, args.name, known) then
    refuse(layer, path, known, "the layer does not compute with parts of it; a layout that divides"
      .. " nothing leaves it whole in each process")
  end
  if args.regularizer and not additive[args.regularizer.__name] then
    refuse(layer, path, known, "its regularizer needs the whole; L1, L2 and L1L2 do not")
  end
  if args.constraint and not elementwise_constraints[args.constraint.__name] then
    refuse(layer, path, known, "its constraint needs the whole; NonNeg does not")
  end
  if layer.lora_rank then refuse(layer, path, known, "the layer is adapted by lora_rank") end
end

---------------------------------------------------------------- activations

local together = {softmax = true, log_softmax = true, sparsemax = true, glu = true}

-- Whether an activation is one of the library's that look at one element at a time.
local function is_elementwise(activation)
  local name = registry.library_name(activation)
  return name ~= nil and not together[name]
end

---------------------------------------------------------------- products

-- The axis of a letter, counted from the end where an ellipsis stands before it.
local function axis_of(letters, letter, ndim)
  local at = letters:find(letter, 1, true)
  if not at then return nil end
  local plain = letters:gsub("%.", "")
  if letters:find "^%.%.%." then return ndim - #plain + at - 3 end
  return at
end

-- Takes the parts of the input that go with the kernel's, and notes what becomes of the output.
local function prepare(kernel, letters, inputs)
  local sums, gathers = {}, {}
  for _, split in ipairs(sharding.splits_of(kernel)) do
    local letter, group = letters.kernel:sub(split.axis, split.axis), split.group
    local axis = axis_of(letters.input, letter, inputs.ndim)
    inputs = axis and sharding.part(inputs, axis, group) or sharding.copy(inputs, group)
    if letters.output:find(letter, 1, true) then
      gathers[#gathers + 1] = {letter = letter, group = group}
    else
      sums[#sums + 1] = group
    end
  end
  return inputs, sums, gathers
end

local function find_split(weight, axis, group)
  for i, split in ipairs(sharding.splits_of(weight)) do
    if split.axis == axis and split.group == group then return i end
  end
end

-- The bias for an output that is divided as `gathers` says.
local function fitting_bias(bias, letters, gathers)
  local value, wanted = bias, {}
  for _, gather in ipairs(gathers) do
    local axis = letters:find(gather.letter, 1, true)
    wanted[gather] = axis and find_split(bias, axis, gather.group)
    if wanted[gather] then wanted[wanted[gather]] = true end
  end
  for i, split in ipairs(sharding.splits_of(bias)) do
    if not wanted[i] then value = sharding.gather(value, split.axis, split.group) end
  end
  for _, gather in ipairs(gathers) do
    local axis = letters:find(gather.letter, 1, true)
    if not wanted[gather] then
      local is_spread = axis and value.shape[axis] > 1
      value = is_spread and sharding.part(value, axis, gather.group)
        or sharding.copy(value, gather.group)
    end
  end
  return value
end

local function gather_all(outputs, letters, gathers)
  for _, gather in ipairs(gathers) do
    outputs = sharding.gather(outputs, axis_of(letters, gather.letter, outputs.ndim), gather.group)
  end
  return outputs
end

local function split_equation(equation)
  local input, kernel, output = equation:gsub("%s", ""):match "^(.-),(.-)%->(.*)$"
  return {input = input, kernel = kernel, output = output}
end

--- What a layer computes of an input and a kernel, of which this process may have a part; with bias
-- and activation.
-- @tparam table step `letters` of the axes of `input`, `kernel`, `output` and `bias`, where "..."
-- stands for axes that nothing divides; `compute(inputs, kernel)`; `inputs`, `kernel`, and
-- optionally `bias`, `add(outputs, bias)`, `activation`
-- @treturn tensor
function parallel.apply(step)
  local letters, bias, activation = step.letters, step.bias, step.activation
  local given, sums, gathers = prepare(step.kernel, letters, step.inputs)
  local outputs = step.compute(given, step.kernel)
  for _, group in ipairs(sums) do outputs = sharding.sum(outputs, group) end
  if bias then
    outputs = (step.add or ops.add)(outputs, fitting_bias(bias, letters.bias, gathers))
  end
  if activation and #gathers > 0 and not is_elementwise(activation) then
    outputs, gathers = gather_all(outputs, letters.output, gathers), {}
  end
  if activation then outputs = activation(outputs) end
  return gather_all(outputs, letters.output, gathers)
end

--- The same for a product as `ops.einsum` writes it.
-- @tparam string equation
-- @tparam tensor inputs
-- @tparam Variable kernel
-- @tparam[opt] Variable bias
-- @tparam[opt] string bias_letters of its axes, as in the output
-- @tparam[opt] function activation
-- @treturn tensor
function parallel.product(equation, inputs, kernel, bias, bias_letters, activation)
  local letters = split_equation(equation)
  letters.bias = bias_letters
  return parallel.apply{
    letters = letters, inputs = inputs, kernel = kernel, bias = bias, activation = activation,
    compute = function(x, part) return ops.einsum(equation, x, part) end,
  }
end

---------------------------------------------------------------- tables

-- The places of indices in this process's rows of a table, and which ones are there. An index that
-- no process has stays one that fails.
local function own_places(indices, rows, group)
  local count = rows * group.size
  local from_front = ops.where(ops.less(indices, 0), indices + count, indices)
  local is_valid = ops.logical_and(ops.greater_equal(from_front, 0), ops.less(from_front, count))
  local place = from_front - rows * group.rank
  local is_own = ops.logical_and(ops.greater_equal(place, 0), ops.less(place, rows))
  return ops.where(is_own, place, ops.where(is_valid, 0, indices)), is_own
end

--- The rows of a table, of which this process may have some rows or columns.
-- @tparam Variable table
-- @tparam tensor indices
-- @treturn tensor
function parallel.rows(table, indices)
  local outputs, by_rows, by_columns
  for _, split in ipairs(sharding.splits_of(table)) do
    if split.axis == 1 then by_rows = split.group else by_columns = split.group end
  end
  if by_rows then
    local places, is_own = own_places(indices, table.shape[1], by_rows)
    local found = ops.take(table, places, 1)
    local own = ops.where(ops.expand_dims(is_own, -1), found, ops.zeros_like(found))
    outputs = sharding.sum(own, by_rows)
  else
    outputs = ops.take(table, indices, 1)
  end
  return by_columns and sharding.gather(outputs, outputs.ndim, by_columns) or outputs
end

---------------------------------------------------------------- heads

-- The group along which each process computes some outputs of all layers, from all of their input.
local function only_group(layers, axis)
  local group
  for _, layer in ipairs(layers) do
    local splits = sharding.splits_of(layer.kernel)
    if #splits ~= 1 or splits[1].axis ~= axis then return nil end
    if group and splits[1].group ~= group then return nil end
    group = splits[1].group
  end
  return group
end

--- A tensor that several layers take as their input, so that its gradients of all of them travel
-- together.
-- @tparam tensor tensor
-- @tparam {Layer,...} layers with kernels
-- @tparam integer axis of the kernels that may be divided
-- @treturn tensor
function parallel.shared(tensor, layers, axis)
  local group = only_group(layers, axis)
  return group and sharding.copy(tensor, group) or tensor
end

--- Whether tensors were divided along one axis, and have just been put together.
-- @tparam integer axis
-- @tparam {tensor,...} tensors
-- @treturn ?table the group
-- @treturn ?{tensor,...} the parts
function parallel.common(axis, tensors)
  local parts, group = {}, nil
  for i, tensor in ipairs(tensors) do
    local known = sharding.gathered(tensor)
    if not known or known.axis ~= axis or group and known.group ~= group then return nil end
    parts[i], group = known.part, known.group
  end
  return group, parts
end

return parallel
