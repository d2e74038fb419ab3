--- Where batches come from: whole arrays, or a function that gives one batch after another.
--
-- A source has `steps` (batches in a pass, nil where it is not known), `samples`, and
--   `source:rewind()`      starts a pass over the data, shuffled anew if wanted
--   `source:batch()`       the next batch: `{tensors =, form =, key =}`; nil at the end of the pass
--   `source:whole()`       how many whole batches of equal size come next (0 where batches come one by one)
--   `source:run(plan, count, deadline, results)`  runs a plan over up to `count` of them without Lua; returns how many were done
-- @module cusp.training.source
local data = require "cusp.training.data"
local engine = require "cusp.engine"
local errors = require "cusp.errors"
local ops = require "cusp.ops"
local random = require "cusp.random"
local structure = require "cusp.models.structure"

local source = {}

---------------------------------------------------------------- arrays

local Arrays = {}
Arrays.__index = Arrays

--- Batches of whole arrays.
-- @tparam string owner name of the method, for messages
-- @tparam table given `x`, `y`, `sample_weight`
-- @tparam table options `batch_size`; `shuffle`: true, false, or "batch" (batches in random order, each of neighbours)
function source.arrays(owner, given, options)
  local flat = data.flatten(owner, given)
  local samples = data.count_samples(owner, flat)
  local batch_size = options.batch_size or 32
  for _, tensor in ipairs(flat.tensors) do engine.evaluate { tensor } end
  return setmetatable({
    tensors = flat.tensors, names = flat.names, form = flat.form, key = flat.key, samples = samples, batch_size = batch_size,
    shuffle = options.shuffle, steps = (samples + batch_size - 1) // batch_size, cursor = 0,
  }, Arrays)
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
  return engine.tensor(order, { dtype = "int64" })
end

function Arrays:rewind()
  self.cursor = 0
  if not self.shuffle then return end
  if self.shuffle == "batch" then
    self.order = batch_order(self)
  else
    self.order = ops.random_permutation(random.key_of(nil, "fit"), self.samples)
  end
  engine.evaluate { self.order }
end

function Arrays:finished() return self.cursor >= self.steps end

function Arrays:whole() return math.max(0, self.samples // self.batch_size - self.cursor) end

--- Shapes and dtypes of the tensors of a batch of `rows` samples.
function Arrays:types(rows)
  local types = {}
  for i, tensor in ipairs(self.tensors) do
    local shape = tensor.shape
    shape[1] = rows
    types[i] = { shape = shape, dtype = tensor.dtype }
  end
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
  return { tensors = tensors, form = self.form, key = self.key, rows = last - first + 1 }
end

function Arrays:run(plan, count, deadline, results)
  local done = plan:run_batches {
    arrays = self.tensors, order = self.order, samples = self.samples, batch_size = self.batch_size, first = self.cursor,
    last = self.cursor + count, deadline = deadline, results = results,
  }
  self.cursor = self.cursor + done
  return done
end

---------------------------------------------------------------- functions

local Generator = {}
Generator.__index = Generator

--- Batches from a function: each call gives `x, y, sample_weight` or a table of them, nil at the end of the data.
function source.generator(owner, f)
  return setmetatable({ owner = owner, next_batch = f, order = nil, batches = true }, Generator)
end

function Generator:rewind() self.ended = false end

function Generator:finished() return self.ended end

function Generator.whole() return 0 end

local function is_batch_table(value) return structure.is_container(value) and #value > 0 and type(value[1]) ~= "number" end

function Generator:batch()
  local x, y, weight = self.next_batch()
  if x == nil then
    self.ended = true
    return nil
  end
  if y == nil and is_batch_table(x) then x, y, weight = x[1], x[2], x[3] end
  local flat = data.flatten(self.owner, { x = x, y = y, sample_weight = weight })
  local rows = data.count_samples(self.owner, flat)
  return { tensors = flat.tensors, names = flat.names, form = flat.form, key = flat.key, rows = rows }
end

--- Whether a value gives batches by being called.
local function is_callable(value)
  if type(value) == "function" then return true end
  local meta = getmetatable(value)
  return type(value) == "table" and type(meta) == "table" and meta.__call ~= nil and value.shape == nil
end

--- The source for what a user gave.
-- @tparam string owner
-- @tparam table given `x`, `y`, `sample_weight`
-- @tparam table options as for `source.arrays`
function source.of(owner, given, options)
  if not is_callable(given.x) then return source.arrays(owner, given, options) end
  for _, name in ipairs { "y", "sample_weight" } do
    if given[name] ~= nil then
      errors.raise("%s: with a function that gives batches, %s is part of them and not an argument", owner, name)
    end
  end
  if options.batch_size_given then errors.raise("%s: batch_size is for arrays; here the function makes the batches", owner) end
  return source.generator(owner, given.x)
end

return source
