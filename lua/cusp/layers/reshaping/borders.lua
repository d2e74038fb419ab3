--- Layers that take away or add at the borders of spatial axes: `Cropping1D` ... `3D`,
-- `ZeroPadding1D` ... `3D`. Input `[batch, spatial..., channels]` (or channels first, but for 1D);
-- output the same with other spatial sizes. Amounts are one number for all sides, a number for each
-- axis, or `{first, last}` for each axis.
-- @module cusp.layers.reshaping.borders
local Layer = require "cusp.layers.machinery.layer"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"

local function natural(value)
  local integer = type(value) == "number" and math.tointeger(value)
  return integer and integer >= 0 and integer or nil
end

local function pair(value)
  if natural(value) then return {natural(value), natural(value)} end
  if not kinds.is_plain(value) or #value ~= 2 then return nil end
  local first, last = natural(value[1]), natural(value[2])
  return first and last and {first, last}
end

--- Amounts as `{first, last}` for each axis.
local function normalise(value, rank)
  local result = {}
  if rank == 1 then
    result[1] = pair(value) or kinds.is_plain(value) and #value == 1 and pair(value[1]) or nil
  elseif natural(value) then
    for axis = 1, rank do result[axis] = pair(value) end
  elseif kinds.is_plain(value) and #value == rank then
    for axis = 1, rank do result[axis] = pair(value[axis]) end
  end
  return #result == rank and result or nil
end

for rank = 1, 3 do
  kinds.define("borders" .. rank, {
    is_list = "pairs",
    resolves_default = true,
    check = function(value)
      local result = normalise(value, rank)
      return result ~= nil, result
    end,
    expects = rank == 1 and "an integer or a pair of integers, none negative"
      or ("an integer, a list of %d integers, or a list of %d pairs of integers, none negative")
        :format(rank, rank),
    to_config = function(value) return rank == 1 and value[1] or value end,
  })
end

local function first_axis(self) return options.channels_first(self) and 3 or 2 end

--- The shape with the spatial sizes that `size(size_in, {first, last})` gives.
local function change(self, amounts, input_shape, size)
  local shape = shapes.copy(input_shape)
  for i, amount in ipairs(amounts) do
    local axis = first_axis(self) + i - 1
    if shape[axis] ~= shapes.None then shape[axis] = size(shape[axis], amount, axis) end
  end
  return shape
end

local function make_cropping(rank)
  local default = rank == 1 and {1, 1} or rank == 2 and 0 or 1
  return Layer:extend(("Cropping%dD"):format(rank), {
    keeps_dtype = true,
    input_spec = {ndim = rank + 2},
    config = {{"cropping", "borders" .. rank, default = default},
      rank > 1 and options.data_format() or nil},

    call = function(self, inputs)
      local ranges, shape = {}, inputs.shape
      self:compute_output_shape(shape)
      for axis = 1, #shape do ranges[axis] = {1, shape[axis]} end
      for i, amount in ipairs(self.cropping) do
        local axis = first_axis(self) + i - 1
        ranges[axis] = {amount[1] + 1, shape[axis] - amount[2]}
      end
      return inputs:slice(ranges)
    end,

    compute_output_shape = function(self, input_shape)
      return change(self, self.cropping, input_shape, function(size, amount, axis)
        local rest = size - amount[1] - amount[2]
        if rest <= 0 then
          errors.raise("cropping %d and %d leaves nothing of axis %d of an input of shape %s",
            amount[1], amount[2], axis,
            errors.shape(input_shape))
        end
        return rest
      end)
    end,
  })
end

local function make_padding(rank)
  return Layer:extend(("ZeroPadding%dD"):format(rank), {
    keeps_dtype = true,
    input_spec = {ndim = rank + 2},
    config = {{"padding", "borders" .. rank, default = 1}, options.data_format()},

    call = function(self, inputs)
      local widths = {}
      for axis = 1, inputs.ndim do widths[axis] = {0, 0} end
      for i, amount in ipairs(self.padding) do widths[first_axis(self) + i - 1] = amount end
      return ops.pad(inputs, widths)
    end,

    compute_output_shape = function(self, input_shape)
      return change(self, self.padding, input_shape, function(size, amount)
        return size + amount[1] + amount[2]
      end)
    end,
  })
end

local classes = {}
for rank = 1, 3 do
  local cropping, padding = make_cropping(rank), make_padding(rank)
  classes[cropping.__name], classes[padding.__name] = cropping, padding
end
return classes
