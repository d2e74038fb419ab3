--- Processes that train one model together: what layers, losses, metrics and optimizers ask.
--
-- Each process computes with its share of a batch. A loss is the mean over the process's samples;
-- the means of all, weighted with the shares, are that of the whole batch, and so are gradients.
-- Where there is one process, `active` is nil and nothing here is called.
-- @module cusp.base.replicas
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local sharding = require "cusp.base.sharding"

local replicas = {}
local rows = engine.ops

--- What the processes share: `rank`, `size`, `share` (a variable: the part of the batch that is
-- this process's), `gather` (text → the texts of all), `auto` (whether data are divided here),
-- `as_bfloat16` (how gradients travel), `bytes_per_pack`; nil where there is one process. Where
-- models are divided, rank and size are those of the processes that divide batches with this one,
-- and `process` is the rank among all.
replicas.active = nil

-- The classes of metrics there are; their updates are added up while processes train together.
local metric_classes = setmetatable({}, {__mode = "k"})
-- The metrics that have their variables.
local made = setmetatable({}, {__mode = "k"})

local carried = {float32 = "float32", float64 = "float64", int32 = "int32", int64 = "int64",
  float16 = "float32", bfloat16 = "float32", uint32 = "int64", uint64 = "int64"}

-- Outside of traces at once: all processes call it in one order, whatever each looks at first.
local function settle(sum)
  if not engine.tracing() then engine.evaluate{sum} end
  return sum
end

local function as_carried(tensor)
  if engine.is_variable(tensor) then tensor = tensor.value end
  local as = carried[tensor.dtype] or "int32"
  return as == tensor.dtype and tensor or rows.cast(tensor, as), as
end

local function reduce(tensor, weight, weighted, ...)
  if replicas.active.size == 1 then return engine.is_variable(tensor) and tensor.value or tensor end
  local dtype = tensor.dtype
  local sum = rows.all_reduce(as_carried(tensor), weight, weighted, ...)
  return settle(sum.dtype == dtype and sum or rows.cast(sum, dtype))
end

--- The mean over all processes' samples of what is a mean over those of each.
-- @tparam tensor tensor
-- @treturn tensor
function replicas.mean(tensor) return reduce(tensor, replicas.active.share, true) end

--- The sum over the processes that have samples in this batch.
-- @tparam tensor tensor
-- @treturn tensor
function replicas.sum(tensor) return reduce(tensor, replicas.active.share, false) end

--- The sum over all processes.
-- @tparam tensor tensor
-- @treturn tensor
function replicas.total(tensor) return reduce(tensor, replicas.active.one, false) end

--- A sum over this process's samples as the mean that it is a part of: `mean` of it is the sum over
-- all samples.
-- @tparam tensor value
-- @treturn tensor
function replicas.as_mean(value)
  return rows.divide_no_nan(value, rows.cast(replicas.active.share.value, value.dtype))
end

--- A denominator over this process's samples as that over all, in this process's share.
-- @tparam tensor value
-- @treturn tensor
function replicas.denominator(value)
  value = rows.stop_gradient(value)
  return replicas.sum(value) * rows.cast(replicas.active.share.value, value.dtype)
end

--- Whether another process writes and prints for this one.
-- @treturn boolean
function replicas.is_silent()
  local active = replicas.active
  return active ~= nil and active.process > 0
end

--- Whether rank 0 calls a callback for this process, too: one that writes, unless for that all
-- have to give their parts of the model.
-- @tparam table callback
-- @tparam ?table model
-- @treturn boolean
function replicas.is_asleep(callback, model)
  if not callback.writes or not replicas.is_silent() then return false end
  return not (callback.saves_weights and model and sharding.find(model.weights))
end

---------------------------------------------------------------- several tensors

local bytes_per_pack = 1 << 20 -- of what travels as one message, at least
local sizes = {float64 = 8, float32 = 4, float16 = 2, bfloat16 = 2}

-- Variables whose gradients are zero in most of their rows.
local row_sparse = setmetatable({}, {__mode = "k"})

local function count_of(tensor)
  local count = 1
  for _, size in ipairs(tensor.shape) do count = count * size end
  return count
end

-- With which the sum is what rank 0 has.
local function weight_of_first()
  local active = replicas.active
  return active.rank == 0 and active.one or active.none
end

-- Reduces several tensors of one dtype in one message.
local function send(bucket, how, results)
  local inputs, first = {how.weight}, 1
  for i, item in ipairs(bucket) do inputs[i + 1] = item.tensor end
  local all <close> = settle(rows.all_reduce_list(inputs, how.weighted, how.as_bfloat16))
  for _, item in ipairs(bucket) do
    local flat <close> = all:slice{{first, first + item.count - 1}}
    local part = rows.reshape(flat, item.tensor.shape)
    results[item.place] = part.dtype == item.dtype and part or rows.cast(part, item.dtype)
    first = first + item.count
  end
end

-- From the last to the first: a backward pass finds gradients in that order.
local function in_buckets(tensors, how)
  if replicas.active.size == 1 then return tensors end
  local results, buckets, dtypes = {}, {}, {}
  for place = #tensors, 1, -1 do
    local tensor, dtype = as_carried(tensors[place])
    local count = count_of(tensor)
    local bytes = count * (sizes[dtype] or 8)
    if not buckets[dtype] then
      buckets[dtype], dtypes[#dtypes + 1] = {bytes = 0}, dtype
    end
    local bucket = buckets[dtype]
    bucket[#bucket + 1] = {tensor = tensor, place = place, count = count,
      dtype = tensors[place].dtype}
    bucket.bytes = bucket.bytes + bytes
    if bucket.bytes >= how.bytes_per_pack then
      send(bucket, how, results)
      buckets[dtype] = {bytes = 0}
    end
  end
  for _, dtype in ipairs(dtypes) do
    if #buckets[dtype] > 0 then send(buckets[dtype], how, results) end
  end
  return results
end

--- Says that the gradient of a variable is zero in most of its rows: the others travel alone.
-- @tparam Variable variable
function replicas.is_row_sparse(variable) row_sparse[variable] = true end

--- `mean` of the gradients of variables, in few messages.
-- @tparam {tensor,...} gradients
-- @tparam {Variable,...} variables
-- @treturn {tensor,...}
function replicas.means(gradients, variables)
  local active, dense, places, results = replicas.active, {}, {}, {}
  for i, gradient in ipairs(gradients) do
    if row_sparse[variables[i]] then
      results[i] = reduce(gradient, active.share, true, active.as_bfloat16, true)
    else
      dense[#dense + 1], places[#places + 1] = gradient, i
    end
  end
  local how = {weight = active.share, weighted = true, as_bfloat16 = active.as_bfloat16,
    bytes_per_pack = active.bytes_per_pack}
  for i, mean in ipairs(in_buckets(dense, how)) do results[places[i]] = mean end
  return results
end

--- `sum` of several tensors, in few messages.
-- @tparam {tensor,...} tensors
-- @treturn {tensor,...}
function replicas.sums(tensors)
  return in_buckets(tensors, {weight = replicas.active.share, weighted = false,
    bytes_per_pack = bytes_per_pack})
end

---------------------------------------------------------------- metrics

local function restore(before)
  for variable, value in pairs(before) do variable:assign(value) end
end

local function zeros_like(value)
  local is_tensor = engine.is_tensor(value)
  return is_tensor and rows.zeros(value.shape, value.dtype) or value
end

-- Some metrics make their variables with the first update; one of zeros, which does not count,
-- comes before it.
local function make_variables(metric, f, ...)
  local given, before = table.pack(...), {}
  for _, variable in ipairs(metric.variables) do before[variable] = variable.value end
  for i = 1, given.n do given[i] = zeros_like(given[i]) end
  engine.attempt(f, metric, table.unpack(given, 1, given.n))
  for _, variable in ipairs(metric.variables) do
    variable:assign(before[variable] or rows.zeros_like(variable.value))
  end
end

-- An update of each process's samples from the beginning, added up and put onto what was there.
local function update(metric, f, ...)
  local before, active = {}, replicas.active
  active.updating = true
  if not made[metric] then
    made[metric] = true
    engine.untraced(make_variables, metric, f, ...)
  end
  for _, variable in ipairs(metric.variables) do
    before[variable] = variable.value
    variable:assign(rows.zeros_like(variable.value))
  end
  local ok, message = engine.attempt(f, metric, ...)
  active.updating = false
  if not ok then
    restore(before)
    error(message, 0)
  end
  local variables = metric.variables
  for i, sum in ipairs(replicas.sums(variables)) do
    variables[i]:assign(before[variables[i]] + sum)
  end
end

local function adding(f)
  return function(metric, ...)
    local active = replicas.active
    if not active or active.updating then return f(metric, ...) end
    return update(metric, f, ...)
  end
end

local function wrap(class)
  local f = rawget(class, "update_state")
  if metric_classes[class] == "wrapped" or not f then return end
  metric_classes[class] = "wrapped"
  rawset(class, "update_state", adding(f))
end

--- Has the updates of a class of metrics be those of all processes.
-- @tparam table class
-- @tparam table base where its bases end
function replicas.watch(class, base)
  while class and class ~= base and not metric_classes[class] do
    metric_classes[class] = "seen"
    if replicas.active then wrap(class) end
    class = class.__super
  end
end

---------------------------------------------------------------- agreeing

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

--- Raises on all processes where they differ in something.
-- @tparam string owner for the message
-- @tparam {string,...} lines what should be equal
function replicas.agree(owner, lines)
  local texts = replicas.active.gather(table.concat(lines, "\n"))
  local first = lines_of(texts[1])
  for rank = 1, #texts - 1 do
    local other = texts[rank + 1] ~= texts[1] and lines_of(texts[rank + 1]) or first
    for i = 1, math.max(#first, #other) do
      if first[i] ~= other[i] then
        errors.raise("%s: the processes differ: rank 0 has %s, but rank %d has %s; every process"
          .. " should run the same program with the same data and models", owner,
          first[i] or "nothing more", rank, other[i] or "nothing more")
      end
    end
  end
end

--- The numbers of the processes that divide batches with this one, in order of rank.
-- @tparam number number
-- @treturn {number,...}
function replicas.numbers(number)
  local active = replicas.active
  local texts, numbers = active.gather(string.pack("<n", number)), {}
  for i, rank in ipairs(active.sharers) do numbers[i] = string.unpack("<n", texts[rank + 1]) end
  return numbers
end

--- Whether something holds in any of all processes.
-- @tparam boolean holds whether it does in this one
-- @treturn boolean
function replicas.any(holds)
  for _, text in ipairs(replicas.active.gather(holds and "1" or "")) do
    if text == "1" then return true end
  end
  return false
end

-- Some variables: all at once would need as much memory again.
local function assign_first(variables)
  local how = {weight = weight_of_first(), weighted = false, bytes_per_pack = bytes_per_pack}
  local values = lists.pick(variables, "value")
  for i, value in ipairs(in_buckets(values, how)) do
    local part <close> = value
    variables[i]:assign(part)
    local _ <close> = values[i]
  end
end

local function bytes_of(variables)
  local bytes = 0
  for _, variable in ipairs(variables) do
    bytes = bytes + count_of(variable) * sizes[variable.dtype]
  end
  return bytes
end

--- Gives variables the values that they have in rank 0, once it is sure that they are the same.
-- @tparam string owner for the message
-- @tparam {Variable,...} variables
function replicas.align(owner, variables)
  local lines, floats = {}, {}
  for i, variable in ipairs(variables) do
    lines[i] = ("the variable %s %s %s"):format(variable.path or variable.name or i, variable.dtype,
      errors.shape(variable.shape))
    if sizes[variable.dtype] then floats[#floats + 1] = variable end
  end
  replicas.agree(owner, lines)
  if sharding.active then sharding.align(floats) end
  if replicas.active.size == 1 then return end
  local some = {}
  for i, variable in ipairs(floats) do
    some[#some + 1] = variable
    if i == #floats or bytes_of(some) >= bytes_per_pack then
      assign_first(some)
      some = {}
    end
  end
  engine.memory_trim() -- messages of weights have other sizes than those of a step
end

---------------------------------------------------------------- beginning

--- Has this process be one of several from now on; nil: alone.
-- @tparam ?table state `rank`, `size`, `gather`, `auto`, `as_bfloat16`, `bytes_per_pack`; where
-- models are divided, `process` and `sharers`, the ranks among all of those that divide batches
function replicas.set(state)
  replicas.active = state
  if not state then return end
  local function scalar(value) return engine.tensor(value, {dtype = "float64"}) end
  state.process = state.process or state.rank
  if not state.sharers then
    state.sharers = {}
    for i = 1, state.size do state.sharers[i] = i - 1 end
  end
  state.one, state.none = scalar(1), scalar(0)
  state.share = engine.variable(scalar(1 / state.size), {dtype = "float64", trainable = false})
  state.share_now = 1 / state.size
  for class in pairs(metric_classes) do wrap(class) end
end

--- Says which part of the batch is this process's; by default an equal one.
-- @tparam[opt] number share
function replicas.set_share(share)
  local active = replicas.active
  share = share or 1 / active.size
  if active.share_now == share then return end
  active.share_now = share
  active.share:assign(share)
end

return replicas
