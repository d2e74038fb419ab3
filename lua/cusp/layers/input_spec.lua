--- What a layer says of its inputs, and the check of it.
-- A specification has any of `ndim`, `min_ndim`, `max_ndim`, `axes` (`{[axis] = size}`, axes from 1, or negative), `shape` (with
-- `cusp.None`) and `dtype`. Several inputs have a list of specifications.
-- @module cusp.layers.input_spec

local errors = require "cusp.errors"
local shapes = require "cusp.shape"
local structure = require "cusp.models.structure"

local input_spec = {}

local function refuse(layer, position, expected, shape)
  local which = position and ("input %d"):format(position) or "the input"
  errors.raise("%s (%s): expected %s of %s; got shape %s", layer.name, getmetatable(layer).__name, expected, which, errors.shape(shape))
end

local function check_rank(layer, spec, shape, position)
  local ndim = #shape
  if spec.ndim and ndim ~= spec.ndim then refuse(layer, position, ("%d axes"):format(spec.ndim), shape) end
  if spec.min_ndim and ndim < spec.min_ndim then refuse(layer, position, ("at least %d axes"):format(spec.min_ndim), shape) end
  if spec.max_ndim and ndim > spec.max_ndim then refuse(layer, position, ("at most %d axes"):format(spec.max_ndim), shape) end
end

local function check_axes(layer, spec, shape, position)
  for axis, size in pairs(spec.axes) do
    local got = shape[axis < 0 and #shape + 1 + axis or axis]
    if got ~= size and got ~= shapes.None and size ~= shapes.None then
      refuse(layer, position, ("size %s in axis %d"):format(size, axis), shape)
    end
  end
end

local function check_shape(layer, spec, shape, position)
  local fits = #shape == #spec.shape
  for i = 1, fits and #shape or 0 do
    local want, got = spec.shape[i], shape[i]
    fits = fits and (want == got or want == shapes.None or got == shapes.None)
  end
  if not fits then refuse(layer, position, "shape " .. errors.shape(spec.shape), shape) end
end

local function check_one(layer, spec, tensor, position)
  local shape = tensor.shape
  check_rank(layer, spec, shape, position)
  if spec.axes then check_axes(layer, spec, shape, position) end
  if spec.shape then check_shape(layer, spec, shape, position) end
  if spec.dtype and tensor.dtype ~= spec.dtype then
    errors.raise("%s (%s): expected an input of dtype %s, got %s", layer.name, getmetatable(layer).__name, spec.dtype, tensor.dtype)
  end
end

--- Checks a layer's inputs against its `input_spec`.
-- @raise "dense (Dense): expected size 72 in axis -1 of the input; got shape [8, 70]"
function input_spec.check(layer, inputs)
  local spec = layer.input_spec
  if spec == nil then return end
  local flat = structure.flatten(inputs)
  if #spec == 0 then
    for i, tensor in ipairs(flat) do check_one(layer, spec, tensor, #flat > 1 and i or nil) end
    return
  end
  if #flat ~= #spec then
    errors.raise("%s (%s): expected %d inputs, got %d", layer.name, getmetatable(layer).__name, #spec, #flat)
  end
  for i, tensor in ipairs(flat) do check_one(layer, spec[i], tensor, #flat > 1 and i or nil) end
end

return input_spec
