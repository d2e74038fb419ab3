--- `(inputs - mean) / sqrt(variance)`, with mean and variance given, or found in data by `adapt`.
-- Output of the inputs' shape. Without `adapt` the mean is 0 and the variance 1.
-- @classmod cusp.layers.Normalization
-- @tparam[opt=-1] ?integer|table axis axes that have their own mean and variance each; `{}` or
-- `cusp.null`: one for all numbers
-- @tparam[opt] number|table|tensor mean
-- @tparam[opt] number|table|tensor variance
-- @tparam[opt=false] boolean invert go the other way: `inputs * sqrt(variance) + mean`
-- @usage local layer = layers.Normalization()
-- layer:adapt(x_train)
local Layer = require "cusp.layers.machinery.layer"
local adapting = require "cusp.layers.preprocessing.adapting"
local arguments = require "cusp.base.arguments"
local config = require "cusp.base.config"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local plain = require "cusp.base.plain"
local shapes = require "cusp.base.shape"

local Normalization = Layer:extend("Normalization", {
  supports_masking = true,
  config = {
    {"axis", "axes", default = -1, optional = true}, {"mean", "tensor", optional = true},
    {"variance", "tensor", optional = true},
    {"invert", "boolean", default = false},
  },
})

local function read(args, position)
  return arguments.read(args, Normalization.config[position], "Normalization")
end

local function statistic(args, position)
  local value = read(args, position)
  return value ~= nil and engine.tensor(value, {dtype = "float32"}) or nil
end

local function check_given(axes, mean, variance)
  if (mean == nil) ~= (variance == nil) then
    errors.raise("Normalization: expected both mean and variance, got only the %s",
      mean and "mean" or "variance")
  end
  if not mean then return end
  local shape = errors.shape(mean.shape)
  if shape ~= errors.shape(variance.shape) then
    errors.raise("Normalization: mean and variance should have one shape, got %s and %s", shape,
      errors.shape(variance.shape))
  end
  if #mean.shape > #axes then
    errors.raise("Normalization: a mean of shape %s has more axes than argument 'axis' (%d)",
      shape, #axes)
  end
end

function Normalization:init(args)
  local axis = read(args, 1)
  self.axis = axis == nil and {} or type(axis) == "number" and {axis} or axis
  self.input_mean = statistic(args, 2)
  self.input_variance = statistic(args, 3)
  self.invert = read(args, 4)
  check_given(self.axis, self.input_mean, self.input_variance)
  Layer.init(self, args)
end

---------------------------------------------------------------- building

local function kept_axes(self, shape)
  local kept, seen = {}, {}
  for _, axis in ipairs(self.axis) do
    local positive = axis < 0 and axis + #shape + 1 or axis
    if positive < 1 or positive > #shape then
      errors.raise("axis %d is out of range for inputs of shape %s", axis, errors.shape(shape))
    end
    if shape[positive] == shapes.None then
      errors.raise("axis %d of the inputs should have a known size, got shape %s", axis,
        errors.shape(shape))
    end
    if not seen[positive] then kept[#kept + 1] = positive end
    seen[positive] = true
  end
  plain.sort(kept)
  return kept, seen
end

--- A given mean or variance beside inputs: its axes are the last of those kept.
local function beside(self, value)
  if not value then return nil end
  local given, kept, shape = value.shape, self.__own.kept, {}
  for i = 1, #self.__own.broadcast do shape[i] = 1 end
  for i = 1, #given do shape[kept[#kept + 1 - i]] = given[#given + 1 - i] end
  return ops.cast(ops.broadcast_to(ops.reshape(value, shape), self.__own.broadcast),
    self.compute_dtype)
end

function Normalization:build(shape)
  local kept, is_kept = kept_axes(self, shape)
  local broadcast, reduced, sizes = {}, {}, {}
  for i = 1, #shape do
    broadcast[i] = is_kept[i] and shape[i] or 1
    if not is_kept[i] then reduced[#reduced + 1] = i end
  end
  for i, axis in ipairs(kept) do sizes[i] = shape[axis] end
  local own = self.__own
  own.kept, own.reduced, own.broadcast = kept, reduced, broadcast
  if self.input_mean then
    own.mean, own.variance = beside(self, self.input_mean), beside(self, self.input_variance)
    return
  end
  self.adapt_mean = self:add_weight{name = "mean", shape = sizes, initializer = "zeros",
    trainable = false}
  self.adapt_variance = self:add_weight{name = "variance", shape = sizes, initializer = "ones",
    trainable = false}
  self.count = self:add_weight{name = "count", shape = {}, dtype = "int32", initializer = "zeros",
    trainable = false}
end

local function current(self, variable, given)
  return variable and ops.cast(ops.reshape(variable, self.__own.broadcast), self.compute_dtype)
    or given
end

--- The mean and the variance in a shape that goes with the inputs; nil before the layer is built.
function Normalization.__getters.mean(self)
  return current(self, self.adapt_mean, self.__own.mean)
end
function Normalization.__getters.variance(self)
  return current(self, self.adapt_variance, self.__own.variance)
end

function Normalization:call(inputs)
  if inputs.dtype ~= self.compute_dtype then inputs = ops.cast(inputs, self.compute_dtype) end
  local deviation = ops.maximum(ops.sqrt(self.variance), config.epsilon())
  if self.invert then return ops.add(self.mean, ops.multiply(inputs, deviation)) end
  return ops.divide(ops.subtract(inputs, self.mean), deviation)
end

function Normalization:compute_output_shape(input_shape) return input_shape end -- luacheck: no self

---------------------------------------------------------------- adapting

local function check_batch(self, shape)
  local built = self.__own.broadcast
  if #shape ~= #built then
    errors.raise(
      "Normalization.adapt: the layer was built for inputs of %d axes, the data has shape %s",
      #built, errors.shape(shape))
  end
  for _, axis in ipairs(self.__own.kept) do
    if shape[axis] ~= built[axis] then
      errors.raise(
        "Normalization.adapt: the layer was built for size %d along axis %d, the data has shape %s",
        built[axis], axis,
        errors.shape(shape))
    end
  end
end

local function count_of(self, shape)
  local count = 1
  for _, axis in ipairs(self.__own.reduced) do count = count * shape[axis] end
  return count
end

--- Takes a batch into the running mean and variance (Chan, Golub and LeVeque's formula), which are
-- kept in float64.
local function include(self, state, batch)
  local x = ops.cast(batch, "float64")
  local count = count_of(self, x.shape)
  if count == 0 then return end
  local mean, variance = x, ops.zeros_like(x)
  if #self.__own.reduced > 0 then
    mean, variance = ops.mean(x, self.__own.reduced), ops.var(x, self.__own.reduced)
  end
  state.count = state.count + count
  local weight = count / state.count
  local old = 1 - weight
  if not state.mean then
    state.mean, state.variance = ops.zeros_like(mean), ops.zeros_like(variance)
  end
  local new = state.mean * old + mean * weight
  local old_shift, shift = state.mean - new, mean - new
  state.variance = (state.variance + old_shift * old_shift) * old
    + (variance + shift * shift) * weight
  state.mean = new
  engine.evaluate{state.mean, state.variance}
end

local function as_tensor(batch)
  if type(batch) == "userdata" then return batch end
  local ok, tensor = engine.attempt(engine.tensor, batch)
  if not ok or tensor.dtype == "string" then
    errors.raise("Normalization.adapt: expected tensors or tables of numbers, got %s",
      errors.describe(batch))
  end
  return tensor
end

local function is_numbers(data)
  while type(data) == "table" and not kinds.is_dataset(data) do data = data[1] end
  return type(data) == "number" or type(data) == "boolean"
end

--- Elements of rank 0 or 1 are samples, and put into batches.
local function batched(data, batch_size)
  if batch_size or not kinds.is_dataset(data) then return batch_size end
  local spec = data.element_spec
  if not spec.shape then spec = spec[1] end
  if spec and spec.shape and #spec.shape < 2 then return 128 end
end

local bind_adapt = adapting.binder("Normalization", "data batch_size steps")

--- Sets mean and variance to those of data; builds the layer for it if need be.
-- @param data a tensor or nested table of samples, a dataset (of tuples the first part counts), a
-- list of batches, or a function that gives a batch a call and nil at the end
-- @tparam[opt] integer batch_size puts the elements of a dataset into batches
-- @tparam[opt] integer steps look at so many batches only
-- @raise if there is no data, or it does not fit the shape that the layer was built for
function Normalization:adapt(...)
  local data, batch_size, steps = bind_adapt(...)
  if self.input_mean then
    errors.raise("Normalization.adapt: this layer has a fixed mean and variance; create it "
      .. "without them to adapt it")
  end
  if is_numbers(data) then data = engine.tensor(data) end
  if engine.is_variable(data) then data = data.value end
  if type(data) == "userdata" and not self.built then self:build(data.shape) end
  if type(data) == "userdata" and (self.__own.kept[1] == 1 or #data.shape == 0) then
    data = {data}
  end
  local state = {count = 0}
  adapting.each("Normalization", data, batched(data, batch_size), steps, function(batch)
    batch = as_tensor(batch)
    if not self.built then self:build(batch.shape) end
    check_batch(self, batch.shape)
    include(self, state, batch)
  end)
  if not state.mean then errors.raise "Normalization.adapt: expected data to adapt to, got none" end
  engine.assign_all({self.adapt_mean, self.adapt_variance}, {state.mean, state.variance})
end

---------------------------------------------------------------- configuration

local function plain_value(tensor)
  if not tensor then return null end
  return #tensor.shape == 0 and tensor:item() or tensor:tolist()
end

function Normalization:get_config()
  local result = Layer.get_config(self)
  ordered.set(result, "axis", kinds.to_config(Normalization.config[1], self.axis))
  ordered.set(result, "invert", self.invert)
  ordered.set(result, "mean", plain_value(self.input_mean))
  ordered.set(result, "variance", plain_value(self.input_variance))
  return result
end

return Normalization
