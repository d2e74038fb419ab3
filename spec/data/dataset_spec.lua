local cusp = require "cusp"
local engine = require "cusp.engine"
local fails = require "spec.support.fails"
local plain = require "spec.support.plain"
local Dataset = cusp.data.Dataset

local function all(dataset)
  local list = {}
  for a, b, c in dataset:iterate() do list[#list + 1] = b == nil and plain(a) or plain{a, b, c} end
  return list
end

describe("datasets", function()
  it("slice tensors, tables and tuples", function()
    assert.same({{{1, 2}, 5}, {{3, 4}, 6}},
      all(Dataset.from_tensor_slices{{{1, 2}, {3, 4}}, cusp.tensor{5, 6}}))
    assert.same({{a = 1, b = "x"}, {a = 2, b = "y"}},
      all(Dataset.from_tensor_slices{a = {1, 2}, b = {"x", "y"}}))
    assert.same({1, 2}, all(Dataset.from_tensor_slices{1, 2}))
    assert.same({{1, 2}}, all(Dataset.from_tensors{1, 2}))
    fails("part 2 has 1 rows, but the first has 2", function()
      Dataset.from_tensor_slices{{1, 2}, cusp.tensor{1}}
    end)
    fails("has no rows", function() Dataset.from_tensor_slices(cusp.tensor(1)) end)
  end)

  it("count", function()
    assert.same({0, 1, 2}, all(Dataset.range(3)))
    assert.same({2, 4}, all(Dataset.range(2, 6, 2)))
    assert.same({3, 2, 1}, all(Dataset.range(3, 0, -1)))
    assert.equal("int64", Dataset.range(3).element_spec.dtype)
    fails("step should not be 0", function() Dataset.range(1, 2, 0) end)
  end)

  -- Stages give the same results in the engine's threads and in Lua.
  for name, base in pairs{
    threads = Dataset.range(7), lua = Dataset.range(7):map(function(x) return x end),
  } do
    it("are ordered in " .. name, function()
      assert.same({0, 1, 2}, all(base:take(3)))
      assert.same({5, 6}, all(base:skip(5)))
      assert.same({}, all(base:skip(-1)))
      assert.same({1, 4}, all(base:shard(3, 1)))
      assert.same({0, 1, 0, 1, 0}, all(base:take(2):repeat_():take(5)))
      assert.same({0, 1, 0, 1}, all(base:take(2)["repeat"](base:take(2), 2)))
      assert.same({{0, 1, 2}, {3, 4, 5}, {6}}, all(base:batch(3)))
      assert.same({{0, 1, 2}, {3, 4, 5}}, all(base:batch(3, {drop_remainder = true})))
      assert.same({{{0, 1}, {2, 3}}, {{4, 5}}}, all(base:take(6):batch(2):batch(2)))
      assert.same({0, 1, 2, 3, 4, 5, 6}, all(base:batch(3):unbatch()))
      assert.same({{0, 1}, {2, 3}, {4, 5}, {6}}, all(base:batch(3):rebatch(2)))
      assert.same({{0, 0}, {1, 1}}, all(Dataset.zip(base, base:take(2))))
      assert.same({0, 5, 6}, all(base:take(1):concatenate(base:skip(5))))
      assert.same({{5, 0}, {6, 1}}, all(base:take(2):enumerate(5)))
      assert.same({1, 1.5, 2}, all(base:take(3):rescale(0.5, 1)))
      assert.same({{0, 2}, {1, 3}}, all(base:take(4):window(2, 1, 2):flat_map(function(w)
        return w:batch(2, true)
      end)))
      assert.equal(21, base:reduce(0, function(sum, x) return sum + x end):item())
    end)

    it("are shuffled in " .. name, function()
      local shuffled = base:shuffle(7, {seed = 3})
      local first, second = all(shuffled), all(shuffled)
      assert.not_same(first, second)
      table.sort(first)
      assert.same({0, 1, 2, 3, 4, 5, 6}, first)
      local again = base:shuffle(7, {seed = 3})
      all(again)
      assert.same(second, all(again))
      local fixed = base:shuffle(7, {reshuffle_each_iteration = false})
      assert.same(all(fixed), all(fixed))
      cusp.random.set_seed(5)
      local drawn = all(base:shuffle(7))
      cusp.random.set_seed(5)
      assert.same(drawn, all(base:shuffle(7)))
      for i, x in ipairs(all(base:shuffle(2))) do assert.is_true(x <= i) end
    end)

    it("know their lengths in " .. name, function()
      assert.equal(7, #base)
      assert.equal(3, #base:batch(3))
      assert.equal(2, base:batch(3, true):cardinality())
      assert.equal(Dataset.INFINITE_CARDINALITY, base:repeat_():cardinality())
      assert.equal(Dataset.UNKNOWN_CARDINALITY, base:filter(function()
        return true
      end):cardinality())
      assert.equal(14, #base:repeat_(2))
      assert.equal(2, #base:skip(5):prefetch(2))
      fails("has no end", function() return #base:repeat_() end)
      fails("not known", function() return #base:filter(function() return true end) end)
    end)
  end

  it("map, filter and interleave", function()
    local squares = Dataset.range(4):map(function(x) return x * x, {half = x / 2} end)
    assert.same({{0, {half = 0}}, {1, {half = 0.5}}, {4, {half = 1}}, {9, {half = 1.5}}},
      all(squares))
    assert.same({1, 3}, all(Dataset.range(4):filter(function(x) return x:item() % 2 == 1 end)))
    assert.same({0, 1}, all(Dataset.range(4):take_while(function(x) return x:item() < 2 end)))
    local function six(x) return Dataset.from_tensors(x):repeat_(6) end
    assert.same({1, 1, 1, 1, 2, 2, 2, 2, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 3, 3, 4, 4, 5, 5, 5, 5,
      5, 5},
      all(Dataset.range(1, 6):interleave(six, {cycle_length = 2, block_length = 4})))
    assert.same({2, 3}, all(Dataset.range(2):map(cusp.compile(function(x) return x + 2 end))))
  end)

  it("pad", function()
    local lists = Dataset.from_generator(function()
      for i = 1, 3 do coroutine.yield((cusp.ones{i}), i) end
    end)
    assert.same({{{{1, 0}, {1, 1}}, {1, 2}}, {{{1, 1, 1}}, {3}}}, all(lists:padded_batch(2)))
    assert.same({{{{1, 9, 9, 9}}, {1}}},
      all(lists:take(1):padded_batch(2, {padded_shapes = {{4}, {}}, padding_values = {9, 0}})))
    fails("does not fit into [2]", function()
      all(lists:padded_batch(3, {padded_shapes = {{2}, {}}}))
    end)
    fails("padded_batch fills up", function() all(lists:batch(2)) end)
  end)

  it("come from functions and coroutines", function()
    local calls = 0
    local function factory(n)
      calls = calls + 1
      local i = 0
      return function()
        i = i + 1
        if i <= n then return i end
      end
    end
    local dataset = Dataset.from_generator(factory, {args = {2}})
    assert.same({1, 2}, all(dataset))
    assert.same({1, 2, 1, 2}, all(dataset:repeat_(2)))
    assert.equal(3, calls)
    local once = Dataset.from_generator(coroutine.create(function() coroutine.yield(1) end))
    assert.same({1}, all(once))
    fails("has ended", function() all(once) end)
    local typed = Dataset.from_generator(factory,
      {args = {2}, output_signature = cusp.data.TensorSpec({}, "float32")})
    assert.equal("float32", typed:iterate()().dtype)
  end)

  it("name the element that fails", function()
    local function bad() error "no luck" end
    fails("map: the function raised an error at element 3: ", function()
      all(Dataset.range(5):map(function(x) return x:item() == 2 and bad() or x end))
    end)
    fails("from_generator: the function raised an error at element 2: ", function()
      all(Dataset.from_generator(function() coroutine.yield(1) bad() end))
    end)
    fails("element 2 has the structure {int32 [], int32 []}, expected int32 []", function()
      all(Dataset.from_generator(function() coroutine.yield(1) coroutine.yield(1, 2) end))
    end)
    fails("element 2: part 1 is string [], expected int32", function()
      all(Dataset.from_generator(function() coroutine.yield(1) coroutine.yield "a" end))
    end)
    fails("part 1 is float32 [2], expected float32 [3]", function()
      all(Dataset.from_generator(function() coroutine.yield(cusp.ones{2}) end,
        {output_signature = cusp.data.TensorSpec({3}, "float32")}))
    end)
    fails("true or false at element 1", function()
      all(Dataset.range(3):filter(function() return 1 end))
    end)
    fails("batch_size", function() Dataset.range(3):batch(0) end)
    fails("buffer_size", function() Dataset.range(3):shuffle(-1) end)
    for _, f in ipairs{function() end, function() return nil end} do
      fails("map: the function returned nothing at element 1; is a `return` missing", function()
        all(Dataset.range(3):map(f))
      end)
      fails("reduce: the function returned nothing at element 1", function()
        Dataset.range(3):reduce(0, f)
      end)
    end
  end)

  it("pass on what is raised that is no text", function()
    local thrown = setmetatable({code = 7}, {__tostring = function() return "seven" end})
    local function throw() error(thrown) end
    for _, dataset in ipairs{
      Dataset.range(3):map(throw), Dataset.range(3):filter(throw), Dataset.range(3):flat_map(throw),
      Dataset.range(3):map(throw):batch(2):prefetch(), Dataset.from_generator(throw),
      Dataset.from_generator(function() return throw end),
      Dataset.from_generator(function() coroutine.yield(1) throw() end),
    } do
      local ok, raised = pcall(all, dataset)
      assert.is_false(ok)
      assert.equal(thrown, raised)
    end
    local model = cusp.Sequential{cusp.layers.Dense(1)}
    model:compile{loss = "mse"}
    local _, raised = pcall(model.fit, model, {Dataset.range(3):map(throw), verbose = 0})
    assert.equal(thrown, raised)
  end)

  it("refuse what does not go together, where tf.data does", function()
    local function floats(x) return cusp.ops.cast(x, "float32") end
    fails("differ in dtype: int64 [] and int32 []", function()
      Dataset.range(3):concatenate(Dataset.range(3, {output_type = "int32"}))
    end)
    fails("differ in structure", function()
      Dataset.range(3):concatenate(Dataset.zip(Dataset.range(3), Dataset.range(3)))
    end)
    fails("element 4 is float32 [], which has another dtype than the first, int64 []", function()
      all(Dataset.range(3):concatenate(Dataset.range(3):map(floats)))
    end)
    local lists = Dataset.range(1, 3):map(function(x)
      return cusp.ops.full({x:item()}, 1, "int32")
    end)
    for _, value in ipairs{0.5, "a", true, cusp.tensor(1.5)} do
      fails("part 1 is int32, but its padding value is", function()
        all(lists:padded_batch(2, {padding_values = value}))
      end)
    end
    fails("part 1 is int64, but its padding value is number 0.5", function()
      Dataset.range(3):padded_batch(2, {padding_values = 0.5})
    end)
    fails("elements have no part 'x'", function()
      Dataset.zip{a = Dataset.range(3)}:padded_batch(2, {padding_values = {x = 1}})
    end)
    fails("which [3, 3] does not fit", function()
      all(lists:padded_batch(2, {padded_shapes = {3, 3}}))
    end)
    assert.same({{1, -1}, {1, 1}}, all(lists:padded_batch(2, {padding_values = -1}))[1])
    fails("element 2 of the batch is int32 [2], but the first is int32 [1]", function()
      all(lists:batch(3, {drop_remainder = true}))
    end)
  end)

  it("tell types and numbers of elements behind functions", function()
    local calls = 0
    local function both(x) calls = calls + 1 return {a = x, b = cusp.ops.cast(x, "float32")} end
    local function spec(dataset, name)
      local found = dataset.element_spec
      return tostring(name and found[name] or found)
    end
    local mapped = Dataset.range(5):shuffle(5, {seed = 1}):map(both)
    assert.equal("TensorSpec(shape = [], dtype = float32)", spec(mapped, "b"))
    assert.equal("TensorSpec(shape = [], dtype = int64)", spec(mapped, "a"))
    assert.equal(1, calls)
    assert.equal("TensorSpec(shape = [None], dtype = float32)", spec(mapped:batch(2), "b"))
    assert.equal("TensorSpec(shape = [2], dtype = float32)",
      spec(mapped:batch(2, {drop_remainder = true}), "b"))
    local batches = Dataset.from_tensor_slices(cusp.ones{6, 3}):batch(4)
    local doubled = batches:map(function(x) return cusp.ops.concatenate({x, x}, 2) end)
    assert.equal("TensorSpec(shape = [None, 6], dtype = float32)", spec(doubled))
    assert.equal("TensorSpec(shape = [6], dtype = float32)", spec(doubled:unbatch()))
    assert.equal("TensorSpec(shape = [None, None], dtype = float32)",
      spec(doubled:unbatch():padded_batch(2)))
    assert.equal("TensorSpec(shape = [], dtype = int64)",
      spec(Dataset.range(3):flat_map(function(x) return Dataset.range(x:item()) end)))
    assert.equal("TensorSpec(shape = [6], dtype = float32)", spec(doubled:unbatch():enumerate(), 2))
    assert.same({9, -2, 6, -1}, {
      Dataset.range(10):batch(3, {drop_remainder = true}):unbatch():cardinality(),
      Dataset.range(10):batch(3):unbatch():cardinality(),
      Dataset.from_tensor_slices(cusp.ones{2, 3}):unbatch():cardinality(),
      Dataset.range(10):batch(3):repeat_():rebatch(2):cardinality()})
  end)

  it("are asked for their types without a trace", function()
    local function order(ask)
      cusp.random.set_seed(3)
      local dataset = Dataset.range(20):shuffle(20):cache():map(function(x) return x end)
      if ask then assert.truthy(dataset.element_spec) end
      return all(dataset)
    end
    assert.same(order(false), order(true))
  end)

  it("are gone through in several ways, several times at once", function()
    local dataset, seen = Dataset.range(3), {}
    for a in dataset do
      for b in dataset do seen[#seen + 1] = a:item() * 10 + b:item() end
    end
    assert.same({0, 1, 2, 10, 11, 12, 20, 21, 22}, seen)
    seen = {}
    for i, a in pairs(dataset) do seen[i] = a:item() end
    assert.same({0, 1, 2}, seen)
    local first, second = dataset:iterate(), dataset:iterate()
    first()
    assert.equal(1, first():item())
    assert.equal(0, second():item())
    for line in Dataset.from_tensor_slices{"a", "b"} do seen[#seen + 1] = line end
    assert.same({0, 1, 2, "a", "b"}, seen)
  end)

  it("tell their types", function()
    local dataset = Dataset.from_tensor_slices{x = cusp.ones{4, 2},
      y = {"a", "b", "c", "d"}}:batch(3)
    assert.equal("TensorSpec(shape = [None, 2], dtype = float32)", tostring(dataset.element_spec.x))
    assert.equal("TensorSpec(shape = [None], dtype = string)", tostring(dataset.element_spec.y))
    assert.equal("uint8", Dataset.range(3):rescale{dtype = "uint8"}.element_spec.dtype)
  end)

  it("are kept", function()
    local calls, path = 0, os.tmpname()
    os.remove(path)
    local counted = Dataset.from_tensor_slices{{"a", "b", "c"},
      {1.5, 2.5, 3.5}}:map(function(name, x)
      calls = calls + 1
      return {name = name, x = x}
    end)
    local memory, file = counted:cache(), counted:batch(2):cache(path)
    assert.same(all(memory), all(memory))
    assert.equal(3, calls)
    local first = all(file)
    assert.same({name = {"a", "b"}, x = {1.5, 2.5}}, first[1])
    assert.same(first, all(file))
    assert.equal(6, calls)
    local handle = io.open(path, "r+b")
    handle:seek("end", -3)
    handle:write "xyz"
    handle:close()
    fails("not a complete file", function() all(file) end)
    os.remove(path)
    -- an iteration that ends early leaves no file
    do local _ <close> = select(4, file:iterate()) end
    assert.is_false(engine.files.exists(path))
  end)

  it("end their threads with the loop", function()
    local before = engine.memory().blocks
    for _ = 1, 20 do
      local batches = 0
      for x in Dataset.from_tensor_slices(cusp.ones{1000, 10}):repeat_():batch(10):iterate() do
        batches = batches + #x
        if batches == 20 then break end
      end
    end
    collectgarbage()
    collectgarbage()
    assert.is_true(engine.memory().blocks < before + 200)
    local threads = 0
    for line in io.lines "/proc/self/status" do
      threads = tonumber(line:match "^Threads:%s+(%d+)") or threads
    end
    assert.is_true(threads < 20)
  end)

  it("are interrupted", function()
    local fetch = Dataset.range(10):batch(2):iterate()
    fetch()
    engine.interrupt()
    fails("interrupted!", function() fetch() end)
    assert.same({2, 3}, fetch():tolist())
  end)
end)
