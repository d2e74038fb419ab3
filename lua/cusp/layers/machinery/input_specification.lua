--- What a layer expects of an input, for `layer.input_spec`: checked at each call. Several inputs
-- have a list of specifications.
-- @classmod cusp.layers.InputSpec
-- @tparam[opt] string dtype
-- @tparam[opt] table shape with `cusp.None` for sizes that may be any
-- @tparam[opt] integer ndim number of axes
-- @tparam[opt] integer max_ndim
-- @tparam[opt] integer min_ndim
-- @tparam[opt] table axes sizes by axis, which count from 1, or -1 from the end
-- @tparam[opt=false] boolean allow_last_axis_squeeze whether a last axis of 1 may be there or not
-- @tparam[opt] string name key of the input in a table by name
-- @tparam[opt=false] boolean optional whether the input may be left out
-- @usage self.input_spec = layers.InputSpec{min_ndim = 2, axes = {[-1] = 16}}
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local null = require "cusp.base.null"
local kinds = require "cusp.base.kinds"
local ordered = require "cusp.base.ordered"

local InputSpec = Object:extend("InputSpec", {
  __module = "keras",
  config = {
    {"dtype", "dtype", optional = true, strings = true}, {"shape", "shape", optional = true},
    {"ndim", "integer", optional = true, min = 0},
    {"max_ndim", "integer", optional = true, min = 0},
    {"min_ndim", "integer", optional = true, min = 0}, {"axes", "any", optional = true},
    {"allow_last_axis_squeeze", "boolean", default = false}, {"name", "string", optional = true},
    {"optional", "boolean", default = false},
  },
})

local function check_axes(self)
  local most = self.ndim or self.max_ndim
  for axis, size in pairs(self.axes) do
    if math.type(axis) ~= "integer" or axis == 0 then
      errors.raise("InputSpec: argument 'axes' should hold sizes by axis, such as {[-1] = 16}, got "
        .. "the key %s", errors.describe(axis))
    end
    if most and math.abs(axis) > most then
      errors.raise("InputSpec: axis %d is beyond the largest rank, %d", axis, most)
    end
    if size == null then self.axes[axis] = nil end
  end
end

function InputSpec:init(args)
  Object.configure(self, args, InputSpec)
  if self.shape then self.ndim = #self.shape end
  if self.axes ~= nil and not kinds.is_plain(self.axes) then
    errors.raise("InputSpec: argument 'axes' should be a table of sizes by axis, got %s",
      errors.describe(self.axes))
  end
  local axes = {}
  for axis, size in pairs(self.axes or {}) do axes[axis] = size end
  self.axes = axes
  check_axes(self)
end

function InputSpec:get_config()
  local axes, config = ordered.object(), ordered.object()
  for axis, size in pairs(self.axes) do
    ordered.set(axes, tostring(kinds.axis_to_config(axis)), size)
  end
  for _, name in ipairs{"dtype", "shape", "ndim", "max_ndim", "min_ndim"} do
    ordered.set(config, name, kinds.to_config({name, name == "shape" and "shape" or "any"},
      self[name]))
  end
  ordered.set(config, "axes", axes)
  ordered.set(config, "optional", self.optional)
  return config
end

--- The specification that a configuration describes.
function InputSpec.from_config(class, config)
  Object.expect_config(class, config)
  local arguments = {}
  for key, value in pairs(config) do arguments[key] = value end
  arguments.axes = {}
  for axis, size in pairs(config.axes or {}) do
    arguments.axes[kinds.axis_from_config(math.tointeger(axis))] = size
  end
  return class(arguments)
end

return InputSpec
