--- Methods of datasets that group elements, compare them or leave some out. They become methods of
-- `cusp.data.Dataset`.
-- @module cusp.data.groups
local arguments = require "cusp.base.arguments"
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local None = require("cusp.base.shape").None

local groups = {}

local function make(...) return require("cusp.data.dataset").make(...) end

local function stage(name) return require("cusp.data.stages.group")[name] end

local function of_elements(elements)
  return make(require("cusp.data.stages.source").list, {elements = elements})
end

local name = {"name", "any", optional = true}

---------------------------------------------------------------- windows of one key

local bind_group = arguments.binder("group_by_window", {
  {"key_func", "function"}, {"reduce_func", "function"},
  {"window_size", "integer", optional = true, min = 1},
  {"window_size_func", "function", optional = true}, name,
}, false)

--- Elements with equal keys, as many of a key as a window has, made into datasets whose elements
-- follow each other. Groups that are not full in the end come in the order of their keys.
-- @tparam function key_func gets an element's parts, returns an integer
-- @tparam function reduce_func gets the key, an integer, and a dataset of the group; returns a
-- dataset
-- @tparam[opt] integer window_size elements in a group
-- @tparam[opt] function window_size_func in its place: the size for a key
-- @usage words:group_by_window(function(w) return #w end, function(_, group)
--   return group:batch(8)
-- end, 8)
function groups:group_by_window(...)
  local key_func, reduce_func, window_size, window_size_func = bind_group(...)
  if (window_size == nil) == (window_size_func == nil) then
    errors.raise "group_by_window: expected either window_size or window_size_func"
  end
  return make(stage "by_window", {
    key_func = key_func, reduce_func = reduce_func, window_size = window_size,
    window_size_func = window_size_func, from_elements = of_elements,
  }, self)
end

local bind_bucket = arguments.named_binder("bucket_by_sequence_length", {
  {"element_length_func", "function"}, {"bucket_boundaries", "list"},
  {"bucket_batch_sizes", "list"}, {"padded_shapes", "any", optional = true},
  {"padding_values", "any", optional = true},
  {"pad_to_bucket_boundary", "boolean", default = false},
  {"no_padding", "boolean", default = false},
  {"drop_remainder", "boolean", default = false}, name,
}, false)

local function check_buckets(boundaries, sizes)
  if #sizes ~= #boundaries + 1 then
    errors.raise("bucket_by_sequence_length: expected one more of bucket_batch_sizes than of "
      .. "bucket_boundaries, got %d and %d", #sizes, #boundaries)
  end
  for _, list in ipairs{boundaries, sizes} do
    for i, number in ipairs(list) do
      if math.type(number) ~= "integer" or list == sizes and number < 1 then
        errors.raise("bucket_by_sequence_length: boundaries are integers and batch sizes positive "
          .. "integers, got %s at position %d", errors.describe(number), i)
      end
    end
  end
end

-- The number of the bucket, from 1, for a length.
local function bucket_of(boundaries, length)
  if engine.is_tensor(length) then length = length:item() end
  if type(length) ~= "number" then
    errors.raise("bucket_by_sequence_length: element_length_func should return a number, got %s",
      errors.describe(length))
  end
  for i, boundary in ipairs(boundaries) do
    if length < boundary then return i end
  end
  return #boundaries + 1
end

-- `shapes` (nil: those of the elements) with sizes that are not known replaced.
local function filled(shapes, form, types, size)
  if type(form) ~= "number" then
    local result = {}
    for key, place in pairs(form) do
      result[key] = filled(shapes and shapes[key], place, types, size)
    end
    return result
  end
  local shape = {}
  for axis, own in ipairs(shapes or types[form].shape) do
    shape[axis] = (own == None or own == -1) and size or own
  end
  return shape
end

-- The elements' shapes; where functions make them, the first sizes are taken for unknown.
local function shapes_of(dataset, group)
  local form, types = dataset:known_types()
  if form then return form, types end
  local e = group:sample()
  types = element.types(e)
  for _, type in ipairs(types) do
    if #type.shape > 0 then type.shape = {None, table.unpack(type.shape, 2)} end
  end
  return e.form, types
end

--- Batches of elements of like lengths, filled up.
-- @tparam function element_length_func gets an element's parts, returns its length
-- @tparam {integer,...} bucket_boundaries lengths at which the next bucket begins
-- @tparam {integer,...} bucket_batch_sizes one for each bucket: one more than boundaries
-- @param[opt] padded_shapes as for `padded_batch`
-- @param[opt] padding_values likewise
-- @tparam[opt=false] boolean pad_to_bucket_boundary to one less than the bucket's boundary, rather
-- than to the longest of the batch
-- @tparam[opt=false] boolean no_padding whether elements of a bucket have one shape
-- @tparam[opt=false] boolean drop_remainder
function groups:bucket_by_sequence_length(...)
  local given = bind_bucket(...)
  local boundaries, sizes = given.bucket_boundaries, given.bucket_batch_sizes
  check_buckets(boundaries, sizes)
  local function batches(bucket, group)
    local options = {drop_remainder = given.drop_remainder}
    if given.no_padding then return group:batch(sizes[bucket], options) end
    options.padded_shapes, options.padding_values = given.padded_shapes, given.padding_values
    if given.pad_to_bucket_boundary then
      if not boundaries[bucket] then
        errors.raise("bucket_by_sequence_length: with pad_to_bucket_boundary elements have to be "
          .. "shorter than the last boundary, %d", boundaries[#boundaries])
      end
      local form, types = shapes_of(self, group)
      options.padded_shapes = filled(given.padded_shapes, form, types,
        boundaries[bucket] - 1)
    end
    return group:padded_batch(sizes[bucket], options)
  end
  return groups.group_by_window(self, {
    key_func = function(...) return bucket_of(boundaries, given.element_length_func(...)) end,
    reduce_func = batches, window_size_func = function(bucket) return sizes[bucket] end,
  })
end

---------------------------------------------------------------- batches, states, comparing

local bind_ragged = arguments.binder("ragged_batch", {
  {"batch_size", "integer", min = 1}, {"drop_remainder", "boolean", default = false}, name,
}, false)

--- Elements put together whose first axes differ: in place of a part comes a table of `values`, the
-- entries of all elements one after another, and `row_splits` (int64), where those of each element
-- begin, with the end of the last. Scalars, and parts whose shape is known beforehand, are put into
-- batches as ever.
-- @tparam integer batch_size
-- @tparam[opt=false] boolean drop_remainder
function groups:ragged_batch(...)
  local batch_size, drop_remainder = bind_ragged(...)
  return make(stage "ragged_batch",
    {batch_size = batch_size, drop_remainder = drop_remainder}, self)
end

local bind_unique = arguments.binder("unique", {name}, false)

--- The elements that did not come before: of int32, int64 or strings.
function groups:unique(...)
  bind_unique(...)
  local form, types = self:known_types()
  if form then stage("unique").check(types) end
  return make(stage "unique", {}, self)
end

local bind_scan = arguments.binder("scan",
  {{"initial_state", "any"}, {"scan_func", "function"}, name}, false)

--- What a function makes of each element and a state that it hands on.
-- @param initial_state a tensor, a number, a string or a table
-- @tparam function scan_func gets the state and the element's parts; returns the new state, of the
-- same type, then what to give, as for `map`
-- @usage numbers:scan(0, function(sum, x) return sum + x:item(), x end)
function groups:scan(...)
  local initial_state, scan_func = bind_scan(...)
  return make(stage "scan", {initial_state = initial_state, scan_func = scan_func}, self)
end

local bind_ignore = arguments.binder("ignore_errors",
  {{"log_warning", "boolean", default = false}, name}, false)

--- The elements that can be made, without those at which a function, a file or a batch fails. A
-- generator that raised has ended.
-- @tparam[opt=false] boolean log_warning whether to warn of each
function groups:ignore_errors(...)
  return make(stage "ignore_errors", {log_warning = bind_ignore(...)}, self)
end

--- The one element that there is.
-- @return its parts
-- @raise where there are none or more
function groups:get_single_element()
  local fetch, close = self:open()
  local _ <close> = setmetatable({}, {__close = function() close() end})
  local e = fetch()
  if not e then errors.raise "get_single_element: the dataset is empty" end
  if fetch() then errors.raise "get_single_element: the dataset has more than one element" end
  return element.values(e)
end

return groups
