--- Taking data apart.
-- @module cusp.utils.datasets
local arguments = require "cusp.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.errors"
local structure = require "cusp.models.structure"

local datasets = {}
local rows = engine.ops

local bind_split = arguments.binder("split_dataset", {
  { "dataset", "any" },
  { "left_size", "number", optional = true, min = 0 },
  { "right_size", "number", optional = true, min = 0 },
  { "shuffle", "boolean", default = false },
  { "seed", "integer", optional = true },
}, "nested")

local function share(name, size, total)
  if size == nil then return nil end
  local count = math.type(size) == "integer" and size or math.floor(size * total + 0.5)
  if math.type(size) == "float" and size > 1 or count > total then
    errors.raise("split_dataset: %s should be a share below 1 or at most %d samples, got %s", name, total, size)
  end
  return count
end

local function part(dataset, first, last)
  return structure.map(dataset, function(tensor) return tensor:slice { { first, last } } end)
end

--- Two parts of a data set.
-- @param dataset a tensor, or a nested table of tensors with one number of samples
-- @tparam[opt] number left_size how many samples, or which share (a float up to 1.0), go to the left
-- @tparam[opt] number right_size likewise for the right; the rest by default
-- @tparam[opt=false] boolean shuffle
-- @tparam[opt] integer seed
-- @return the left part
-- @return the right part
function datasets.split_dataset(...)
  local dataset, left_size, right_size, shuffle, seed = bind_split(...)
  local leaves = structure.flatten(dataset)
  if #leaves == 1 and type(dataset) == "table" and type(dataset[1]) == "userdata" and #dataset == 1 then dataset = dataset[1] end
  local total
  for _, leaf in ipairs(leaves) do
    if type(leaf) ~= "userdata" then errors.raise("split_dataset: expected tensors, got %s", errors.describe(leaf)) end
    total = total or leaf.shape[1]
    if leaf.shape[1] ~= total then errors.raise("split_dataset: %s and %s samples", total, leaf.shape[1]) end
  end
  if not total then errors.raise "split_dataset: there is no data" end
  local left, right = share("left_size", left_size, total), share("right_size", right_size, total)
  if not left and not right then errors.raise "split_dataset: left_size or right_size has to be given" end
  left = left or total - right
  right = right or total - left
  if left + right > total then errors.raise("split_dataset: %d and %d samples of %d", left, right, total) end
  if shuffle then
    local order = require("cusp.random").shuffle(rows.arange(0, total, { dtype = "int64" }), { seed = seed })
    dataset = structure.map(dataset, function(tensor) return rows.take(tensor, order, 1) end)
  end
  return part(dataset, 1, left), part(dataset, left + 1, left + right)
end

--- The parts of a batch as one table: inputs, targets and sample weights, as far as they are given.
-- @treturn table
function datasets.pack_x_y_sample_weight(x, y, sample_weight)
  if y == nil then return structure.is_container(x) and { x } or x end
  return { x, y, sample_weight }
end

--- Inputs, targets and sample weights of a batch.
-- @return x
-- @return y or nil
-- @return sample_weight or nil
function datasets.unpack_x_y_sample_weight(data)
  if not structure.is_container(data) then return data end
  if #data < 1 or #data > 3 then errors.raise("expected a batch {x}, {x, y} or {x, y, sample_weight}, got %d items", #data) end
  return data[1], data[2] or nil, data[3] or nil
end

return datasets
