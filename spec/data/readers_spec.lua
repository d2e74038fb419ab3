local cusp = require "cusp"
local engine = require "cusp.engine"
local mutate = require "spec.support.mutate"
local fails = require "spec.support.fails"
local data = cusp.data
local folder = "spec/fixtures/data/"

local function with_file(text, f)
  local path = os.tmpname()
  local handle = io.open(path, "wb")
  handle:write(text)
  handle:close()
  local ok, message = pcall(f, path)
  os.remove(path)
  if not ok then error(message, 0) end
end

local function drain(dataset)
  local last
  for e in dataset:iterate() do last = e end
  return last
end

-- Reads mutations of a file; each must be read or refused, without other effects.
local function fuzz(bytes, count, read)
  for _, mutated in mutate.mutations(bytes, {seed = 3, count = count}) do
    with_file(mutated, function(path)
      local ok, message = pcall(read, path)
      assert.is_true(ok or type(message) == "string")
    end)
  end
end

local function bytes_of(path)
  local handle <close> = io.open(path, "rb")
  return handle:read "a"
end

describe("rows of files", function()
  it("are those of HDF5 datasets", function()
    local dataset = data.from_hdf5(folder .. "rows.h5", {"x", {c = "chunked", b = "big"}, "y"})
    assert.equal(100, #dataset)
    local seen = 0
    for x, other, y in dataset:shuffle(100, {seed = 1}):batch(32):iterate() do
      assert.equal(0, (x - other.c):abs():max():item() + (x - other.b):abs():max():item())
      for i = 1, #y do assert.equal(y:item(i), (x:item(i, 1) // 3) % 10) end
      seen = seen + #y
    end
    assert.equal(100, seen)
    fails("short has 50 rows, but x has 100", data.from_hdf5, folder .. "rows.h5", {"x", "short"})
    fails("there is no dataset 'xx' (did you mean 'x'?)", data.from_hdf5, folder .. "rows.h5",
      {"xx"})
    fails("holds string; expected numbers", data.from_hdf5, folder .. "rows.h5", "words")
    fails("No such file", data.from_hdf5, folder .. "none.h5", "x")
  end)

  it("come in the same order from chunks as from one piece, however many are kept", function()
    local function order(name, ...)
      return drain(data.from_hdf5(folder .. "rows.h5", name):take(90):shuffle(...)
        :repeat_(2):batch(7)):tolist()
    end
    for _, buffer in ipairs{1, 20, 100} do
      local expected = order("x", buffer, {seed = 4})
      assert.same(expected, order("chunked", buffer, {seed = 4}))
      assert.same(expected, order("chunked", buffer, {seed = 4, max_bytes = 0}))
    end
  end)

  it("come by chunks where the buffer is too large to be kept, each row once a pass", function()
    local dataset = data.from_hdf5(folder .. "rows.h5", {"chunked", "y"})
    for _, variant in ipairs{dataset, dataset:cache(), dataset:batch(8):unbatch(),
      dataset:batch(8, {drop_remainder = true}):unbatch(), dataset:shard(2, 1)} do
      local shuffled = variant:shuffle(100, {seed = 4, max_bytes = 20 * 40}):repeat_(2):batch(9)
      local seen, orders = {}, {}
      for x, y in shuffled:iterate() do
        for i = 1, #y do
          local row = x:item(i, 1) // 3
          assert.equal(row % 10, y:item(i))
          seen[row] = (seen[row] or 0) + 1
          orders[#orders + 1] = row
        end
      end
      for _, count in pairs(seen) do assert.equal(2, count) end
      assert.are_not.equal(table.concat(orders, " ", 1, #orders // 2),
        table.concat(orders, " ", #orders // 2 + 1))
    end
  end)

  it("of chunks are shuffled in batches, and by two who read at once", function()
    local dataset = data.from_hdf5(folder .. "rows.h5", "chunked")
    local left = dataset:take(50):shuffle(50):iterate()
    local right = dataset:skip(50):shuffle(50):iterate()
    local seen = {}
    for _ = 1, 50 do
      seen[left():item(1)], seen[right():item(1)] = true, true
    end
    for row = 0, 99 do assert.truthy(seen[3.0 * row]) end
    local sum = 0
    for x in dataset:batch(16):shuffle(5, {max_bytes = 300}):iterate() do
      sum = sum + cusp.ops.sum(x):item()
    end
    assert.equal(299 * 300 / 2, sum)
  end)

  it("are those of NumPy and IDX files", function()
    local dataset = data.from_numpy(folder .. "rows.npy")
    assert.same({297, 298, 299}, drain(dataset):tolist())
    assert.equal("float64", dataset.element_spec.dtype)
    fails("C order", data.from_numpy, folder .. "columns.npy")
    with_file("\0\0\x0b\2\0\0\0\2\0\0\0\2\0\1\0\2\0\3\xff\xff", function(path)
      assert.same({{1, 2}, {3, -1}}, data.from_idx(path):batch(2):iterate()():tolist())
      local records = data.FixedLengthRecordDataset(path, {4},
        {header_bytes = 12, footer_bytes = 4})
      assert.same({{0, 1, 0, 2}}, records:batch(2):iterate()():tolist())
      fails("not a whole number", data.FixedLengthRecordDataset, path, {3})
    end)
    with_file("\0\0\x0b\2\0\0\0\2\0\0\0\2\0\1\0\2\0\3", function(path)
      fails("expected", data.from_idx, path)
    end)
  end)

  it("are those of CSV files", function()
    with_file('age,name,score,label\n1,"a, ""b""",0.5,1\r\n\n2,,NA,0\n', function(path)
      local dataset = data.from_csv(path,
        {label_name = "label", na_value = "NA", column_defaults = {score = -1.5}})
      local rows = {}
      for features, label in dataset:iterate() do
        rows[#rows + 1] = {features.age:item(), features.name, features.score:item(), label:item()}
      end
      assert.same({{1, 'a, "b"', 0.5, 1}, {2, "", -1.5, 0}}, rows)
      local dense = data.from_csv(path, {
        label_name = "label", select_columns = {"score", "age", "label"}, dense = true,
        na_value = "NA",
      })
      local x, y = dense:batch(2):iterate()()
      assert.same({{0.5, 1}, {0, 2}}, x:tolist())
      assert.same({1, 0}, y:tolist())
      fails("there is no column labels (did you mean 'label'?)", data.from_csv, path,
        {label_name = "labels"})
      fails("holds text", data.from_csv, path, {dense = true})
      fails(":4: column score: expected float32, got \"NA\"", function()
        drain(data.from_csv(path,
          {select_columns = {"score"}, column_defaults = {score = "float32"}}):batch(2))
      end)
    end)
    with_file("1,2\n3,4\n", function(path)
      local dataset = data.from_csv(path, {header = false, column_names = {"a", "b"}})
      assert.equal(4, drain(dataset).b:item())
      assert.equal(3, drain(data.from_csv(path, {header = false})).column1:item())
    end)
    with_file("a,b\n1,2\n3\n", function(path)
      fails(path .. ":3: got 1 fields, expected 2", data.from_csv, path)
    end)
    with_file("", function(path) fails("empty", data.from_csv, path) end)
    fails("from_csv: there is no file '/no/such.csv'", data.from_csv, "/no/such.csv")
    with_file("a,b\n1,2\n", function(path)
      fails("there is no column z; the columns are", data.from_csv, path, {label_name = "z"})
      fails("no column A (did you mean 'a'?)", data.from_csv, path, {label_name = "A"})
    end)
  end)

  it("are those of TFRecord files", function()
    local tfrecord, F = require "cusp.formats.tfrecord", data.FixedLenFeature
    local path = os.tmpname()
    os.remove(path)
    local writer = tfrecord.writer(path)
    local image = bytes_of(folder .. "pictures/cat/rgb.png")
    for i = 1, 5 do
      writer:write(tfrecord.encode_example{x = {i, i + 0.5}, y = i, raw = ("<i4i4"):pack(i, -i),
        image = image, name = "n" .. i})
    end
    writer:close()
    local features = {
      x = F({2}, "float32"), y = F({}, "int64"), raw = F({2}, "int32", {raw = true}),
      image = F{{}, image = {4, 6, 3}},
      missing = F({}, "float32", 7),
    }
    local x, e = data.from_tfrecord(path, features,
      {"x", {y = "y", r = "raw", i = "image", m = "missing"}}):batch(5):iterate()()
    assert.same({5, 5.5}, x[5]:tolist())
    assert.same({1, 2, 3, 4, 5}, e.y:tolist())
    assert.same({2, -2}, e.r[2]:tolist())
    assert.same({5, 4, 6, 3}, e.i.shape)
    assert.equal(7, e.m:item(1))
    fails("record 1: feature 'x': expected 3 numbers for shape [3], got 2", function()
      drain(data.from_tfrecord(path, {x = F({3}, "float32")}))
    end)
    fails("feature 'z' is missing", function()
      drain(data.from_tfrecord(path, {z = F({}, "float32")}))
    end)
    local names = data.TFRecordDataset(path):map(function(record)
      return data.parse_example(record, {name = F({}, "string")}).name
    end)
    assert.same({"n1", "n2"}, names:batch(2):iterate()())
    local bytes = bytes_of(path)
    os.remove(path)
    fuzz(bytes, 150, function(damaged) drain(data.from_tfrecord(damaged, features)) end)
    with_file(bytes:sub(1, -10), function(short)
      fails("record 5", data.from_tfrecord, short, features)
    end)
    local changed = bytes:sub(1, 40) .. string.char(bytes:byte(41) ~ 1) .. bytes:sub(42)
    with_file(changed, function(damaged)
      fails("record 1 (at byte 0): the checksum of its content is wrong", function()
        drain(data.from_tfrecord(damaged, features))
      end)
    end)
  end)

  it("are the lines of text files", function()
    with_file("one\ntwo\r\nthree", function(path)
      assert.same({"one", "two", "three", "one"},
        data.TextLineDataset{path, path}:batch(4):iterate()())
    end)
    fails("No such file", function() drain(data.TextLineDataset "nothing.txt") end)
  end)
end)

describe("damaged files", function()
  it("of pictures are read or refused", function()
    for _, name in ipairs{"cat/rgb.png", "cat/alpha.PNG", "dog/baseline.jpg",
      "dog/progressive.jpeg"} do
      local bytes = bytes_of(folder .. "pictures/" .. name)
      fuzz(bytes, 80, function(path) drain(data.from_images({path}, {image_size = {5, 5}})) end)
      with_file(bytes:sub(1, #bytes // 2), function(path)
        fails(path, function() drain(data.from_images({path})) end)
      end)
    end
    with_file("hello", function(path) fails("neither PNG nor JPEG", data.read_image, path) end)
    with_file("", function(path) fails("empty", data.read_image, path) end)
  end)

  it("of CSV are read or refused", function()
    fuzz('age,name\n1,"a, ""b"""\n2.5,c\n-3,"x\ny"\n', 300, function(path)
      drain(data.from_csv(path))
    end)
  end)

  it("leave no memory behind", function()
    local path = folder .. "pictures/dog/baseline.jpg"
    data.read_image(path)
    collectgarbage()
    collectgarbage()
    local before, n = engine.memory().live, 0
    repeat
      engine.fail_after(n)
      local ok, message = pcall(data.read_image, path)
      engine.fail_after(-1)
      collectgarbage()
      collectgarbage()
      assert.is_true(ok or tostring(message):find "memory" ~= nil)
      n = n + 1
    until ok
    collectgarbage()
    collectgarbage()
    assert.equal(before, engine.memory().live)
  end)
end)
