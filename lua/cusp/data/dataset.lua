--- Datasets: sequences of elements, read when they are asked for, with tf.data's methods and
-- names.
--
-- An element is a tensor, a string, a tuple of parts (a Lua list; functions get and return its
-- parts as several values) or a table of parts by name. Every method gives a new dataset and
-- leaves the old one as it is; every iteration starts anew, and several may run at once.
--
--     local source = cusp.data.Dataset.from_tensor_slices{x, y}
--     local dataset = source:shuffle(1000):batch(32):prefetch(2)
--     for x, y in dataset:iterate() do ... end   -- also `for x, y in dataset do`
--     for i, x, y in pairs(dataset) do ... end   -- with a count from 1
--     model:fit{dataset, epochs = 3}
--
-- Reading, decoding, shuffling, repeating, batching, casting and scaling of tensors and files run
-- in background threads of the engine while the program computes, as long as no function of the
-- user's is among the stages before them: `map` and the like run as plain Lua in the program's own
-- thread (`map(cusp.compile(f))` runs them from a plan; batch first, so that they are called once a
-- batch). `num_parallel_calls`, `deterministic` and `name` are taken for tf.data's sake: the order
-- is always the same.
-- @classmod cusp.data.Dataset
local arguments = require "cusp.base.arguments"
local element = require "cusp.data.machinery.element"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local spec = require "cusp.data.machinery.spec"
local structure = require "cusp.base.structure"

local Dataset = {__name = "Dataset", __dataset = true}
local getters = {}

--- What `cardinality` gives for datasets without end, and for those whose length is known only by
-- going through them.
Dataset.INFINITE_CARDINALITY, Dataset.UNKNOWN_CARDINALITY = -1, -2
--- Let the library choose, for `buffer_size` of prefetch and `num_parallel_calls`.
Dataset.AUTOTUNE = -1

local function stage(file, name) return require("cusp.data.stages." .. file)[name] end

local function make(kind, options, ...)
  local inputs = {...}
  return setmetatable({stage = kind, options = options or {}, inputs = inputs, input = inputs[1]},
    Dataset)
end

--- A dataset of a stage; for the library's own files.
Dataset.make = make

--- Whether a value is a dataset.
-- @local
function Dataset.is_instance(value) return getmetatable(value) == Dataset end

function Dataset.__index(self, key)
  local method = Dataset[key]
  if method ~= nil then return method end
  local getter = getters[key]
  return getter and getter(self)
end

local parallel = {{"num_parallel_calls", "any", optional = true},
  {"deterministic", "any", optional = true},
  {"name", "any", optional = true}}

-- Binds a method's arguments: `self`, then the parameters, then those that every stage takes.
local function binder(name, parameters, ...)
  local all = table.move(parameters, 1, #parameters, 1, {})
  for _, extra in ipairs{...} do all[#all + 1] = extra end
  return arguments.binder(name, all, false)
end

---------------------------------------------------------------- the insides

--- Opens the dataset.
-- @treturn function that gives the next element (flat; nil at the end)
-- @treturn function that ends the iteration early
-- @local
function Dataset:open()
  local description = self:lower()
  if not description then return self.stage.open(self) end
  local pipeline = require("cusp.data.machinery.native").open(description)
  local form, ended = description.form, false
  local function take(first, ...)
    if first == nil then
      ended = true
      pipeline:close()
      return nil
    end
    return {first, form = form, ...}
  end
  return function()
    if ended then return nil end
    return take(pipeline:next())
  end, function()
    ended = true
    pipeline:close()
  end
end

--- What the engine's threads can do of it; nil where it needs Lua.
-- @local
function Dataset:lower()
  local lower = self.stage.lower
  return lower and lower(self)
end

--- How many elements, -1 without end, -2 not known.
-- @local
function Dataset:count() return self.stage.cardinality(self) end

--- Form and types of the elements where they are known without reading any; with `peek`, an
-- element is read, and functions of the user's are called with it, where nothing else tells.
-- @local
function Dataset:known_types(peek)
  local description = self:lower()
  if description then
    return description.form, require("cusp.data.machinery.native").types(description)
  end
  local types = self.stage.types
  if types then return types(self, peek) end
end

--- An element of the dataset, read without a trace: no seed is drawn and no cache filled for it.
-- @treturn ?table nil where there is none
-- @local
function Dataset:sample()
  local sample = self.stage.sample
  if sample then return sample(self) end
  local fetch, close = self:open()
  local _ <close> = setmetatable({}, {__close = function() close() end})
  return fetch()
end

---------------------------------------------------------------- making

local function no_rows(part) return element.type_of(part).shape[1] == nil end

--- The rows of tensors along their first axes.
-- @param tensors a tensor, a table of numbers or strings, or lists and tables by name of those with
-- one number of rows; nested tables of numbers alone are one tensor (`{cusp.tensor{1, 2},
-- cusp.tensor{3, 4}}` is a tuple, `{{1, 2}, {3, 4}}` a matrix)
-- @treturn Dataset
-- @usage cusp.data.Dataset.from_tensor_slices{x_train, y_train}
function Dataset.from_tensor_slices(tensors)
  if tensors == nil then errors.raise "from_tensor_slices: expected tensors, got nil" end
  local e = element.of("from_tensor_slices", tensors)
  if #e == 0 then errors.raise "from_tensor_slices: expected tensors, got an empty table" end
  local rows = element.type_of(e[1]).shape[1]
  for k = 1, #e do
    if no_rows(e[k]) then
      errors.raise("from_tensor_slices: part %d is %s, which has no rows", k,
        element.describe{e[k], form = 1})
    end
    local own = element.type_of(e[k]).shape[1]
    if own ~= rows then
      errors.raise(
        "from_tensor_slices: part %d has %d rows, but the first has %d; expected as many of each",
        k, own, rows)
    end
  end
  return make(stage("source", "slices"), {element = element.compute(e), rows = rows})
end

--- One element, the tensors as they are.
function Dataset.from_tensors(tensors)
  if tensors == nil then errors.raise "from_tensors: expected tensors, got nil" end
  return make(stage("source", "tensors"),
    {element = element.compute(element.of("from_tensors", tensors))})
end

local bind_generator = arguments.binder("from_generator", {
  {"generator", "any"}, {"output_types", "any", optional = true},
  {"output_shapes", "any", optional = true},
  {"args", "any", optional = true}, {"output_signature", "any", optional = true},
  {"name", "any", optional = true},
}, false)

-- output_types and output_shapes, in one structure, as TensorSpecs.
local function signature_of(types, dims)
  if type(types) == "string" then
    return dims and spec.TensorSpec{dims, types} or {dtype = types}
  end
  if type(types) ~= "table" or dims ~= nil and type(dims) ~= "table" then
    errors.raise(
      "from_generator: expected output_types and output_shapes of one structure, got %s and %s",
      errors.describe(types),
      errors.describe(dims))
  end
  local result = {}
  for key, item in pairs(types) do result[key] = signature_of(item, dims and dims[key]) end
  return result
end

local function flatten_types(signature, types)
  if type(signature.dtype) == "string" then
    types[#types + 1] = {dtype = signature.dtype, shape = signature.shape}
    return #types
  end
  local form = {}
  if structure.is_list(signature) then
    for i = 1, #signature do form[i] = flatten_types(signature[i], types) end
  else
    for _, key in ipairs(structure.keys(signature)) do
      form[key] = flatten_types(signature[key], types)
    end
  end
  return form
end

--- Elements from a function or a coroutine.
-- The function is called when an iteration begins. It may yield elements (`coroutine.yield(x, y)`);
-- return a function that gives one element a call and nil at the end; or be such a function itself.
-- @tparam function|thread generator a coroutine can be gone through once
-- @param[opt] output_types dtypes in the elements' structure
-- @param[opt] output_shapes shapes likewise
-- @tparam[opt] table args arguments of the function
-- @param[opt] output_signature TensorSpecs in the elements' structure; by default the first element
-- sets structure and dtypes
-- @raise while iterating, naming the element, where the function raises or gives another structure
function Dataset.from_generator(...)
  local generator, output_types, output_shapes, args, signature = bind_generator(...)
  local meta = getmetatable(generator)
  if type(generator) ~= "function" and type(generator) ~= "thread"
    and not (type(meta) == "table" and meta.__call) then
    errors.raise("from_generator: expected a function or a coroutine, got %s",
      errors.describe(generator))
  end
  local declared
  if signature ~= nil then
    local form, types = spec.flatten("from_generator: output_signature", signature)
    declared = {form = form, types = types}
  elseif output_types ~= nil then
    local types = {}
    local form = flatten_types(signature_of(output_types, output_shapes), types)
    declared = {form = form, types = types}
  end
  return make(stage("source", "generator"),
    {generator = generator, args = args or {}, signature = declared})
end

--- Integers: `range(stop)`, `range(start, stop)` or `range(start, stop, step)`; int64 scalars.
-- @tparam integer ... the stop, the start and the stop, or these and the step
-- @tparam[opt="int64"] string output_type
function Dataset.range(...)
  local given = table.pack(...)
  local options = structure.is_container(given[given.n]) and given[given.n] or {}
  local numbers = {}
  for i = 1, given.n do
    if given[i] ~= options then numbers[#numbers + 1] = given[i] end
  end
  for i = 1, #options do numbers[#numbers + 1] = options[i] end
  for _, number in ipairs(numbers) do
    if math.type(number) ~= "integer" then
      errors.raise("range: expected integers, got %s", errors.describe(number))
    end
  end
  if #numbers == 0 or #numbers > 3 then
    errors.raise("range: expected 1 to 3 integers, got %d", #numbers)
  end
  local start, stop, step = 0, numbers[1], numbers[3] or 1
  if #numbers > 1 then start, stop = numbers[1], numbers[2] end
  if step == 0 then errors.raise "range: step should not be 0" end
  return make(stage("source", "range"),
    {start = start, stop = stop, step = step, output_type = options.output_type or "int64"})
end

---------------------------------------------------------------- order

local function integer(name, least, extra)
  local parameter = {name, "integer", min = least}
  for key, value in pairs(extra or {}) do parameter[key] = value end
  return parameter
end

local bind_shuffle = binder("shuffle", {
  integer("buffer_size", 1), {"seed", "integer", optional = true},
  {"reshuffle_each_iteration", "boolean", default = true},
}, parallel[3], integer("max_bytes", 0, {default = 1 << 29}))

--- Elements in random order: each time a random one of the next `buffer_size`; for a perfect
-- shuffle, as many as there are. On rows of arrays and files a place in the buffer costs 8 bytes,
-- whatever the row. Of files in chunks (HDF5) the decoded rows that wait in the buffer are kept, so
-- that each chunk is decoded once; where they would need more than `max_bytes`, the chunks come in
-- random order, and rows are drawn from as many of them as `max_bytes` holds.
-- @tparam integer buffer_size
-- @tparam[opt] integer seed by default from `cusp.random.set_seed`
-- @tparam[opt=true] boolean reshuffle_each_iteration
-- @tparam[opt] string name
-- @tparam[opt=536870912] integer max_bytes of decoded rows; 0: rows are decoded when they are drawn
function Dataset:shuffle(...)
  local buffer_size, seed, reshuffle, _, max_bytes = bind_shuffle(...)
  -- One order for all iterations is drawn here, so that a program that runs again finds it again.
  if not reshuffle and not seed then seed = require("cusp.data.machinery.seeds").fresh() end
  return make(stage("order", "shuffle"),
    {buffer_size = buffer_size, seed = seed, reshuffle_each_iteration = reshuffle,
      max_bytes = max_bytes}, self)
end

local bind_repeat = binder("repeat", {{"count", "integer", optional = true}}, parallel[3])

--- The elements again and again. `repeat` is a word of Lua's: write `dataset:repeat_(2)` or
-- `dataset["repeat"](dataset, 2)`.
-- @tparam[opt=-1] integer count how many times; -1: without end
function Dataset:repeat_(...)
  local count = bind_repeat(...)
  return make(stage("order", "repeated"), {count = count or -1}, self)
end
Dataset["repeat"] = Dataset.repeat_

local bind_take = binder("take", {integer("count", -1)}, parallel[3])

--- The first elements.
-- @tparam integer count -1: all
function Dataset:take(...) return make(stage("order", "take"), {count = (bind_take(...))}, self) end

local bind_skip = binder("skip", {integer("count", -1)}, parallel[3])

--- All but the first elements.
-- @tparam integer count -1: none is left
function Dataset:skip(...)
  local count = bind_skip(...)
  if count < 0 then return self:take(0) end
  return make(stage("order", "skip"), {count = count}, self)
end

local bind_shard = binder("shard", {integer("num_shards", 1), integer("index", 0)}, parallel[3])

--- Every `num_shards`-th element, from `index` on (counted from 0).
function Dataset:shard(...)
  local shards, index = bind_shard(...)
  if index >= shards then
    errors.raise("shard: index should be from 0 to %d, got %d", shards - 1, index)
  end
  return make(stage("order", "shard"), {num_shards = shards, index = index}, self)
end

local bind_prefetch = binder("prefetch", {{"buffer_size", "integer", optional = true}}, parallel[3])

--- How many elements (batches, after `batch`) the background threads keep ready. By default, and
-- with AUTOTUNE, they choose.
function Dataset:prefetch(...)
  return make(stage("order", "prefetch"), {buffer_size = bind_prefetch(...) or -1}, self)
end

---------------------------------------------------------------- batches

local bind_batch = binder("batch",
  {integer("batch_size", 1), {"drop_remainder", "boolean", default = false}},
  table.unpack(parallel))

--- Elements put together, with a new first axis.
-- @tparam integer batch_size
-- @tparam[opt=false] boolean drop_remainder whether a smaller last batch is left out
-- @raise while iterating, where elements differ in structure, shape or dtype
function Dataset:batch(...)
  local batch_size, drop_remainder = bind_batch(...)
  return make(stage("batch", "batch"), {batch_size = batch_size, drop_remainder = drop_remainder},
    self)
end

local bind_padded = binder("padded_batch", {
  integer("batch_size", 1), {"padded_shapes", "any", optional = true},
  {"padding_values", "any", optional = true},
  {"drop_remainder", "boolean", default = false},
}, parallel[3])

--- Batches of elements whose shapes differ, each filled up at the end of each axis.
-- @tparam integer batch_size
-- @param[opt] padded_shapes shapes in the elements' structure, with `cusp.None` or -1 for the
-- largest of the batch, which is the default
-- @param[opt=0] padding_values a number, or numbers in the elements' structure, of the parts'
-- types: integers where the parts are
-- @tparam[opt=false] boolean drop_remainder
function Dataset:padded_batch(...)
  local batch_size, padded_shapes, padding_values, drop_remainder = bind_padded(...)
  local padded = make(stage("batch", "padded_batch"), {
    batch_size = batch_size, padded_shapes = padded_shapes, padding_values = padding_values,
    drop_remainder = drop_remainder,
  }, self)
  local form, types = self:known_types()
  if form then padded.stage.check(form, types, padded.options) end
  return padded
end

--- The entries of each element along its first axis, one by one.
function Dataset:unbatch() return make(stage("batch", "unbatch"), {}, self) end

local bind_rebatch = binder("rebatch",
  {integer("batch_size", 1), {"drop_remainder", "boolean", default = false}}, parallel[3])

--- The same entries in batches of another size.
function Dataset:rebatch(...)
  local batch_size, drop_remainder = bind_rebatch(...)
  return make(stage("batch", "rebatch"), {batch_size = batch_size, drop_remainder = drop_remainder},
    self)
end

local bind_window = binder("window", {
  integer("size", 1), integer("shift", 1, {optional = true}), integer("stride", 1, {default = 1}),
  {"drop_remainder", "boolean", default = false},
}, parallel[3])

--- Windows of neighbouring elements, each a dataset (a structure of datasets for elements with
-- several parts).
-- @tparam integer size elements in a window
-- @tparam[opt=size] integer shift between the beginnings of windows
-- @tparam[opt=1] integer stride between the elements of a window
-- @tparam[opt=false] boolean drop_remainder whether smaller windows at the end are left out
-- @usage dataset:window(3, 1, {drop_remainder = true}):flat_map(function(w) return w:batch(3) end)
function Dataset:window(...)
  local size, shift, stride, drop_remainder = bind_window(...)
  return make(stage("batch", "window"), {
    size = size, shift = shift or size, stride = stride, drop_remainder = drop_remainder,
    from_elements = function(elements)
      return make(stage("source", "list"), {elements = elements})
    end,
  }, self)
end

---------------------------------------------------------------- functions

local bind_map = binder("map", {{"map_func", "function"}}, table.unpack(parallel))

--- What a function makes of each element.
-- @tparam function map_func gets the parts of a tuple as several values; returns tensors, numbers,
-- strings, tables by name, or several values
function Dataset:map(...) return make(stage("map", "map"), {map_func = bind_map(...)}, self) end

local bind_filter = binder("filter", {{"predicate", "function"}}, parallel[3])

--- The elements for which a function returns true.
function Dataset:filter(...)
  return make(stage("map", "filter"), {predicate = bind_filter(...)}, self)
end

local bind_take_while = binder("take_while", {{"predicate", "function"}}, parallel[3])

--- The elements before the first for which a function returns false.
function Dataset:take_while(...)
  return make(stage("map", "take_while"), {predicate = bind_take_while(...)}, self)
end

local bind_flat_map = binder("flat_map", {{"map_func", "function"}}, parallel[3])

--- The elements of the datasets that a function makes of each element, one after another.
function Dataset:flat_map(...)
  return make(stage("map", "flat_map"), {map_func = bind_flat_map(...)}, self)
end

local bind_interleave = binder("interleave", {
  {"map_func", "function"}, integer("cycle_length", 1, {optional = true}),
  integer("block_length", 1, {default = 1}),
}, table.unpack(parallel))

--- The elements of the datasets that a function makes: `block_length` elements of each of
-- `cycle_length` datasets in turn.
function Dataset:interleave(...)
  local map_func, cycle_length, block_length = bind_interleave(...)
  return make(stage("map", "interleave"),
    {map_func = map_func, cycle_length = cycle_length or 2, block_length = block_length}, self)
end

local bind_enumerate = binder("enumerate", {{"start", "integer", default = 0}}, parallel[3])

--- Tuples of a count (int64, from `start`) and the element.
function Dataset:enumerate(...)
  return make(stage("map", "enumerate"), {start = bind_enumerate(...)}, self)
end

local bind_rescale = binder("rescale", {
  {"scale", "number", default = 1}, {"offset", "number", default = 0},
  {"dtype", "dtype", default = "float32"},
  {"component", "any", optional = true},
})

--- `x * scale + offset` in another dtype, computed in the background threads where the data come
-- from there. Cusp's own.
-- @tparam[opt=1] number scale such as 1/255
-- @tparam[opt=0] number offset
-- @tparam[opt="float32"] string dtype
-- @param[opt] component position or name of the part; by default the first of a tuple, and all
-- parts of other elements
function Dataset:rescale(...)
  local scale, offset, dtype, component = bind_rescale(...)
  return make(stage("map", "rescale"),
    {scale = scale, offset = offset, dtype = dtype, component = component}, self)
end

---------------------------------------------------------------- several datasets

-- Datasets in a structure: a flat list of them, and the structure with positions in it.
local function collect_datasets(value, inputs, depth)
  if Dataset.is_instance(value) then
    inputs[#inputs + 1] = value
    return #inputs
  end
  if not structure.is_container(value) or next(value) == nil then
    errors.raise("zip: expected datasets, or a list or table by name of them, got %s",
      errors.describe(value))
  end
  local place = {}
  depth = structure.deeper(depth)
  if structure.is_list(value) then
    for i = 1, #value do place[i] = collect_datasets(value[i], inputs, depth) end
  else
    for _, key in ipairs(structure.keys(value)) do
      place[key] = collect_datasets(value[key], inputs, depth)
    end
  end
  return place
end

--- Elements of several datasets side by side, until the first of them ends: `Dataset.zip(a, b)`,
-- `Dataset.zip{a, b}`, `Dataset.zip{x = a, y = b}` or `a:zip(b)`.
-- @param ... datasets, or a table of them
function Dataset.zip(...)
  local given, inputs = ..., {}
  if select("#", ...) > 1 then given = {...} end
  local place = collect_datasets(given, inputs, 0)
  return make(stage("combine", "zip"), {place = place}, table.unpack(inputs))
end

--- The elements of this dataset, then those of another with the same structure and dtypes.
function Dataset:concatenate(other)
  if type(other) == "table" and not Dataset.is_instance(other) then
    other = other.dataset or other[1]
  end
  if not Dataset.is_instance(other) then
    errors.raise("concatenate: expected a Dataset, got %s", errors.describe(other))
  end
  local combine = require "cusp.data.stages.combine"
  combine.check_alike(self, other)
  return make(combine.concatenate, {}, self, other)
end

local bind_cache = binder("cache", {{"filename", "string", optional = true}}, parallel[3])

--- Keeps the elements of the first complete iteration, in memory or in a file, and gives those from
-- then on.
-- @tparam[opt] string filename by default memory; an existing file of an earlier program is used
function Dataset:cache(...)
  local filename = bind_cache(...)
  if filename == "" then filename = nil end
  return make(require "cusp.data.stages.cache", {filename = filename}, self)
end

--- `f(dataset)`, for chains of methods.
function Dataset:apply(f)
  if not kinds.is_callable(f) then
    errors.raise("Dataset.apply: expected a function, got %s", errors.describe(f))
  end
  return f(self)
end

---------------------------------------------------------------- going through

-- Ends an iteration that a loop leaves early.
local function closer(close)
  return setmetatable({}, {__close = function() close() end})
end

--- Goes through the elements: `for x, y in dataset:iterate() do`. The parts of a tuple come as
-- several values. Leaving the loop ends the background threads.
function Dataset:iterate()
  local fetch, close = self:open()
  return function()
    local e = fetch()
    if e then return element.values(e) end
  end, nil, nil, closer(close)
end

-- Loops `for x in dataset do`: Lua calls the dataset with the loop's last first value, by which
-- the iteration is found again.
local function step(self, previous)
  local running = rawget(self, "_running")
  if not running then
    running = setmetatable({}, {__mode = "k"})
    rawset(self, "_running", running)
  end
  local key = previous
  -- strings have no identity: the loop begun last is meant
  if type(previous) == "string" then key = element end
  local iteration = running[key]
  if previous == nil or not iteration then iteration = self:iterate() end
  local function keep(first, ...)
    if key ~= nil then running[key] = nil end
    if type(first) == "string" then
      running[element] = iteration
    elseif first ~= nil then
      running[first] = iteration
    end
    return first, ...
  end
  return keep(iteration())
end

function Dataset:__call(...)
  if select("#", ...) == 0 then return self:iterate() end
  return step(self, (select(2, ...)))
end

--- `for i, x, y in pairs(dataset) do`: with a count from 1.
function Dataset:__pairs()
  local fetch = self:iterate()
  local function number(i, ...)
    if (...) == nil then return nil end
    return i, ...
  end
  return function(_, i) return number(i + 1, fetch()) end, self, 0
end

--- One value from all elements.
-- @param initial_state a tensor, a number, or a list of them
-- @tparam function reduce_func gets the state and the element's parts, returns the new state
function Dataset:reduce(initial_state, reduce_func)
  if type(initial_state) == "table" and reduce_func == nil
    and structure.is_container(initial_state) then
    initial_state, reduce_func = initial_state.initial_state or initial_state[1],
      initial_state.reduce_func or initial_state[2]
  end
  if not kinds.is_callable(reduce_func) then
    errors.raise("reduce: expected a function, got %s", errors.describe(reduce_func))
  end
  local map = require "cusp.data.stages.map"
  local state, number = initial_state, 0
  local fetch, close = self:open()
  local _ <close> = closer(close)
  for e in fetch do
    number = number + 1
    state = map.call("reduce", number, reduce_func, state, element.values(e))
    if state == nil then map.forgotten("reduce", number) end
    if type(state) == "userdata" then require("cusp.engine").evaluate{state} end
  end
  return state
end

--- How many elements: an integer; `Dataset.INFINITE_CARDINALITY` (-1) or
-- `Dataset.UNKNOWN_CARDINALITY` (-2).
function Dataset:cardinality() return self:count() end

--- `#dataset`, where the number of elements is known.
function Dataset:__len()
  local count = self:count()
  if count == -1 then errors.raise "the dataset has no end, and so no length" end
  if count == -2 then
    errors.raise "the length of the dataset is not known without going through it"
  end
  return count
end

-- The form and types of an element.
local function sampled_types(self)
  local e = self:sample()
  if not e then
    errors.raise "element_spec: the dataset is empty, so its first element cannot tell"
  end
  return e.form, element.types(e)
end

--- The structure of the elements with a TensorSpec for each part. Functions of `map` and the like
-- are called with one element to know what they return; sizes that differ from batch to batch of
-- what they are given are unknown in it, too.
getters.element_spec = function(self)
  local form, types = self:known_types(true)
  if not form then form, types = sampled_types(self) end
  for _, type in ipairs(types) do
    if not type.shape then form, types = sampled_types(self) break end
  end
  return spec.of(form, types)
end

for _, file in ipairs{"groups", "choices", "saved"} do
  for name, method in pairs(require("cusp.data." .. file)) do Dataset[name] = method end
end

function Dataset:__tostring()
  local count = self:count()
  local text = count == -1 and "without end" or count == -2 and "of unknown length"
    or ("of %d elements"):format(count)
  return ("Dataset %s (%s)"):format(text, self.stage.name)
end

return Dataset
