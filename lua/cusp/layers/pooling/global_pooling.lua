--- Pooling over all spatial axes, by the largest or the mean value (`GlobalMaxPooling1D` ...
-- `GlobalAveragePooling3D`).
-- Input `[batch, spatial..., channels]`, output `[batch, channels]`, or with axes of size 1 where
-- `keepdims` is set.
-- @classmod cusp.layers.GlobalAveragePooling2D
-- @tparam[opt] string data_format
-- @tparam[opt=false] boolean keepdims
local family = require "cusp.layers.pooling.family"
local Layer = require "cusp.layers.machinery.layer"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"

local function spatial_axes(self, rank)
  local axes, first = {}, options.channels_first(self) and 3 or 2
  for axis = 1, rank do axes[axis] = first + axis - 1 end
  return axes
end

--- The mean over the steps that a mask `[batch, steps]` leaves.
local function masked_mean(self, inputs, mask)
  local axis = options.channels_first(self) and 3 or 2
  local counted = ops.cast(ops.expand_dims(mask, options.channels_first(self) and 2 or 3), "bool")
  local sum = ops.sum(ops.where(counted, inputs, 0), axis, self.keepdims)
  return ops.divide(sum, ops.sum(ops.cast(counted, inputs.dtype), axis, self.keepdims))
end

local function make(kind, rank)
  local takes_mask = kind == "Average" and rank == 1
  local Pooling = Layer:extend(("Global%sPooling%dD"):format(kind, rank), {
    supports_masking = takes_mask,
    call_arguments = takes_mask and {"mask"} or nil,
    input_spec = {ndim = rank + 2},
    config = {options.data_format(), options.flag("keepdims", false)},
  })

  function Pooling:call(inputs, args)
    if takes_mask and args.mask then return masked_mean(self, inputs, args.mask) end
    local reduce = kind == "Max" and ops.max or ops.mean
    return reduce(inputs, spatial_axes(self, rank), self.keepdims)
  end

  if takes_mask then
    --- The steps are gone, and their mask with them.
    function Pooling:compute_mask() return nil end
  end

  return Pooling
end

return family(make)
