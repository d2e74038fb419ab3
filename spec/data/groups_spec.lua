local cusp = require "cusp"
local fails = require "spec.support.fails"
local plain = require "spec.support.plain"
local Dataset = cusp.data.Dataset

local function all(dataset)
  local list = {}
  for a, b in dataset:iterate() do list[#list + 1] = b == nil and plain(a) or plain{a, b} end
  return list
end

-- {1}, {2, 2}, {3, 3, 3}, ...
local function lists(count)
  return Dataset.range(1, count + 1):map(function(x)
    return cusp.ops.full({x:item()}, x:item(), "int32")
  end)
end

local function length(x) return #x end

describe("group_by_window", function()
  it("gives full groups as they come, then the others by their keys", function()
    local function batch(_, group) return group:batch(9) end
    local dataset = Dataset.range(9)
    assert.same({{0, 2}, {1, 3}, {4, 6}, {5, 7}, {8}},
      all(dataset:group_by_window(function(x) return x % 2 end, batch, 2)))
    assert.same({{-2, {2, 5, 8}}, {-1, {1, 4, 7}}, {0, {0, 3, 6}}},
      all(dataset:group_by_window(function(x) return -(x:item() % 3) end, function(key, group)
        return group:batch(9):map(function(x) return key, x end)
      end, 10)))
    assert.same({{0}, {2}, {1, 3}, {4}, {6}, {5, 7}, {8}},
      all(dataset:group_by_window{
        key_func = function(x) return x:item() % 2 end, reduce_func = batch,
        window_size_func = function(key) return key + 1 end,
      }))
  end)

  it("tells types, repeats, and says what is wrong", function()
    local function key() return 1 end
    local grouped = Dataset.range(4):group_by_window(key, function(_, g) return g:batch(2) end, 4)
    assert.equal("TensorSpec(shape = [None], dtype = int64)", tostring(grouped.element_spec))
    assert.equal(-2, grouped:cardinality())
    assert.same({{0, 1}, {2, 3}, {0, 1}, {2, 3}}, all(grouped:repeat_(2)))
    fails("either window_size or window_size_func", function()
      Dataset.range(2):group_by_window(key, key)
    end)
    fails("key_func should return an integer, got string \"a\"", function()
      all(Dataset.range(2):group_by_window(function() return "a" end, key, 2))
    end)
    fails("reduce_func should return a Dataset for key 1, got number 1", function()
      all(Dataset.range(2):group_by_window(key, key, 2))
    end)
    fails("got a size of 0 for key 1", function()
      all(Dataset.range(2):group_by_window(key, key, {window_size_func = function() return 0 end}))
    end)
  end)
end)

describe("bucket_by_sequence_length", function()
  it("pads within buckets", function()
    assert.same({{{1, 0}, {2, 2}}, {{3, 3, 3, 0}, {4, 4, 4, 4}}, {{5, 5, 5, 5, 5}}},
      all(lists(5):bucket_by_sequence_length(length, {3, 5}, {2, 2, 2})))
    assert.same({{{1, 0, 0, 0}, {2, 2, 0, 0}}, {{3, 3, 3, 0}}}, all(lists(3)
      :bucket_by_sequence_length{length, {3, 5}, {2, 2, 2}, padded_shapes = {4}}))
    assert.same({{{1, -1}, {2, 2}}, {{3, 3, 3, -1}, {4, 4, 4, 4}}}, all(lists(5)
      :bucket_by_sequence_length(length, {3, 5}, {2, 2, 2},
        {padding_values = -1, drop_remainder = true})))
  end)

  it("pads to the boundary of the bucket", function()
    assert.same({{{1, 0, 0}}, {{2, 2, 0}}, {{3, 3, 3}}}, all(lists(3)
      :bucket_by_sequence_length(length, {4}, {1, 1}, {pad_to_bucket_boundary = true})))
    fails("shorter than the last boundary, 3", function()
      all(lists(3):bucket_by_sequence_length(length, {3}, {1, 1}, {pad_to_bucket_boundary = true}))
    end)
  end)

  it("leaves what has one shape as it is", function()
    assert.same({{0, 1}, {2}}, all(Dataset.range(3)
      :bucket_by_sequence_length(function() return 1 end, {2}, {2, 1}, {no_padding = true})))
    fails("one more of bucket_batch_sizes", function()
      lists(3):bucket_by_sequence_length(length, {3}, {1})
    end)
    fails("element_length_func should return a number", function()
      all(lists(3):bucket_by_sequence_length(function() return "x" end, {3}, {1, 1}))
    end)
  end)
end)

describe("ragged_batch", function()
  it("keeps the entries and where they are divided", function()
    local batches = lists(3):ragged_batch(2)
    assert.same({{values = {1, 2, 2}, row_splits = {0, 1, 3}},
      {values = {3, 3, 3}, row_splits = {0, 3}}}, all(batches))
    assert.equal(2, #batches)
    assert.equal(1, #lists(3):ragged_batch(2, {drop_remainder = true}))
    assert.equal("int64", batches.element_spec.row_splits.dtype)
  end)

  it("puts scalars and known shapes into batches as ever", function()
    assert.same({{0, 1}, {2}}, all(Dataset.range(3):ragged_batch(2)))
    assert.same({{{1, 1}, {1, 1}}},
      all(Dataset.from_tensor_slices(cusp.ones{2, 2}):ragged_batch(2)))
    local both = lists(2):map(function(x) return x, cusp.tensor(#x) end):ragged_batch(2)
    assert.same({{{values = {1, 2, 2}, row_splits = {0, 1, 3}}, {1, 2}}}, all(both))
    fails("differ in their first axis alone", function()
      all(Dataset.from_generator(function()
        coroutine.yield(cusp.ones{1, 2})
        coroutine.yield(cusp.ones{1, 3})
      end):ragged_batch(2))
    end)
  end)
end)

describe("unique", function()
  it("gives what did not come before", function()
    local dataset = Dataset.from_tensor_slices(cusp.tensor{3, 1, 3, 2, 1}):unique()
    assert.same({3, 1, 2}, all(dataset))
    assert.same({3, 1, 2}, all(dataset))
    assert.equal(-2, dataset:cardinality())
    assert.same({"a", "b"}, all(Dataset.from_tensor_slices{"a", "b", "a"}:unique()))
    assert.same({{1, 2}, {1, 3}},
      all(Dataset.from_tensor_slices(cusp.tensor{{1, 2}, {1, 3}, {1, 2}}):unique()))
    fails("elements of float32 are not compared", function()
      Dataset.from_tensor_slices{1.5}:unique()
    end)
  end)
end)

describe("scan", function()
  it("hands a state on", function()
    local sums = Dataset.range(5):scan(0, function(sum, x)
      return sum + x:item(), sum + x:item()
    end)
    assert.same({0, 1, 3, 6, 10}, all(sums))
    assert.same({0, 1, 3, 6, 10}, all(sums))
    assert.equal(5, #sums)
    assert.same({0, 1, 3, 6}, all(Dataset.range(4):scan(0, function(sum, x)
      return sum + x, sum + x
    end)))
    local pairs_ = Dataset.range(3):scan(cusp.tensor(1, {dtype = "int64"}), function(product, x)
      return product * (x + 1), product, x
    end)
    assert.same({{1, 0}, {1, 1}, {2, 2}}, all(pairs_))
    assert.equal("int64", pairs_.element_spec[2].dtype)
  end)

  it("refuses a state of another type, and functions that return too little", function()
    local function scan(f) return function() all(Dataset.range(3):scan(0, f)) end end
    fails("the state is number 0, but the function returned number 1.5 at element 1",
      scan(function() return 1.5, 1 end))
    fails("there is no element", scan(function(state) return state end))
    fails("scan: the function returned nothing at element 1", scan(function() end))
  end)
end)

describe("ignore_errors", function()
  local function odd(x)
    if x:item() % 2 == 1 then error "odd" end
    return x
  end

  it("leaves out what a function fails at", function()
    assert.same({0, 2, 4}, all(Dataset.range(5):map(odd):ignore_errors()))
    assert.same({{2, 3}, {4}}, all(Dataset.range(5):map(function(x)
      return x:item() == 1 and error "one" or x
    end):batch(2):ignore_errors()))
    local warnings = require("cusp.base.warnings").collect(function()
      all(Dataset.range(3):map(odd):ignore_errors{log_warning = true})
    end)
    assert.equal(1, #warnings)
    assert.truthy(warnings[1]:find("odd", 1, true))
  end)

  it("leaves out files that cannot be read, and them alone", function()
    local folder = "spec/fixtures/data/pictures/"
    local paths = {}
    for i = 1, 6 do paths[i] = folder .. (i == 3 and "none.png" or "cat/grey.png") end
    local pictures = cusp.data.from_images(paths, {image_size = {2, 2}, num_parallel_calls = 2})
    assert.equal(5, #all(pictures:ignore_errors()))
    assert.equal(4, #all(pictures:batch(2):ignore_errors():unbatch()))
    assert.equal(5, #all(pictures:ignore_errors():ignore_errors()))
  end)

  it("ends with a generator that raised", function()
    local calls = 0
    local dataset = Dataset.from_generator(function()
      return function()
        calls = calls + 1
        if calls > 1 then error "enough" end
        return calls
      end
    end)
    assert.same({1}, all(dataset:ignore_errors()))
  end)
end)

describe("get_single_element", function()
  it("gives the one that there is", function()
    local x, y = Dataset.from_tensors{cusp.tensor{1, 2}, cusp.tensor(3)}:get_single_element()
    assert.same({1, 2}, x:tolist())
    assert.equal(3, y:item())
    fails("is empty", function() Dataset.range(0):get_single_element() end)
    fails("more than one", function() Dataset.range(2):get_single_element() end)
  end)
end)
