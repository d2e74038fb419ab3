--- The part of each batch that is this process's, where several processes train together
--
-- Sources like those of `source.lua`. `share` is set with each batch, and a process that is left
-- without samples computes with some that do not count.
-- @module cusp.training.shards
local data = require "cusp.training.data"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"
local replicas = require "cusp.base.replicas"

local shards = {}

-- The rows of a batch that are this process's, from 1: none where last < first.
local function own_rows(rows)
  local active = replicas.active
  return rows * active.rank // active.size + 1, rows * (active.rank + 1) // active.size
end

local function methods_of(class)
  return function(self, name)
    local method = class[name]
    if method ~= nil then return method end
    return self.inner[name]
  end
end

local function wrap(class, inner, fields)
  fields.inner = inner
  return setmetatable(fields, {__index = methods_of(class)})
end

---------------------------------------------------------------- arrays

local Arrays = {}

function Arrays:rewind()
  random.agree()
  self.inner:rewind()
  self.cursor, self.own_order = 0, nil
end

function Arrays:finished() return self.cursor >= self.inner.steps end

function Arrays:skip(count) self.cursor = math.min(self.cursor + count, self.inner.steps) end

function Arrays:whole()
  local first, last = own_rows(self.inner.batch_size)
  if last < first then return 0 end
  return math.max(0, self.inner.samples // self.inner.batch_size - self.cursor)
end

function Arrays:batch()
  local inner = self.inner
  if self:finished() then return nil end
  local before = self.cursor * inner.batch_size
  local rows = math.min(inner.batch_size, inner.samples - before)
  local first, last = own_rows(rows)
  replicas.set_share(math.max(0, last - first + 1) / rows)
  last = math.max(first, last)
  if last > rows then first, last = rows, rows end
  self.cursor = self.cursor + 1
  local picked = inner.order and data.rows(inner.order, before + first, before + last)
  local tensors = {}
  for i, tensor in ipairs(inner.tensors) do
    tensors[i] = picked and ops.take(tensor, picked, 1)
      or data.rows(tensor, before + first, before + last)
  end
  return {tensors = tensors, form = inner.form, key = inner.key, rows = last - first + 1}
end

-- The samples of this process in all whole batches, one batch after another; what follows them is
-- there because the engine wants a number for each sample.
local function own_order(inner)
  local size = inner.batch_size
  local whole = inner.samples // size
  local order = inner.order or ops.arange(0, whole * size, 1, {dtype = "int64"})
  local first, last = own_rows(size)
  local batches = ops.reshape(data.rows(order, 1, whole * size), {whole, size})
  local own = ops.reshape(batches:slice{{1, whole}, {first, last}}, {-1})
  local rest = ops.zeros({inner.samples - own.shape[1]}, {dtype = order.dtype})
  own = ops.concatenate({own, rest}, 1)
  engine.evaluate{own}
  return own
end

function Arrays:run(plan, count, deadline, results)
  local inner = self.inner
  self.own_order = self.own_order or own_order(inner)
  local first, last = own_rows(inner.batch_size)
  replicas.set_share((last - first + 1) / inner.batch_size)
  local done = plan:run_batches{
    arrays = inner.tensors, order = self.own_order, samples = inner.samples,
    batch_size = self.batch_size, first = self.cursor, last = self.cursor + count,
    deadline = deadline, results = results,
  }
  self.cursor = self.cursor + done
  return done
end

---------------------------------------------------------------- batches that all processes read

local Batches = {}

function Batches:rewind()
  random.agree()
  self.inner:rewind()
end

function Batches:finished() return self.inner:finished() end
function Batches.whole() return 0 end
function Batches:skip(count)
  if self.inner.skip then return self.inner:skip(count) end
  for _ = 1, count do self.inner:batch() end
end

function Batches:close() if self.inner.close then self.inner:close() end end
function Batches:epoch_end() if self.inner.epoch_end then self.inner:epoch_end() end end

function Batches:batch()
  local batch = self.inner:batch()
  if not batch then return nil end
  local rows = batch.rows
  local first, last = own_rows(rows)
  replicas.set_share(math.max(0, last - first + 1) / rows)
  last = math.max(first, last)
  if last > rows then first, last = rows, rows end
  local tensors = {}
  for i, tensor in ipairs(batch.tensors) do tensors[i] = data.rows(tensor, first, last) end
  return {tensors = tensors, form = batch.form, key = batch.key, rows = last - first + 1}
end

---------------------------------------------------------------- batches of each process's own

local Own = {}

function Own:rewind()
  self.pending, self.over = nil, false
  self.inner:rewind()
end

Own.whole, Own.close, Own.epoch_end = Batches.whole, Batches.close, Batches.epoch_end

function Own:skip(count)
  for _ = 1, count do
    if self:finished() then return end
    self.pending = nil
  end
end

-- The next batch, or one that does not count as long as another process still has some.
local function take_own(self)
  local batch = not self.inner:finished() and self.inner:batch() or nil
  self.last = batch or self.last
  local all, total = replicas.numbers(batch and batch.rows or 0), 0
  for _, rows in ipairs(all) do total = total + rows end
  if total == 0 then return nil end
  if not self.last then
    errors.raise("fit: rank %d has no data; every process needs at least one batch",
      replicas.active.rank)
  end
  replicas.set_share((batch and batch.rows or 0) / total)
  return self.last
end

function Own:finished()
  if self.pending or self.over then return self.over end
  self.pending = take_own(self)
  self.over = self.pending == nil
  return self.over
end

function Own:batch()
  if self:finished() then return nil end
  local batch = self.pending
  self.pending = nil
  return batch
end

---------------------------------------------------------------- all

--- The part of a source that is this process's.
-- @tparam table source
-- @treturn table a source
function shards.of(source)
  if not replicas.active.auto then return wrap(Own, source, {batches = true}) end
  if source.batches then return wrap(Batches, source, {}) end
  local first, last = own_rows(math.min(source.batch_size, source.samples))
  return wrap(Arrays, source, {cursor = 0, batch_size = math.max(1, last - first + 1)})
end

--- The rows of one batch that are this process's.
-- @tparam table batch as a source gives it
-- @treturn table
function shards.part(batch)
  return Batches.batch{inner = {batch = function() return batch end}}
end

---------------------------------------------------------------- predicting

--- The batches of arrays that this process predicts for.
-- @tparam table source of whole arrays
-- @tparam ?integer limit batches wanted
-- @treturn table the source of its own batches
-- @treturn boolean whether they count: not where a batch stands in for none
function shards.for_predict(source, limit)
  local size = source.batch_size
  local steps = math.min(source.steps, limit or source.steps)
  local first, last = own_rows(steps)
  local counted = last >= first
  if not counted then first, last = 1, 1 end
  source:keep_rows((first - 1) * size + 1, math.min(last * size, source.samples))
  return source, counted
end

local function gather_tensor(tensor, counted)
  local shape = tensor.shape
  local counts = replicas.numbers(counted and shape[1] or 0)
  local before, total = 0, 0
  for rank, count in ipairs(counts) do
    if rank <= replicas.active.rank then before = before + count end
    total = total + math.tointeger(count)
  end
  local function zeros(rows)
    local sizes = table.move(shape, 1, #shape, 1, {})
    sizes[1] = math.tointeger(rows)
    return ops.zeros(sizes, {dtype = tensor.dtype})
  end
  local own = counted and tensor or zeros(0)
  local after = total - before - own.shape[1]
  return replicas.total(ops.concatenate({zeros(before), own, zeros(after)}, 1))
end

--- The outputs of all processes, in order of rank.
-- @tparam {tensor,...} outputs of this process
-- @tparam boolean counted whether they count
-- @treturn {tensor,...}
function shards.gather(outputs, counted)
  local all = {}
  for i, tensor in ipairs(outputs) do all[i] = gather_tensor(tensor, counted) end
  return all
end

return shards
