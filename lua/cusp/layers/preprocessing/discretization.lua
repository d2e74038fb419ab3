--- Numbers as the integers of the bins that they fall into: bin `i` holds what is at least boundary
-- `i` and below the next. The boundaries are given, or found in data by `adapt` so that the bins
-- are about equally full. Output of the inputs' shape (int32), or as `output_mode` says: see
-- CategoryEncoding.
-- @classmod cusp.layers.Discretization
-- @tparam[opt] {number,...} bin_boundaries in ascending order; there is one bin more than
-- boundaries
-- @tparam[opt] integer num_bins for `adapt`, in place of boundaries
-- @tparam[opt=0.01] number epsilon share of the data that `adapt` may be wrong by
-- @tparam[opt="int"] string output_mode "int", "one_hot", "multi_hot" or "count"
-- @usage layers.Discretization{{0, 1, 2}}{{-1.5, 1.0, 3.4, 0.5}} -- 0, 2, 3, 1
local Layer = require "cusp.layers.machinery.layer"
local adapting = require "cusp.layers.preprocessing.adapting"
local categorical = require "cusp.layers.preprocessing.categorical"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local policy = require "cusp.layers.machinery.policy"

local Discretization = Layer:extend("Discretization", {
  positional_order = "bin_boundaries num_bins epsilon output_mode sparse dtype name",
  autocast = false,
  config = {
    {"bin_boundaries", "list", list_of = "number", optional = true},
    {"num_bins", "integer", min = 0, optional = true},
    {"epsilon", "number", above = 0, default = 0.01},
    categorical.output_mode("int", "int", "one_hot", "multi_hot", "count"),
    categorical.sparse,
  },
})

function Discretization:init(args)
  self:configure(args, Discretization)
  categorical.check_dense(self)
  local boundaries = self.bin_boundaries
  if boundaries and self.num_bins then
    errors.raise "Discretization: give bin_boundaries or num_bins, not both"
  elseif not boundaries and not self.num_bins then
    errors.raise "Discretization: give bin_boundaries, or num_bins for adapt"
  end
  for i = 2, #(boundaries or {}) do
    if boundaries[i] < boundaries[i - 1] then
      errors.raise("Discretization: bin_boundaries should ascend, but %s comes after %s",
        boundaries[i], boundaries[i - 1])
    end
  end
  Layer.init(self, args)
  -- In Keras 2's files the dtype is that of the bins.
  if not policy.is_float(self.compute_dtype) then self.__own.policy = policy.get(nil) end
end

function Discretization:output_dtype()
  return self.output_mode == "int" and "int32" or self.compute_dtype
end

function Discretization:call(inputs)
  local boundaries = self.bin_boundaries
  if not boundaries then
    errors.raise("has no boundaries yet: pass bin_boundaries to the constructor, or call adapt on "
      .. "data first")
  end
  local depth = #boundaries + 1
  local indices = #boundaries == 0 and ops.zeros_like(inputs)
    or ops.digitize(inputs, engine.tensor(boundaries, {dtype = engine.get_floatx()}))
  return categorical.encode(indices, self.output_mode, depth, self:output_dtype())
end

---------------------------------------------------------------- adapting

-- A summary of numbers is a list of values in ascending order, each with a weight: how many numbers
-- it stands for.

local function summarize(batch, epsilon)
  local values = ops.sort(ops.reshape(ops.cast(batch, "float32"), {-1}))
  local step = math.max(#values * epsilon, 1)
  local first = math.tointeger(step // 1) -- the step's fraction is dropped here, as Keras drops it
  local picked = #values >= first and values:slice{{first, #values, first}}:flat() or {}
  local weights = {}
  for i = 1, #picked do weights[i] = step end
  return {values = picked, weights = weights}
end

--- The piecewise linear function through (xs, ys) at an ascending list of places; constant outside.
local function interpolate(places, xs, ys)
  local result, k, n = {}, 1, #xs
  for i, x in ipairs(places) do
    while k < n and xs[k + 1] <= x do k = k + 1 end
    if x <= xs[1] then result[i] = ys[1]
    elseif k == n then result[i] = ys[n]
    else result[i] = ys[k] + (ys[k + 1] - ys[k]) * (x - xs[k]) / (xs[k + 1] - xs[k]) end
  end
  return result
end

local function float32(x) return (("f"):unpack(("f"):pack(x))) end

--- A summary of about 1 / epsilon values.
local function compress(summary, epsilon)
  if #summary.values * epsilon < 1 then return summary end
  local cumulated, shares, total = {}, {}, 0
  for i, weight in ipairs(summary.weights) do
    total = total + weight
    cumulated[i] = total
  end
  for i, sum in ipairs(cumulated) do shares[i] = sum / total end
  local places = {}
  for i = 1, math.ceil(1 / epsilon) do places[i] = epsilon + (i - 1) * epsilon end
  local values, sums = interpolate(places, shares, summary.values),
    interpolate(places, shares, cumulated)
  local weights = {}
  for i = 1, #values do
    values[i], weights[i] = float32(values[i]), float32(sums[i] - (sums[i - 1] or 0))
  end
  return {values = values, weights = weights}
end

local function merge(a, b, epsilon)
  local values, weights, i, j = {}, {}, 1, 1
  while i <= #a.values or j <= #b.values do
    local from_a = j > #b.values or i <= #a.values and a.values[i] <= b.values[j]
    local from, at = from_a and a or b, from_a and i or j
    values[#values + 1], weights[#weights + 1] = from.values[at], from.weights[at]
    if from_a then i = i + 1 else j = j + 1 end
  end
  return compress({values = values, weights = weights}, epsilon)
end

local function to_tensor(batch)
  if type(batch) == "userdata" or type(batch) == "table" or type(batch) == "number" then
    local tensor = engine.tensor(batch)
    if tensor.dtype ~= "string" then return tensor end
  end
  errors.raise("Discretization.adapt: expected tensors or tables of numbers, got %s",
    errors.describe(batch))
end

local bind_adapt = adapting.binder("Discretization", "data steps batch_size")

--- Sets the boundaries to quantiles of data: `num_bins - 1` of them.
-- @param data a tensor or nested table of numbers, a dataset (of tuples the first part counts), a
-- list of batches, or a function that gives a batch a call and nil at the end
-- @tparam[opt] integer steps look at so many batches only
-- @tparam[opt] integer batch_size puts the elements of a dataset into batches, and cuts a tensor
-- into them
-- @raise for a layer that was made with boundaries, and where there is no data
function Discretization:adapt(...)
  local data, batch_size, steps = bind_adapt(...)
  if not self.num_bins then
    errors.raise("Discretization.adapt: this layer was made with bin_boundaries; make it with "
      .. "num_bins to adapt it")
  end
  local summary = {values = {}, weights = {}}
  local function include(batch)
    batch = to_tensor(batch)
    if ops.size(batch) > 0 then
      summary = merge(summary, summarize(batch, self.epsilon), self.epsilon)
    end
  end
  local is_whole = not kinds.is_dataset(data) and type(data) ~= "function" and not batch_size
    and not (type(data) == "table" and type(data[1]) == "userdata")
  if is_whole then
    include(data)
  else
    adapting.each("Discretization", data, batch_size, steps, include)
  end
  if #summary.values == 0 then
    errors.raise "Discretization.adapt: expected data to adapt to, got none"
  end
  local boundaries = compress(summary, 1 / math.max(self.num_bins, 1)).values
  self.bin_boundaries = table.move(boundaries, 1, #boundaries - 1, 1, {})
end

---------------------------------------------------------------- configuration

function Discretization:get_config()
  local result = ordered.object()
  for i, name in ipairs{"bin_boundaries", "num_bins", "epsilon", "output_mode", "sparse"} do
    ordered.set(result, name, kinds.to_config(Discretization.config[i], self[name]))
  end
  ordered.set(result, "name", self.name)
  ordered.set(result, "dtype", self.dtype)
  return result
end

--- An adapted layer's configuration has both the number of bins and the boundaries.
function Discretization.from_config(class, config)
  local boundaries = config.bin_boundaries
  if boundaries == nil or boundaries == null or config.num_bins == nil
    or config.num_bins == null then
    return Layer.from_config(class, config)
  end
  local rest = {}
  for key, value in pairs(config) do rest[key] = value end
  rest.bin_boundaries = nil
  local layer = Layer.from_config(class, rest)
  layer.bin_boundaries = kinds.check("Discretization", Discretization.config[1], boundaries)
  return layer
end

return Discretization
