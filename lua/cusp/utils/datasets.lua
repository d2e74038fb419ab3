--- Splitting data.
-- @module cusp.utils.datasets
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local structure = require "cusp.base.structure"

local datasets = {}
local rows = engine.ops

local bind_split = arguments.binder("split_dataset", {
  {"dataset", "any"},
  {"left_size", "number", optional = true, min = 0},
  {"right_size", "number", optional = true, min = 0},
  {"shuffle", "boolean", default = false},
  {"seed", "integer", optional = true},
}, "nested")

-- To the nearest integer, halves to the even one.
local function rounded(number)
  local below = math.floor(number)
  local rest = number - below
  local up = rest > 0.5 or rest == 0.5 and below % 2 == 1
  return up and below + 1 or below
end

local function share(name, size, total)
  if size == nil then return nil end
  local count = math.type(size) == "integer" and size or rounded(size * total)
  if math.type(size) == "float" and size > 1 or count > total then
    errors.raise(
      "split_dataset: %s should be a share (a float from 0 to 1) or at most %d samples, got %s",
      name, total, size)
  end
  return count
end

local function part(dataset, first, last)
  return structure.map(dataset, function(tensor) return tensor:slice{{first, last}} end)
end

-- The numbers of samples on both sides, by Keras's rules.
local function sizes(left_size, right_size, total)
  if not left_size and not right_size then
    errors.raise("split_dataset: expected left_size, right_size or both; both "
      .. "are nil")
  end
  local left, right = share("left_size", left_size, total), share("right_size", right_size, total)
  left = left or total - right
  right = right or total - left
  if left + right > total then
    errors.raise(
      "split_dataset: left_size and right_size are %d and %d samples, more than the %d "
      .. "available", left, right, total)
  end
  if left == 0 or right == 0 then
    errors.raise(
      "split_dataset: of %d samples, %d and %d would go to the two sides; neither should be empty",
      total, left, right)
  end
  return left, right
end

---------------------------------------------------------------- datasets

-- Loads all elements into memory: data that changes between iterations must be fixed before it is
-- split.
local function in_memory(dataset)
  local elements, Dataset = {}, require "cusp.data.dataset"
  local fetch, close = dataset:open()
  for e in fetch do elements[#elements + 1] = e end
  close()
  return Dataset.make(require("cusp.data.stages.source").list, {elements = elements})
end

-- Rows that are read in order need not be loaded to be split.
local function split_elements(dataset, left_size, right_size, shuffle, seed)
  local description = dataset:lower()
  if dataset:count() == -1 then
    errors.raise "split_dataset: the dataset is infinite; use take first"
  end
  if not description or description.shuffled then dataset = in_memory(dataset) end
  local total = dataset:count()
  if total == 0 then errors.raise "split_dataset: the dataset is empty" end
  local left, right = sizes(left_size, right_size, total)
  if shuffle then
    dataset = dataset:shuffle(total, {seed = seed, reshuffle_each_iteration = false})
  end
  return dataset:take(left), dataset:skip(total - right)
end

---------------------------------------------------------------- tensors

-- The common number of samples of all tensors in a structure.
local function count_samples(dataset)
  local total
  for _, leaf in ipairs(structure.flatten(dataset)) do
    if type(leaf) ~= "userdata" then
      errors.raise("split_dataset: expected tensors or a Dataset, got %s", errors.describe(leaf))
    end
    total = total or leaf.shape[1]
    if leaf.shape[1] ~= total then
      errors.raise("split_dataset: one tensor has %s samples, another %s; expected as many of each",
        total, leaf.shape[1])
    end
  end
  return total or errors.raise "split_dataset: expected data, got none"
end

--- Splits a dataset into two parts.
-- @param dataset a Dataset, a tensor, or a nested table of tensors with the same number of samples
-- @tparam[opt] number left_size the number of samples on the left, or their share (a float up to
-- 1.0)
-- @tparam[opt] number right_size the same for the right; by default the rest
-- @tparam[opt=false] boolean shuffle
-- @tparam[opt] integer seed
-- @return the left part, of the same kind
-- @return the right part
function datasets.split_dataset(...)
  local dataset, left_size, right_size, shuffle, seed = bind_split(...)
  if type(dataset) == "table" and #dataset == 1 and kinds.is_dataset(dataset[1]) then
    dataset = dataset[1]
  end
  if kinds.is_dataset(dataset) then
    return split_elements(dataset, left_size, right_size, shuffle, seed)
  end
  if type(dataset) == "table" and type(dataset[1]) == "userdata" and #dataset == 1 then
    dataset = dataset[1]
  end
  local total = count_samples(dataset)
  local left, right = sizes(left_size, right_size, total)
  if shuffle then
    local order = require("cusp.tensors.random").shuffle(rows.arange(0, total, {dtype = "int64"}),
      {seed = seed})
    dataset = structure.map(dataset, function(tensor) return rows.take(tensor, order, 1) end)
  end
  return part(dataset, 1, left), part(dataset, total - right + 1, total)
end

--- Packs a batch into one table: inputs, targets and sample weights, as far as given.
-- @treturn table
function datasets.pack_x_y_sample_weight(x, y, sample_weight)
  if y == nil then return structure.is_container(x) and {x} or x end
  return {x, y, sample_weight}
end

--- The inputs, targets and sample weights of a batch.
-- @return x
-- @return y or nil
-- @return sample_weight or nil
function datasets.unpack_x_y_sample_weight(data)
  if not structure.is_container(data) then return data end
  if #data < 1 or #data > 3 then
    errors.raise("expected a batch {x}, {x, y} or {x, y, sample_weight}, got %d items", #data)
  end
  return data[1], data[2] or nil, data[3] or nil
end

return datasets
