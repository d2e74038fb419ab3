--- Datasets made by chance or by choice: numbers, and elements of one of several datasets. They
-- become functions and methods of `cusp.data.Dataset`.
-- @module cusp.data.choices
local arguments = require "cusp.base.arguments"
local combine = require "cusp.data.stages.combine"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local seeds = require "cusp.data.machinery.seeds"

local choices = {}

local function make(...) return require("cusp.data.dataset").make(...) end

local function stage(name) return require("cusp.data.stages.choose")[name] end

local name = {"name", "any", optional = true}

---------------------------------------------------------------- numbers

local bind_counter = arguments.binder("counter", {
  {"start", "integer", default = 0}, {"step", "integer", default = 1},
  {"dtype", "dtype", default = "int64"}, name,
}, false)

--- Integers without end.
-- @tparam[opt=0] integer start
-- @tparam[opt=1] integer step
-- @tparam[opt="int64"] string dtype
function choices.counter(...)
  local start, step, dtype = bind_counter(...)
  return make(require("cusp.data.stages.source").counter,
    {start = start, step = step, dtype = dtype})
end

-- A seed for all iterations where none is given, so that a program that runs again finds it again.
local function seeded(seed, rerandomize)
  return {seed = seed or seeds.fresh(), reshuffle_each_iteration = rerandomize}
end

local bind_random = arguments.binder("random", {
  {"seed", "integer", optional = true},
  {"rerandomize_each_iteration", "boolean", default = false}, name,
}, false)

--- Random integers from 0 to 2^32 - 1 (int64), without end.
-- @tparam[opt] integer seed by default from `cusp.random.set_seed`
-- @tparam[opt=false] boolean rerandomize_each_iteration
function choices.random(...)
  local seed, rerandomize = bind_random(...)
  return make(require("cusp.data.stages.source").random, seeded(seed, rerandomize))
end

---------------------------------------------------------------- one of several

local function check_datasets(owner, datasets)
  if #datasets == 0 then errors.raise("%s: there are no datasets", owner) end
  for i, dataset in ipairs(datasets) do
    if not kinds.is_dataset(dataset) then
      errors.raise("%s: dataset %d is %s", owner, i, errors.describe(dataset))
    end
    combine.check_alike(datasets[1], dataset, owner)
  end
end

-- Weights as a list of numbers.
local function weights_of(given, count)
  local weights = engine.is_tensor(given) and given:flat() or given
  if type(weights) ~= "table" or #weights ~= count then
    errors.raise("sample_from_datasets: expected %d weights, got %s", count,
      type(weights) == "table" and #weights or errors.describe(given))
  end
  for i, weight in ipairs(weights) do
    if type(weight) ~= "number" or weight < 0 or weight ~= weight or weight == math.huge then
      errors.raise("sample_from_datasets: weight %d should be 0 or greater, got %s", i,
        errors.describe(weight))
    end
  end
  return weights
end

-- Without those that are never taken.
local function with_weight(datasets, weights)
  local kept, their_weights = {}, {}
  for i, weight in ipairs(weights) do
    if weight > 0 then
      kept[#kept + 1], their_weights[#their_weights + 1] = datasets[i], weight
    end
  end
  if #kept == 0 then return {datasets[1]:take(0)}, {1} end
  return kept, their_weights
end

local bind_sample = arguments.binder("sample_from_datasets", {
  {"datasets", "list"}, {"weights", "any", optional = true}, {"seed", "integer", optional = true},
  {"stop_on_empty_dataset", "boolean", default = false},
  {"rerandomize_each_iteration", "boolean", default = false},
})

--- Elements of several datasets by chance, those of each in their order.
-- @tparam {Dataset,...} datasets of one structure and dtypes
-- @param[opt] weights how likely each is taken: numbers, a tensor, or a dataset of tensors, one
-- for each element; by default all alike
-- @tparam[opt] integer seed by default from `cusp.random.set_seed`
-- @tparam[opt=false] boolean stop_on_empty_dataset whether the first that ends, ends all
-- @tparam[opt=false] boolean rerandomize_each_iteration
function choices.sample_from_datasets(...)
  local datasets, weights, seed, stop_on_empty, rerandomize = bind_sample(...)
  check_datasets("sample_from_datasets", datasets)
  local options = seeded(seed, rerandomize)
  options.stop_on_empty_dataset = stop_on_empty
  local inputs = table.move(datasets, 1, #datasets, 1, {})
  if kinds.is_dataset(weights) then
    options.count = #datasets
    inputs[#inputs + 1] = weights
  else
    local alike = {}
    for i = 1, #datasets do alike[i] = 1 end
    inputs, options.weights =
      with_weight(inputs, weights == nil and alike or weights_of(weights, #datasets))
    options.count = #inputs
    if #inputs == 1 then return inputs[1] end
  end
  return make(stage "sampled", options, table.unpack(inputs))
end

local bind_choose = arguments.binder("choose_from_datasets", {
  {"datasets", "list"}, {"choice_dataset", "any"},
  {"stop_on_empty_dataset", "boolean", default = true},
})

--- Elements of several datasets as another says.
-- @tparam {Dataset,...} datasets of one structure and dtypes
-- @tparam Dataset choice_dataset integers: which of them, counted from 0
-- @tparam[opt=true] boolean stop_on_empty_dataset whether the first that ends, ends all
-- @usage Dataset.choose_from_datasets({a, b}, Dataset.range(2):repeat_())
function choices.choose_from_datasets(...)
  local datasets, choice, stop_on_empty = bind_choose(...)
  check_datasets("choose_from_datasets", datasets)
  if not kinds.is_dataset(choice) then
    errors.raise("choose_from_datasets: choice_dataset should be a Dataset of integers, got %s",
      errors.describe(choice))
  end
  local inputs = table.move(datasets, 1, #datasets, 1, {})
  inputs[#inputs + 1] = choice
  return make(stage "chosen", {count = #datasets, stop_on_empty_dataset = stop_on_empty},
    table.unpack(inputs))
end

---------------------------------------------------------------- classes

local bind_resample = arguments.binder("rejection_resample", {
  {"class_func", "function"}, {"target_dist", "any"}, {"initial_dist", "any", optional = true},
  {"seed", "integer", optional = true}, name,
}, false)

local function distribution(what, given, count)
  local shares = engine.is_tensor(given) and given:flat() or given
  local valid = type(shares) == "table" and #shares > 0 and #shares == (count or #shares)
  for _, share in ipairs(valid and shares or {}) do
    valid = valid and type(share) == "number" and share >= 0
  end
  if not valid then
    errors.raise("rejection_resample: %s should be %s shares of 0 or greater, got %s", what,
      count or "a list of", errors.describe(given))
  end
  return shares
end

--- Tuples of a class (int32) and an element, with elements left out by chance so that the classes
-- come in other shares than in this dataset.
-- @tparam function class_func gets an element's parts, returns its class, from 0
-- @tparam {number,...} target_dist the share of each class
-- @tparam[opt] {number,...} initial_dist their shares here; by default they are estimated
-- @tparam[opt] integer seed by default from `cusp.random.set_seed`
function choices:rejection_resample(...)
  local class_func, target, initial, seed = bind_resample(...)
  local options = seeded(seed, false)
  options.class_func, options.target = class_func, distribution("target_dist", target)
  options.initial = initial ~= nil and distribution("initial_dist", initial, #options.target) or nil
  return make(stage "resampled", options, self)
end

return choices
