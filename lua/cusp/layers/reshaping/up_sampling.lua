--- Repeats steps or pixels: `UpSampling1D`, `UpSampling2D`, `UpSampling3D`.
-- Input `[batch, spatial..., channels]`, output the same with spatial axes `size` times as long.
-- @classmod cusp.layers.UpSampling2D
-- @tparam[opt=2] integer|table size
-- @tparam[opt] string data_format
-- @tparam[opt="nearest"] string interpolation of UpSampling2D: "nearest", "bilinear", "bicubic",
-- "lanczos3" or "lanczos5"
local Layer = require "cusp.layers.machinery.layer"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"

local function factors(self)
  return type(self.size) == "table" and self.size or {self.size}
end

local function resize(self, inputs)
  local first = options.channels_first(self) and 3 or 2
  local shape = inputs.shape
  return ops.image.resize(inputs, {shape[first] * self.size[1], shape[first + 1] * self.size[2]}, {
    interpolation = self.interpolation, data_format = self.data_format,
  })
end

local function make(rank)
  local default = {}
  for axis = 1, rank do default[axis] = 2 end
  local rows = {
    rank == 1 and {"size", "integer", min = 1, default = 2}
    or {"size", "integers", rank = rank, min = 1, default = default},
  }
  if rank > 1 then rows[2] = options.data_format() end
  if rank == 2 then
    rows[3] = {"interpolation", "choice",
      choices = {"nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"}, default = "nearest"}
  end
  return Layer:extend(("UpSampling%dD"):format(rank), {
    keeps_dtype = true,
    input_spec = {ndim = rank + 2},
    config = rows,

    call = function(self, inputs)
      if self.interpolation and self.interpolation ~= "nearest" then return resize(self, inputs) end
      local first = options.channels_first(self) and 3 or 2
      for i, factor in ipairs(factors(self)) do
        if factor > 1 then inputs = ops["repeat"](inputs, factor, first + i - 1) end
      end
      return inputs
    end,

    compute_output_shape = function(self, input_shape)
      local shape = shapes.copy(input_shape)
      local first = options.channels_first(self) and 3 or 2
      for i, factor in ipairs(factors(self)) do
        local axis = first + i - 1
        if shape[axis] ~= shapes.None then shape[axis] = shape[axis] * factor end
      end
      return shape
    end,
  })
end

return {UpSampling1D = make(1), UpSampling2D = make(2), UpSampling3D = make(3)}
