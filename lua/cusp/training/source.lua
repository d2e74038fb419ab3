--- Where batches come from: whole arrays, datasets, objects that give batches by number, or a
-- function that gives one after another.
--
-- A source has `steps` (batches in a pass, nil where it is not known), `batches` (whether the data
-- come as batches rather than as arrays whose samples are batched here), and
--   `source:rewind()`      starts a pass over the data, shuffled anew if wanted
--   `source:finished()`    whether the pass has come to its end
--   `source:batch()`       the next batch: `{tensors =, form =, key =, rows =}`; nil at the end of
--   the pass `source:whole()`       how many whole batches of equal size may come next (0 where
--   batches come one by one) `source:run(plan, count, deadline, results, label_checks)`  runs a
--   plan over up to `count` of them without Lua; returns how many
--                          were done, 0 where the next one is of another kind and has to be taken
--                          by `batch`
--   `source:skip(count)`   (optional) leaves out batches of the pass
--   `source:epoch_end()`   (optional) is called after each pass
--   `source:close()`       (optional) lets go of threads and files
-- @module cusp.training.source
local Object = require "cusp.base.class"
local data = require "cusp.training.data"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"

local source = {}

---------------------------------------------------------------- arrays

local Arrays = {}
Arrays.__index = Arrays

--- Batches of whole arrays.
-- @tparam string owner name of the method, for messages
-- @tparam table given `x`, `y`, `sample_weight`
-- @tparam table options `batch_size`; `shuffle`: true, false, or "batch" (batches in random order,
-- each of neighbours); `order_of`: a function that gives the order of the samples in a pass (of a
-- dataset), or nil for that of the arrays
function source.arrays(owner, given, options)
  local flat = data.flatten(owner, given)
  local samples = data.count_samples(owner, flat)
  local batch_size = options.batch_size or 32
  for i, tensor in ipairs(flat.tensors) do flat.tensors[i] = engine.contiguous(tensor) end
  return setmetatable({
    tensors = flat.tensors, names = flat.names, form = flat.form, key = flat.key, samples = samples,
    batch_size = batch_size,
    shuffle = options.shuffle, order_of = options.order_of, from_dataset = options.order_of ~= nil,
    steps = (samples + batch_size - 1) // batch_size, cursor = 0,
    request = {arrays = flat.tensors, samples = samples, batch_size = batch_size},
  }, Arrays)
end

--- Leaves only the samples from one to another, counted from 1, of which the first begins a batch.
function Arrays:keep_rows(first, last)
  for i, tensor in ipairs(self.tensors) do
    self.tensors[i] = engine.contiguous(data.rows(tensor, first, last))
  end
  self.samples = last - first + 1
  self.request.samples = self.samples
  self.steps = (self.samples + self.batch_size - 1) // self.batch_size
end

-- Batches in random order; a smaller last one stays last.
local function batch_order(self)
  local whole = self.samples // self.batch_size
  local order, count = {}, 0
  for _, batch in ipairs(ops.random_permutation(random.key_of(nil, "fit"), whole):tolist()) do
    for i = 0, self.batch_size - 1 do
      count = count + 1
      order[count] = batch * self.batch_size + i
    end
  end
  for i = count, self.samples - 1 do order[i + 1] = i end
  return engine.tensor(order, {dtype = "int64"})
end

function Arrays:rewind()
  self.cursor = 0
  if self.order_of then
    self.order = self.order_of()
    return
  end
  if not self.shuffle then return end
  if self.shuffle == "batch" then
    self.order = batch_order(self)
  else
    self.order = ops.random_permutation(random.key_of(nil, "fit"), self.samples)
  end
  engine.evaluate{self.order}
end

function Arrays:finished() return self.cursor >= self.steps end

--- Goes on `count` batches further without gathering them.
function Arrays:skip(count) self.cursor = math.min(self.cursor + count, self.steps) end

function Arrays:whole() return math.max(0, self.samples // self.batch_size - self.cursor) end

--- Shapes and dtypes of the tensors of a batch of `rows` samples.
function Arrays:types(rows)
  if self.types_rows == rows then return self.known_types end
  local types = {}
  for i, tensor in ipairs(self.tensors) do
    local shape = tensor.shape
    shape[1] = rows
    types[i] = {shape = shape, dtype = tensor.dtype}
  end
  self.known_types, self.types_rows = types, rows
  return types
end

function Arrays:batch()
  if self.cursor >= self.steps then return nil end
  local first = self.cursor * self.batch_size + 1
  local last = math.min(first + self.batch_size - 1, self.samples)
  self.cursor = self.cursor + 1
  local picked = self.order and data.rows(self.order, first, last)
  local tensors = {}
  for i, tensor in ipairs(self.tensors) do
    tensors[i] = picked and ops.take(tensor, picked, 1) or data.rows(tensor, first, last)
  end
  return {tensors = tensors, form = self.form, key = self.key, rows = last - first + 1}
end

function Arrays:run(plan, count, deadline, results)
  local request = self.request
  request.order, request.first, request.last = self.order, self.cursor, self.cursor + count
  request.deadline, request.results = deadline, results
  local done = plan:run_batches(request)
  self.cursor = self.cursor + done
  return done
end

---------------------------------------------------------------- functions

local Generator = {}
Generator.__index = Generator

--- Batches from a function: each call gives `x, y, sample_weight` or a table of them, nil at the
-- end of the data.
-- @tparam table options `class_weight`; `inputs_only`: targets and weights are left out;
-- `own_step`: the step is the program's
function source.generator(owner, f, options)
  return setmetatable({owner = owner, next_batch = f, options = options or {}, batches = true},
    Generator)
end

function Generator:rewind() self.ended = false end

function Generator:finished() return self.ended end

function Generator.whole() return 0 end

function Generator:batch()
  local x, y, weight = self.next_batch()
  if x == nil then
    self.ended = true
    return nil
  end
  return data.batch(self.owner, self.options, x, y, weight)
end

-- Whether a value gives batches by being called.
local function is_generator(value)
  if type(value) == "function" then return true end
  return type(value) == "table" and kinds.is_callable(value) and value.shape == nil
end

-- What else than arrays `x` may be, and the word for it in messages.
local function kind_of(x)
  local meta = type(x) == "table" and getmetatable(x)
  if kinds.is_dataset(x) then return "Dataset" end
  if meta and Object.is_instance(x) and type(x.get_item) == "function" then return "PyDataset" end
  if is_generator(x) then return "function" end
end

local makers = {
  Dataset = function(...) return require("cusp.training.dataset_source").of_dataset(...) end,
  PyDataset = function(...) return require("cusp.training.dataset_source").of_sequence(...) end,
  ["function"] = source.generator,
}

--- The source for what a user gave.
-- @tparam string owner
-- @tparam table given `x`, `y`, `sample_weight`
-- @tparam table options as for `source.arrays`; `batch_size_given`; `class_weight`; `inputs_only`:
-- for predict, which has no use for
--   targets; `limit`: steps, without which a dataset without end is an error
function source.of(owner, given, options)
  local kind = kind_of(given.x)
  if given.x == nil then data.count_samples(owner, {tensors = {}}) end
  if not kind then
    return source.arrays(owner, data.with_class_weight(owner, given, options.class_weight), options)
  end
  for _, name in ipairs{"y", "sample_weight"} do
    if given[name] ~= nil then
      errors.raise(
        "%s: where x is a %s, %s should not be given: it is part of the batches of the %s", owner,
        kind, name, kind)
    end
  end
  if options.batch_size_given and kind ~= "PyDataset" then
    errors.raise(
      "%s: batch_size should not be given where x is a %s, which makes the batches itself", owner,
      kind)
  end
  return makers[kind](owner, given.x, options)
end

--- A guard that closes sources when it goes out of scope: `local _ <close> = source.guard(a, b)`.
function source.guard(...)
  local sources = table.pack(...)
  return setmetatable({}, {
    __close = function()
      for i = 1, sources.n do
        if sources[i] and sources[i].close then sources[i]:close() end
      end
    end,
  })
end

return source
