local cusp = require "cusp"
local engine = require "cusp.engine"
local hdf5 = require "cusp.formats.hdf5"
local mutate = require "spec.support.mutate"
local message_of = require "spec.support.message"

local fixtures = "spec/fixtures/hdf5/"

-- 0, 1, 2, ... modulo 100, as written by scripts/fixtures/hdf5.py.
local function numbers(shape, dtype)
  local count = 1
  for _, size in ipairs(shape) do count = count * size end
  local flat = {}
  for i = 1, count do flat[i] = (i - 1) % 100 end
  return cusp.tensor(flat, {shape = shape, dtype = dtype or "float32"})
end

local function assert_tensor(expected, got)
  assert.same(expected.shape, got.shape)
  assert.equal(expected.dtype, got.dtype)
  assert.same(expected:tolist(), got:tolist())
end

describe("cusp.hdf5 reads", function()
  describe("types:", function()
    local file
    setup(function() file = hdf5.open(fixtures .. "types.h5") end)
    teardown(function() file:close() end)

    for _, dtype in ipairs{
      "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
      "float32", "float64",
    } do
      for _, order in ipairs{"little", "big"} do
        it(dtype .. " in " .. order .. " endian", function()
          local dataset = file:get(order .. "/" .. dtype)
          assert.equal(dtype, dataset.dtype)
          assert_tensor(numbers({3, 4}, dtype), dataset:read())
          assert_tensor(numbers({3, 4}, dtype):slice{{2, 3}}, dataset:rows(2, 3))
          assert_tensor(numbers({3}, dtype), file.attributes:get(order .. "_" .. dtype))
          assert.equal(7, file.attributes:get(order .. "_" .. dtype .. "_scalar"))
        end)
      end
    end

    it("h5py's booleans", function()
      assert_tensor(cusp.tensor{true, false, true}, file:get("bool"):read())
      assert.is_true(file.attributes:get "bool")
      assert.equal("bool", file.attributes:describe("bool").kind)
    end)

    it("bfloat16 as h5py stores it", function()
      assert_tensor(numbers({3, 4}, "bfloat16"), file:get("bfloat16"):read())
    end)

    it("scalars, empty arrays and null dataspaces", function()
      assert.same({}, file:get("scalar").shape)
      assert.equal(7.0, file:get("scalar"):read():item())
      assert.same({0, 3}, file:get("empty"):read().shape)
      assert.same({0}, file:get("null"):read().shape)
      assert.same({}, file.attributes:get "empty")
      assert.same({}, file.attributes:get "null")
      assert.same({}, file.attributes:get "null_string")
      assert.is_true(file.attributes:describe("null").null)
      assert_tensor(numbers{2, 3}, file.attributes:get "matrix")
    end)
  end)

  describe("strings:", function()
    local file
    setup(function() file = hdf5.open(fixtures .. "strings.h5") end)
    teardown(function() file:close() end)

    it("in attributes", function()
      local attributes = file.attributes
      assert.equal("Grüße, 世界", attributes:get "utf8")
      assert.equal("plain", attributes:get "ascii")
      assert.equal("fixed", attributes:get "fixed")
      assert.equal("padded", attributes:get "space_padded")
      assert.same({"a", "longer", ""}, attributes:get "fixed_list")
      assert.same({"one", "two", "three"}, attributes:get "list")
      assert.same({{"a", "b"}, {"c", "d"}}, attributes:get "matrix")
      assert.same({}, attributes:get "empty_list")
      assert.is_nil(attributes:get "none")
    end)

    it("and what they are in the file", function()
      local utf8, list = file.attributes:describe "utf8", file.attributes:describe "fixed_list"
      assert.same({"string", true, "utf8", {}},
        {utf8.kind, utf8.variable, utf8.charset, utf8.shape})
      assert.same({"string", false, "ascii", 6, {3}},
        {list.kind, list.variable, list.charset, list.size, list.shape})
      assert.equal("space_padded", file.attributes:describe("space_padded").padding)
      local message = message_of(file.attributes.describe, file.attributes, "utf9")
      assert.matches("there is no attribute 'utf9' %(did you mean 'utf8'%?%)", message)
    end)

    it("in datasets, large ones too", function()
      assert.equal("text", file:get("scalar"):read())
      assert.same({"one", "", "three"}, file:get("list"):read())
      assert.same({"a", "bc"}, file:get("fixed"):read())
      assert.equal("string 49", file:get("chunked"):read()[50])
      assert.equal("19999", file:get("many"):read()[20000])
      assert.same({"2", "3"}, file:get("many"):rows(3, 4))
    end)
  end)

  for _, name in ipairs{"layouts", "layouts_v110", "layouts_user_block"} do
    it("all layouts and filters: " .. name, function()
      local file <close> = hdf5.open(fixtures .. name .. ".h5")
      for _, each in ipairs{
        "contiguous", "chunked", "gzip", "all", "shuffle float64", "fletcher int16", "resizable",
        "both_resizable",
      } do
        local dataset, dtype = each:match "^(%S+) ?(%S*)$"
        local expected = numbers({11, 7}, dtype ~= "" and dtype or "float32")
        assert_tensor(expected, file:get(dataset):read())
        for _, range in ipairs{{1, 1}, {4, 9}, {11, 11}, {1, 11}} do
          assert_tensor(expected:slice{range}, file:get(dataset):rows(range[1], range[2]))
        end
        assert.same({0, 7}, file:get(dataset):rows(5, 4).shape)
      end
      assert_tensor(numbers({11}, "uint8"), file:get("odd_fletcher"):read())
      assert_tensor(numbers{5, 3}, file:get("one_chunk"):read())
      assert_tensor(numbers({5, 6, 7}, "int32"), file:get("cube"):read())
      assert_tensor(numbers({400, 3}, "uint8"), file:get("many_chunks"):read())
      assert_tensor(numbers{3, 4}, file:get("compact"):read())
      assert_tensor(numbers({3, 4}):slice{{2, 2}}, file:get("compact"):rows(2, 2))
      assert.same({true, false, true, false, true, false, true, false, true},
        file:get("bools"):read():tolist())
      assert.same({4, 3}, file:get("chunked").chunks)
    end)

    it("what was never written as the fill value: " .. name, function()
      local file <close> = hdf5.open(fixtures .. name .. ".h5")
      local holes = file:get("holes"):read()
      assert.same({5, 5, -1}, {holes:item(1, 1), holes:item(2, 2), holes:item(3, 3)})
      assert.same({-1, -1}, {holes:item(11, 7), holes:item(1, 4)})
      assert.same({{9, 9}, {9, 9}, {9, 9}}, file:get("never_written"):read():tolist())
      assert.same({{9, 9}}, file:get("never_written"):rows(3, 3):tolist())
      assert.same({{9, 9}, {9, 9}, {9, 9}}, file:get("never_chunked"):read():tolist())
    end)
  end

  for _, name in ipairs{"groups", "groups_latest"} do
    it("groups and links: " .. name, function()
      local file <close> = hdf5.open(fixtures .. name .. ".h5")
      assert.same({"a", "dangling", "external", "hard", "loop", "many", "soft"}, file:names())
      local many = file:get "many"
      assert.equal(60, #many:names())
      assert.equal("member 000", many:names()[1])
      assert.equal(41, many:get("member 041"):read():item())
      assert.equal(59, many.attributes:get "attribute 059")
      assert.equal("deep", file:get("a/b/c/d").attributes:get "name")
      assert.equal("/a/b/c/d", file:get("/a/b/./c/d").name)
      assert_tensor(numbers{2, 2}, file:get("hard"):read())
      assert_tensor(numbers{2, 2}, file:get("soft"):read())
      assert.equal("deep", file:get("a/relative/d").attributes:get "name")
      assert_tensor(numbers{2, 2}, file:get("a/b/up/b/up/b/up/x"):read())
      assert.is_nil(file:get "dangling")
      assert.is_nil(file:get "a/none/at/all")
      assert.is_nil(file:get "hard/below")
      assert.matches("more than 40 links in a row", message_of(file.get, file, "loop"))
      assert.matches("/external: uses an external link, which is not supported",
        message_of(file.get, file, "external"))
    end)
  end

  it("a tree as text, whatever is in it", function()
    local file <close> = hdf5.open(fixtures .. "groups.h5")
    local text = tostring(file)
    assert.matches(
      "^HDF5 spec/fixtures/hdf5/groups%.h5\n  a/\n    b/\n      c/\n        d/\n      up/  "
      .. "%(contains itself%)\n", text)
    assert.matches("    x  float32 %[2, 2%]\n", text)
    assert.matches("  dangling  %(a link to nothing%)\n", text)
    local layouts <close> = hdf5.open(fixtures .. "layouts.h5")
    assert.matches("\n  all  float32 %[11, 7%]\n", tostring(layouts))
    assert.equal("HDF5 dataset /cube: int32 [5, 6, 7]", tostring(layouts:get "cube"))
  end)

  it("nothing it does not understand, and says what that is", function()
    local file <close> = hdf5.open(fixtures .. "refused.h5")
    assert_tensor(numbers{2, 2}, file:get("fine"):read())
    assert_tensor(numbers{20, 20}, file:get("lzf"):read())
    local reasons = {
      compound = "compound values",
      complex = "compound values", ragged = "lists of variable length",
      scaled = "the filter .*%(6%)", elsewhere = "external storage", virtual = "a virtual layout",
    }
    for name, reason in pairs(reasons) do
      local dataset = file:get(name)
      assert.matches("refused%.h5: /" .. name .. ": uses " .. reason .. ", which is not supported",
        message_of(dataset.read, dataset))
    end
    assert.matches("/nine_axes: has 9 axes; tensors have at most 8",
      message_of(file:get("nine_axes").read, file:get "nine_axes"))
    assert.matches("a named datatype", message_of(file.get, file, "named_type"))
    assert.matches("attribute 'compound': uses compound values",
      message_of(file.attributes.get, file.attributes, "compound"))
    assert.matches("attribute 'reference': uses references",
      message_of(file.attributes.get, file.attributes, "reference"))
  end)

  it("chunks that lzf wrote, or words where they are damaged", function()
    local source = io.open(fixtures .. "refused.h5", "rb")
    local bytes, path = source:read "a", os.tmpname()
    source:close()
    local at = assert(bytes:find("\0\128\63", 1, true))
    for name, piece in mutate.mutations(bytes:sub(at, at + 200), {count = 60, seed = 4}) do
      mutate.write(path, bytes:sub(1, at - 1) .. piece:sub(1, 201) .. bytes:sub(at + #piece))
      local ok, result = pcall(function()
        local file <close> = hdf5.open(path)
        return file:get("lzf"):read()
      end)
      assert.is_true(ok or type(result) == "string" and not result:find "attempt to", name)
    end
    os.remove(path)
  end)

  it("everything at once, unless a group contains itself", function()
    local layouts = hdf5.load(fixtures .. "strings.h5")
    assert.equal("text", layouts.scalar)
    assert.equal("string 3", layouts.chunked[4])
    assert.matches("cycle%.h5: /a/b/up: a group contains itself",
      message_of(hdf5.load, fixtures .. "cycle.h5"))
    local paths = hdf5.load(fixtures .. "paths.h5") -- 2^40 of them
    for _ = 1, 40 do
      assert.equal(paths.left, paths.right)
      paths = paths.left
    end
    assert.same({}, paths)
  end)

  it("rows that are there, and no others", function()
    local file <close> = hdf5.open(fixtures .. "layouts.h5")
    for _, range in ipairs{{0, 3}, {1, 12}, {5, 3}, {1.5, 2}, {math.maxinteger, math.maxinteger},
      {1}} do
      local dataset = file:get "gzip"
      assert.matches("/gzip: rows: expected 1 <= first <= last <= 11",
        message_of(dataset.rows, dataset, range[1], range[2]))
    end
  end)

  it("no file that is closed", function()
    local file = hdf5.open(fixtures .. "layouts.h5")
    local contiguous, chunked = file:get "contiguous", file:get "gzip"
    chunked:read()
    file:close()
    file:close()
    assert.matches("layouts%.h5: the file has been closed", message_of(contiguous.read, contiguous))
    assert.matches("layouts%.h5: the file has been closed", message_of(chunked.read, chunked))
    assert.matches("the file has been closed", message_of(file.get, file, "gzip"))
  end)

  it("Keras's files", function()
    local file <close> = hdf5.open(fixtures .. "keras2_weights.h5")
    local names = file.attributes:get "layer_names"
    assert.equal("string", file.attributes:describe("layer_names").kind)
    assert.equal("tensorflow", file.attributes:get "backend")
    local weights = file:get(names[#names]).attributes:get "weight_names"
    assert.equal("float32", file:get(names[#names]):get(weights[1]).dtype)
    local old <close> = hdf5.open(fixtures .. "tf20_model.h5")
    assert.is_false(old:get("model_weights").attributes:describe("layer_names").variable)
    assert.equal("table", type(hdf5.load(fixtures .. "keras3_model.h5").optimizer_weights))
  end)

  it("what a path names when it is opened, whatever comes there later", function()
    local path = os.tmpname()
    mutate.write(path, mutate.read(fixtures .. "layouts.h5"))
    local file <close> = hdf5.open(path)
    hdf5.save(path, {other = cusp.ones{3}})
    assert_tensor(numbers({400, 3}, "uint8"), file:get("many_chunks"):read())
    assert_tensor(numbers{11, 7}, file:get("all"):read())
    os.remove(path)
  end)

  it("thousands of files, and keeps no descriptor and no process", function()
    local function descriptors()
      local list = engine.files.list "/proc/self/fd"
      return #list
    end
    if not engine.files.exists "/proc/self/fd" then return pending "needs /proc" end
    local before = descriptors()
    for _ = 1, 1000 do
      local file <close> = hdf5.open(fixtures .. "keras2_weights.h5")
      file:names()
    end
    collectgarbage()
    assert.equal(before, descriptors())
    local stat <close> = io.open "/proc/self/stat"
    local children <close> = io.open(("/proc/self/task/%d/children"):format(stat:read "n"))
    assert.equal("", children and children:read "a" or "")
  end)

  it("while threads of the engine are there", function()
    local a = cusp.ones{300, 300}
    for _ = 1, 20 do
      cusp.ops.matmul(a, a):item(1, 1)
      local file <close> = hdf5.open(fixtures .. "layouts.h5")
      assert_tensor(numbers{11, 7}, file:get("gzip"):read())
    end
  end)
end)

describe("Keras's reference models", function()
  local root = "../shared/golden/models/"
  local function inventories()
    local pipe = io.popen(("find %s -name '*_inventory.json' 2>/dev/null"):format(root))
    local list = {}
    for line in pipe:lines() do list[#list + 1] = line end
    pipe:close()
    table.sort(list)
    return list
  end

  local function compare_attribute(where, object, name, expected)
    local found = object.attributes:describe(name)
    local class = expected.type.class
    assert.equal(class == "string" and "string" or class,
      found.kind == "string" and "string" or found.dtype, where)
    if found.kind ~= "string" then return end
    assert.equal(expected.type.length == "variable", found.variable, where)
    assert.equal(expected.type.cset, found.charset, where)
  end

  local function compare(path, objects)
    local file <close> = hdf5.open(path)
    for _, expected in ipairs(objects) do
      local where = path .. ": " .. expected.path
      local object = assert(file:get(expected.path), where)
      assert.equal(expected.kind, object.kind, where)
      for name, attribute in pairs(expected.attributes) do
        compare_attribute(where .. " " .. name, object, name, attribute)
      end
      if expected.kind == "dataset" then
        assert.same(expected.shape, object.shape, where)
        assert.equal(expected.type.class, object.dtype, where)
        assert.same(expected.shape, object:read().shape, where)
      end
    end
  end

  it("have the objects, attributes and types that h5py lists", function()
    local count = 0
    for _, path in ipairs(inventories()) do
      local handle <close> = assert(io.open(path))
      for name, contents in pairs(cusp.json.decode(handle:read "a")) do
        if name:find "%.h5$" and contents.objects then
          compare(path:match "^.*/" .. name, contents.objects)
          count = count + 1
        end
      end
    end
    if count == 0 then pending "the reference models are not here" end
  end)
end)
