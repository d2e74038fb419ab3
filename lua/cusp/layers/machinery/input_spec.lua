--- What a layer says of its inputs, and the check of it.
-- A specification has any of `ndim`, `min_ndim`, `max_ndim`, `axes` (`{[axis] = size}`, axes from
-- 1, or negative), `shape` (with `cusp.None`) and `dtype`. Several inputs have a list of
-- specifications.
-- @module cusp.layers.machinery.input_spec

local errors = require "cusp.base.errors"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"

local input_spec = {}

local function refuse(layer, position, expected, shape, hint)
  local which = position and ("input %d"):format(position) or "the input"
  errors.raise("%s (%s): expected %s of %s; got shape %s%s", layer.name,
    getmetatable(layer).__name, expected, which, errors.shape(shape), hint or "")
end

-- What to write where one axis is missing: the batch, the channels or the time.
local function advice(expected, shape, position)
  if #shape ~= expected - 1 or #shape == 0 or position then return "" end
  if shape[1] ~= shapes.None then
    return "; where there is no batch axis yet, x:expand_dims(1) gives one"
      .. (expected > 2 and ", and x:expand_dims(-1) a channel axis" or "")
  end
  if expected ~= 3 then return "; x:expand_dims(-1) gives a channel axis" end
  return "; a recurrent layer gives all steps with return_sequences = true; else x:expand_dims(-1)"
    .. " gives a channel axis"
end

local function check_rank(layer, spec, shape, position)
  local ndim = #shape
  if spec.ndim and not spec.allow_last_axis_squeeze and ndim ~= spec.ndim then
    refuse(layer, position, ("%d axes"):format(spec.ndim), shape,
      advice(spec.ndim, shape, position))
  end
  if spec.min_ndim and ndim < spec.min_ndim then
    refuse(layer, position, ("at least %d axes"):format(spec.min_ndim), shape,
      advice(spec.min_ndim, shape, position))
  end
  if spec.max_ndim and ndim > spec.max_ndim then
    refuse(layer, position, ("at most %d axes"):format(spec.max_ndim), shape)
  end
end

local function check_axes(layer, spec, shape, position)
  for axis, size in pairs(spec.axes) do
    local got = shape[axis < 0 and #shape + 1 + axis or axis]
    if got ~= size and got ~= shapes.None and size ~= shapes.None then
      refuse(layer, position, ("size %s in axis %d"):format(size, axis), shape)
    end
  end
end

-- A shape without a last axis of 1.
local function squeezed(shape)
  return shape[#shape] == 1 and table.move(shape, 1, #shape - 1, 1, {}) or shape
end

local function check_shape(layer, spec, shape, position)
  local expected = spec.shape
  if spec.allow_last_axis_squeeze then shape, expected = squeezed(shape), squeezed(expected) end
  local fits = #shape == #expected
  for i = 1, fits and #shape or 0 do
    local want, got = expected[i], shape[i]
    fits = fits and (want == got or want == shapes.None or got == shapes.None)
  end
  if not fits then refuse(layer, position, "shape " .. errors.shape(spec.shape), shape) end
end

local function check_one(layer, spec, tensor, position)
  local shape = tensor.shape
  check_rank(layer, spec, shape, position)
  if spec.axes then check_axes(layer, spec, shape, position) end
  if spec.shape then check_shape(layer, spec, shape, position) end
  if spec.dtype and tensor.dtype and tensor.dtype ~= spec.dtype then
    errors.raise("%s (%s): expected an input of dtype %s, got %s", layer.name,
      getmetatable(layer).__name, spec.dtype, tensor.dtype)
  end
end

local function check_all(layer, spec, flat)
  if #spec == 0 then
    if #flat == 0 then
      errors.raise("%s (%s): expected an input, got an empty table", layer.name,
        getmetatable(layer).__name)
    end
    for i, tensor in ipairs(flat) do check_one(layer, spec, tensor, #flat > 1 and i or nil) end
    return
  end
  if #flat ~= #spec then
    errors.raise("%s (%s): expected %d inputs, got %d", layer.name, getmetatable(layer).__name,
      #spec, #flat)
  end
  for i, tensor in ipairs(flat) do check_one(layer, spec[i], tensor, #flat > 1 and i or nil) end
end

-- The inputs of a table by name in the order of the specifications, where all of these have names.
local function by_name(layer, spec, inputs)
  if not structure.is_container(inputs) or structure.is_list(inputs) then return inputs end
  local list = {}
  for i, one in ipairs(spec) do
    if not one.name then return inputs end
    list[i] = inputs[one.name] or false
    if not list[i] and not one.optional then
      errors.raise("%s (%s): expected an input named '%s'", layer.name, getmetatable(layer).__name,
        one.name)
    end
  end
  return list
end

-- The specifications of inputs that are there: those of optional ones may be left out.
local function without_absent(spec, inputs)
  if #spec == 0 or not structure.is_container(inputs) then return spec end
  local kept = {}
  for i, one in ipairs(spec) do
    if inputs[i] or not one.optional then kept[#kept + 1] = one end
  end
  return kept
end

--- Checks a layer's inputs against its `input_spec`.
-- @raise "dense (Dense): expected size 72 in axis -1 of the input; got shape [8, 70]"
function input_spec.check(layer, inputs)
  local spec = layer.input_spec
  if spec == nil then return end
  if #spec > 0 then
    inputs = by_name(layer, spec, inputs)
    return check_all(layer, without_absent(spec, inputs), structure.flatten(inputs))
  end
  local flat = structure.flatten(inputs)
  if #flat > 0 and structure.is_container(inputs) then
    errors.raise("%s (%s): expected one tensor, got a table of %d; call it as layer(x), with"
      .. " parentheses", layer.name, getmetatable(layer).__name, #flat)
  end
  check_all(layer, spec, flat)
end

-- Whether a value is a shape, or a table of them; `false` stands for an input that is left out.
local function holds_shapes(value, depth)
  if structure.is_shape(value) then return true end
  if not structure.is_container(value) or next(value) == nil or depth == 0 then return false end
  for _, item in pairs(value) do
    if item ~= false and not holds_shapes(item, depth - 1) then return false end
  end
  return true
end

--- Checks what a method that takes the shape of a layer's inputs was given.
-- @tparam[opt] boolean further of a tensor after the inputs, of which the layer's input_spec says
-- nothing
-- @raise "Dense.build: expected the shape of the inputs, such as {cusp.None, 3}, or a table of
-- shapes, got nil"
function input_spec.check_shape_argument(layer, method, shape, further)
  local class = getmetatable(layer)
  if not holds_shapes(shape, 8) then
    errors.raise(
      "%s.%s: expected the shape of the inputs, such as {cusp.None, 3}, or a table of shapes, got "
      .. "%s", class.__name, method,
      errors.describe(shape))
  end
  local spec = layer.input_spec
  if spec == nil or further then return end
  local flat = structure.flatten(shape, structure.is_shape)
  for i, one in ipairs(flat) do flat[i] = {shape = one} end
  check_all(layer, spec, flat)
end

return input_spec
