local cusp = require "cusp"
local fails = require "spec.support.fails"
local Dataset = cusp.data.Dataset

local function all(dataset)
  local list = {}
  for a in dataset:iterate() do list[#list + 1] = type(a) == "string" and a or a:item() end
  return list
end

local function sorted(list)
  table.sort(list)
  return list
end

local function two() return {Dataset.range(3), Dataset.range(10, 14)} end

describe("counter and random", function()
  it("have no end", function()
    assert.same({5, 8, 11}, all(Dataset.counter(5, 3):take(3)))
    assert.same({-1, -1}, {Dataset.counter():cardinality(), Dataset.random():cardinality()})
    assert.equal("float32", Dataset.counter{dtype = "float32"}.element_spec.dtype)
  end)

  it("repeat themselves unless they are told not to", function()
    local numbers = all(Dataset.random(4):take(3):repeat_(2))
    assert.same({numbers[1], numbers[2], numbers[3]}, {numbers[4], numbers[5], numbers[6]})
    for _, number in ipairs(numbers) do assert.is_true(number >= 0 and number < 1 << 32) end
    numbers = all(Dataset.random(4, {rerandomize_each_iteration = true}):take(3):repeat_(2))
    assert.are_not.equal(numbers[1], numbers[4])
    local function drawn()
      cusp.random.set_seed(8)
      return all(Dataset.random():take(3))
    end
    assert.same(drawn(), drawn())
  end)
end)

describe("sample_from_datasets", function()
  it("gives all elements, each dataset's in their order", function()
    local order = all(Dataset.sample_from_datasets(two(), {seed = 1}))
    assert.equal(7, #order)
    local last = {-1, 9}
    for _, x in ipairs(order) do
      local which = x < 10 and 1 or 2
      assert.equal(last[which] + 1, x)
      last[which] = x
    end
    assert.same(order, all(Dataset.sample_from_datasets(two(), {seed = 1})))
    local sampled = Dataset.sample_from_datasets{two(), seed = 1}
    assert.same({order, order}, {all(sampled), all(sampled)})
  end)

  it("follows weights, and ends as it is told", function()
    local function ones(n) return Dataset.from_tensors(cusp.tensor(n)):repeat_() end
    local sum = 0
    local mixed = Dataset.sample_from_datasets({ones(0), ones(1)},
      {weights = {0.2, 0.8}, seed = 3})
    assert.equal(-1, mixed:cardinality())
    for x in mixed:take(2000):iterate() do sum = sum + x:item() end
    assert.is_true(sum > 1500 and sum < 1700)
    assert.same({10, 11, 12, 13},
      all(Dataset.sample_from_datasets(two(), {weights = cusp.tensor{0, 1.0}})))
    assert.is_true(#all(Dataset.sample_from_datasets(two(),
      {stop_on_empty_dataset = true, seed = 1})) < 7)
    local turns = Dataset.from_tensor_slices(cusp.tensor{{1.0, 0}, {0, 1}, {1, 0}})
    assert.same({0, 10, 1}, all(Dataset.sample_from_datasets(two(), {weights = turns})))
    assert.same({}, all(Dataset.sample_from_datasets(two(), {weights = {0, 0}})))
  end)

  it("refuses what does not go together", function()
    fails("differ in dtype", Dataset.sample_from_datasets,
      {Dataset.range(1), Dataset.from_tensor_slices{"a"}})
    fails("expected 2 weights, got 1", Dataset.sample_from_datasets, two(), {weights = {1}})
    fails("weight 2 should be 0 or greater", Dataset.sample_from_datasets, two(),
      {weights = {1, -1}})
    fails("there are no datasets", Dataset.sample_from_datasets, {})
    fails("dataset 2 is number 3", Dataset.sample_from_datasets, {Dataset.range(1), 3})
  end)

  it("comes in the same order when it is gone through again", function()
    local mixed = Dataset.sample_from_datasets(two(), {seed = 5}):batch(2)
    local first, again = {}, {}
    for x in mixed:iterate() do first[#first + 1] = x:tolist() end
    for x in mixed:skip(1):iterate() do again[#again + 1] = x:tolist() end
    assert.same(table.move(first, 2, #first, 1, {}), again)
  end)
end)

describe("choose_from_datasets", function()
  it("takes elements as another dataset says", function()
    local turns = Dataset.range(2):repeat_()
    assert.same({0, 10, 1, 11, 2, 12}, all(Dataset.choose_from_datasets(two(), turns)))
    assert.same({0, 10, 1, 11, 2, 12, 13},
      all(Dataset.choose_from_datasets(two(), turns, {stop_on_empty_dataset = false})))
    assert.same({10, 0}, all(Dataset.choose_from_datasets(two(),
      Dataset.from_tensor_slices(cusp.tensor{1, 0}))))
    fails("a choice should be an integer from 0 to 1, got 2", function()
      all(Dataset.choose_from_datasets(two(), Dataset.range(3)))
    end)
    fails("choice_dataset should be a Dataset", Dataset.choose_from_datasets, two(), 3)
  end)
end)

describe("rejection_resample", function()
  local function class(x) return x:item() % 10 == 0 and 1 or 0 end

  local function shares(dataset)
    local counts, wrong = {[0] = 0, 0}, 0
    for c, x in dataset:iterate() do
      counts[c:item()] = counts[c:item()] + 1
      wrong = wrong + (class(x) == c:item() and 0 or 1)
    end
    assert.equal(0, wrong)
    return counts[1] / (counts[0] + counts[1])
  end

  it("gives classes in other shares", function()
    local numbers = Dataset.range(4000)
    for _, initial in ipairs{{0.9, 0.1}, false} do
      local share = shares(numbers:rejection_resample(class, {0.5, 0.5},
        {initial_dist = initial or nil, seed = 3}))
      assert.is_true(share > 0.42 and share < 0.58, tostring(share))
    end
    local same = numbers:take(20):rejection_resample(class, {0.9, 0.1}, {0.9, 0.1})
    local list = {}
    for _, x in same:iterate() do list[#list + 1] = x:item() end
    assert.same(all(numbers:take(20)), sorted(list))
  end)

  it("says what is wrong", function()
    fails("class from 0 to 1 at element 1, got number 7", function()
      all(Dataset.range(3):rejection_resample(function() return 7 end, {0.5, 0.5}))
    end)
    fails("initial_dist should be 2 shares", function()
      Dataset.range(3):rejection_resample(class, {0.5, 0.5}, {1})
    end)
  end)
end)
