--- The variables that `add_weight` of layers makes.
-- @module cusp.layers.machinery.new_weight
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local names = require "cusp.base.names"
local null = require "cusp.base.null"
local parallel = require "cusp.layers.machinery.parallel"
local policy = require "cusp.layers.machinery.policy"
local rooms = require "cusp.base.rooms"
local shapes = require "cusp.base.shape"
local sharding = require "cusp.base.sharding"

local parameters = {
  {"shape", "shape", optional = true, allow_integer = true},
  {"initializer", "any", optional = true}, {"dtype", "dtype", optional = true},
  {"trainable", "boolean", default = true}, {"autocast", "boolean", default = true},
  {"regularizer", "any", optional = true},
  {"constraint", "any", optional = true}, {"aggregation", "string", optional = true},
  {"overwrite_with_gradient", "boolean", default = false}, {"name", "string", optional = true},
}

local function resolve(namespace, value)
  if value == nil or value == null then return nil end
  return rooms.get(namespace).get(value)
end

local function default_initializer(dtype)
  return policy.is_float(dtype) and "glorot_uniform" or "zeros"
end

local function available_bytes()
  local file = io.open "/proc/meminfo"
  local text = file and file:read "a"
  if file then file:close() end
  local kilobytes = text and text:match "MemAvailable:%s*(%d+)"
  return kilobytes and tonumber(kilobytes) * 1024 or math.huge
end

local much = 1 << 30 -- bytes; below, it is not worth asking what there is

-- Raises for a weight that memory cannot hold: asked for, it might be promised and end the program
-- when it is filled.
local function check_memory(self, name, shape, dtype)
  local bytes = (tonumber(dtype:match "%d+$") or 8) / 8
  for _, size in ipairs(shape) do bytes = bytes * size end
  if bytes < much or bytes < available_bytes() then return end
  errors.raise("%s (%s): the weight '%s' of shape %s would take %.3g GB, more than there is memory",
    self.name, self.__name, name,
    shapes.tostring(shape), bytes / 1e9)
end

-- Whether an initializer is the library's: what it draws may wait until it is asked for.
local function is_library(initializer)
  local class = Object.class_of(initializer)
  return class ~= nil and class.__library == true
end

local function check_shape(self, name, shape)
  if shapes.is_known(shape) then return end
  errors.raise(
    "%s (%s): the weight '%s' would have the shape %s; a weight needs known sizes, so the "
    .. "input's must be known",
    self.name, self.__name, name, shapes.tostring(shape))
end

-- The variable with its first value, which processes may divide.
local function new_variable(self, args, shape, dtype, path)
  local initializer = require("cusp.initializers").get(args.initializer
    or default_initializer(dtype))
  local known = sharding.of_new(path, shape)
  if known then
    parallel.check(self, args, path, known)
    self.__own.divided = true
  end
  return engine.untraced(function()
    local value = initializer(shape, {dtype = dtype})
    local settings = {dtype = dtype, trainable = args.trainable,
      deferred = is_library(initializer)}
    return known and sharding.variable(value, settings, known) or engine.variable(value, settings)
  end)
end

--- Makes a variable of a layer.
-- @tparam Layer self
-- @param ... the arguments of `Layer:add_weight`
-- @treturn Variable
return function(self, ...)
  -- Keras 2's order
  if type((...)) == "string" then return self:add_weight({name = (...), shape = select(2, ...)}) end
  local args = arguments.bind_named(self.name .. ".add_weight", parameters, true, ...)
  local shape, name = args.shape or {}, args.name or "variable"
  local dtype = args.dtype or self.__own.policy.variable
  if type(shape) == "number" then shape = {shape} end
  check_shape(self, name, shape)
  check_memory(self, name, shape, dtype)
  args.regularizer = resolve("regularizers", args.regularizer)
  args.constraint = resolve("constraints", args.constraint)
  local path = names.path(name)
  local variable = new_variable(self, args, shape, dtype, path)
  variable.name, variable.path = name, path
  if args.overwrite_with_gradient then variable.overwrite_with_gradient = true end
  if not args.autocast then variable.keeps_dtype = true end
  variable.regularizer, variable.constraint = args.regularizer, args.constraint
  table.insert(self.__own.weights, {variable = variable, trainable = args.trainable})
  -- frozen before it was built
  if args.trainable and not self.trainable then variable.trainable = false end
  return variable
end
