--- Batches of datasets (`cusp.data.Dataset`) and of objects that give batches by number
-- (`cusp.utils.PyDataset`). What the engine's threads can make of a dataset is run by the engine
-- too, without Lua between the steps.
-- @module cusp.training.dataset_source
local data = require "cusp.training.data"
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local native = require "cusp.data.machinery.native"
local random = require "cusp.tensors.random"
local structure = require "cusp.base.structure"

local dataset_source = {}
local INFINITE = -1
local ENDLESS = 1 << 62 -- steps that a dataset without end is good for

---------------------------------------------------------------- what a batch is

-- Places of the inputs, targets and weights in an element: a tuple of one to three is them, all
-- else the inputs.
local function training_form(owner, form, options)
  local parts = {x = form}
  if type(form) == "table" and #form > 0 then
    if #form > 3 then
      errors.raise("%s: elements should be x, (x, y) or (x, y, sample_weight), got tuples of %d",
        owner, #form)
    end
    parts = {x = form[1], y = form[2], sample_weight = form[3]}
  end
  if options.inputs_only then parts.y, parts.sample_weight = nil, nil end
  return parts
end

local function floatx_of(dtype)
  return dtype == "float64" and engine.get_floatx() ~= "float64" and engine.get_floatx() or dtype
end

---------------------------------------------------------------- datasets that need Lua

local Elements = {}
Elements.__index = Elements

function Elements:rewind()
  self:close()
  self.fetch, self.stop = self.dataset:open()
  self.ended, self.pending = false, nil
end

function Elements:close()
  if self.stop then self.stop() end
  self.fetch, self.stop = nil, nil
end

-- Whether an element follows is known by asking for it.
function Elements:finished()
  if not self.pending and not self.ended then
    self.pending = self.fetch and self.fetch()
    self.ended = self.pending == nil
  end
  return self.ended
end

function Elements.whole() return 0 end

-- The parts of an element, strings as tensors, too.
local function tensors_of(owner, e)
  local tensors = {}
  for k = 1, #e do
    if kinds.is_dataset(e[k]) then
      errors.raise("%s: an element of the dataset is %s; expected tensors or strings", owner,
        element.describe(e))
    end
    tensors[k] = type(e[k]) == "userdata" and e[k] or engine.tensor(e[k])
  end
  return tensors
end

function Elements:batch()
  if self:finished() then return nil end
  local e = self.pending
  self.pending = nil
  local parts = data.pack(training_form(self.owner, e.form, self.options),
    tensors_of(self.owner, e))
  return data.batch(self.owner, self.options, {parts[1], parts[2], parts[3]})
end

---------------------------------------------------------------- datasets of the engine's

local Pipeline = setmetatable({}, {__index = Elements})
Pipeline.__index = Pipeline

function Pipeline:rewind()
  self:close()
  self.stages = native.resolve(self.description)
  self.pipeline, self.left = native.open(self.description, self.stages), self.steps or ENDLESS
end

--- Goes on `count` batches further without reading them.
function Pipeline:skip(count)
  self:close()
  local stages = table.move(self.stages, 1, #self.stages, 1, {})
  stages[#stages + 1] = {"skip", count}
  self.pipeline, self.left = native.open(self.description, stages), math.max(0, self.left - count)
end

function Pipeline:close()
  if self.pipeline then self.pipeline:close() end
  self.pipeline = nil
end

function Pipeline:finished() return self.left == 0 end

-- With class weights and for predict, batches come one by one.
function Pipeline:whole()
  if self.options.inputs_only or self.options.class_weight or not self.description.batch then
    return 0
  end
  return self.left
end

function Pipeline:types(rows)
  local types = {}
  for k, type in ipairs(native.types(self.description)) do
    local shape = table.move(type.shape, 1, #type.shape, 1, {})
    shape[1] = rows
    types[k] = {shape = shape, dtype = type.dtype}
  end
  return types
end

-- Columns of class ids, with their limits.
local function label_columns(form, checks)
  local columns = {}
  for _, check in ipairs(checks or {}) do
    local place = form.y
    if type(place) == "table" then
      place = place[check.name] or structure.flatten(place)[check.output]
    end
    if type(place) == "number" then
      columns[#columns + 1] = {column = place, classes = check.classes,
        ignored = check.ignore_class}
    end
  end
  return columns
end

function Pipeline:run(plan, count, deadline, _, checks)
  local done = self.pipeline:run(plan,
    {count = count, deadline = deadline, labels = label_columns(self.form, checks)})
  self.left = self.left - done
  return done
end

function Pipeline:batch()
  if self.left == 0 then return nil end
  local tensors = {self.pipeline:next()}
  if #tensors == 0 then
    self.left = 0
    return nil
  end
  self.left = self.left - 1
  if self.options.inputs_only or self.options.class_weight then
    local parts = data.pack(self.form, tensors)
    return data.batch(self.owner, self.options, {parts[1], parts[2], parts[3]})
  end
  local flat = {tensors = tensors, form = self.form, key = self.key, names = self.names}
  flat.rows = data.count_batch(self.owner, flat, self.options,
    "; each element is to be a batch, as dataset:batch(n) makes it")
  return flat
end

-- Names of columns in messages: "x", "y", "x[2]".
local function column_names(form)
  local names = {}
  local function name(place, text)
    if type(place) == "number" then
      names[place] = text
      return
    end
    for key, item in pairs(place) do
      name(item, text .. (type(key) == "number" and "[" .. key .. "]" or "." .. key))
    end
  end
  for key, place in pairs(form) do name(place, key) end
  return names
end

-- Doubles become floats in the threads, as they do for arrays.
local function to_floatx(description)
  local copy = native.copy(description)
  for k, type in ipairs(native.types(description)) do
    local dtype, before = floatx_of(type.dtype), copy.transforms[k]
    if dtype ~= type.dtype then
      copy.transforms[k] = {dtype = dtype, scale = before and before.scale or 1,
        offset = before and before.offset or 0}
    end
  end
  return copy
end

---------------------------------------------------------------- arrays in an order

-- Batches of arrays in memory, all rows once: the order of the rows is drawn beforehand, and the
-- engine gathers them as it does for plain arrays.
local function ordered_arrays(owner, description, options)
  if not description.tensors or not description.covers or options.class_weight
    or options.inputs_only then
    return nil
  end
  if next(description.transforms) ~= nil then return nil end
  local form = training_form(owner, description.form, options)
  local parts = data.pack(form, description.tensors)
  return require("cusp.training.source").arrays(owner,
    {x = parts[1], y = parts[2], sample_weight = parts[3]},
    {batch_size = description.batch, order_of = function() return native.order(description) end})
end

---------------------------------------------------------------- datasets

local function check_end(owner, dataset, options)
  if dataset:count() == INFINITE and not options.limit then
    local what = owner:find "^fit$" and "steps_per_epoch"
      or owner:find "validation" and "validation_steps" or "steps"
    errors.raise(
      "%s: the dataset has no end (repeat_ without a count); say with %s how many batches to take",
      owner, what)
  end
end

local function check_batched(owner, types)
  for _, type in ipairs(types) do
    if #type.shape == 0 then
      errors.raise(
        "%s: the elements of the dataset are single samples (%s); put them into batches with "
        .. "dataset:batch(n)", owner,
        type.dtype .. " []")
    end
  end
end

--- The source of a dataset.
function dataset_source.of_dataset(owner, dataset, options)
  check_end(owner, dataset, options)
  local count = dataset:count()
  local common = {owner = owner, dataset = dataset, options = options,
    steps = count >= 0 and count or nil, batches = true}
  local description = dataset:lower()
  if not description then return setmetatable(common, Elements) end
  check_batched(owner, native.types(description))
  local arrays = description.batch and ordered_arrays(owner, description, options)
  if arrays then return arrays end
  common.description = to_floatx(description)
  common.form = training_form(owner, description.form, options)
  common.key, common.names = structure.describe(common.form), column_names(common.form)
  common.batch_size = description.batch
  return setmetatable(common, Pipeline)
end

---------------------------------------------------------------- batches by number

local Sequence = {}
Sequence.__index = Sequence

-- The order of batches is random in each pass where `shuffle` is wanted.
function Sequence:rewind()
  self.steps = self.sequence:batches()
  self.cursor = 0
  self.order = self.options.shuffle and self.steps and self.steps > 0
    and engine.ops.random_permutation(random.key_of(nil, "fit"), self.steps):flat() or nil
  if type(self.sequence.on_epoch_begin) == "function" then self.sequence:on_epoch_begin() end
end

function Sequence:finished() return self.steps ~= nil and self.cursor >= self.steps end

function Sequence.whole() return 0 end

function Sequence:batch()
  if self:finished() then return nil end
  self.cursor = self.cursor + 1
  local index = self.order and self.order[self.cursor] + 1 or self.cursor
  local got = table.pack(self.sequence:get_item(index))
  if got[1] == nil then
    errors.raise("%s: %s:get_item(%d) gave nothing; expected x, (x, y) or (x, y, sample_weight)",
      self.owner,
      getmetatable(self.sequence).__name, index)
  end
  return data.batch(self.owner, self.options, table.unpack(got, 1, 3))
end

function Sequence:epoch_end()
  if type(self.sequence.on_epoch_end) == "function" then self.sequence:on_epoch_end() end
end

--- The source of a `cusp.utils.PyDataset`.
function dataset_source.of_sequence(owner, sequence, options)
  local steps = sequence:batches()
  if steps == 0 then
    errors.raise("%s: the %s has length 0", owner, getmetatable(sequence).__name)
  end
  if not steps and not options.limit then
    errors.raise("%s: a PyDataset without length needs a number of steps", owner)
  end
  return setmetatable({owner = owner, sequence = sequence, options = options, steps = steps,
    batches = true}, Sequence)
end

return dataset_source
