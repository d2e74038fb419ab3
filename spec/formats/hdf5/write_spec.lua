local cusp = require "cusp"
local engine = require "cusp.engine"
local folders = require "spec.support.folder"
local hdf5 = require "cusp.formats.hdf5"
local mutate = require "spec.support.mutate"
local message_of = require "spec.support.message"

local all_dtypes = {
  "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
  "bfloat16", "float32", "float64",
}

local function assert_tensor(expected, got)
  assert.same(expected.shape, got.shape)
  assert.equal(expected.dtype, got.dtype)
  assert.equal(expected:tobytes(), got:tobytes())
end

local function numbers(shape, dtype)
  local count = 1
  for _, size in ipairs(shape) do count = count * size end
  return cusp.ops.cast(cusp.ops.reshape(cusp.arange(0, count, 1, "int32"), shape),
    dtype or "float32")
end

local function has_program(name)
  return os.execute(("command -v %s >/dev/null 2>&1"):format(name))
end

describe("cusp.hdf5 writes", function()
  local folder, path

  before_each(function()
    folder = folders.new()
    path = folder.path .. "/new.h5"
  end)
  after_each(function()
    engine.files.fail_after(0)
    getmetatable(folder).__close(folder)
  end)

  local function write(fill)
    local file <close> = hdf5.create(path)
    fill(file)
    file:close()
    return hdf5.open(path)
  end

  it("every dtype, in one piece and in chunks", function()
    local file <close> = write(function(file)
      for _, dtype in ipairs(all_dtypes) do
        file:create_dataset("plain/" .. dtype, numbers({3, 4}, dtype))
        file:create_dataset("chunked/" .. dtype, numbers({3, 4}, dtype),
          {chunks = {2, 3}, compression = "gzip", shuffle = true})
        file.attributes:set(dtype, numbers({3}, dtype))
      end
    end)
    for _, dtype in ipairs(all_dtypes) do
      assert_tensor(numbers({3, 4}, dtype), file:get("plain/" .. dtype):read())
      assert_tensor(numbers({3, 4}, dtype), file:get("chunked/" .. dtype):read())
      assert_tensor(numbers({3}, dtype), file.attributes:get(dtype))
    end
  end)

  it("scalars, empty and large tensors, views, variables, pending and plain values", function()
    local variable = engine.variable(numbers{2, 3})
    local large = numbers{300, 700}
    local file <close> = write(function(file)
      file:create_dataset("scalar", cusp.tensor(2.5))
      file:create_dataset("empty", cusp.zeros{0, 3})
      file:create_dataset("large", large)
      file:create_dataset("view", cusp.ops.transpose(large))
      file:create_dataset("variable", variable)
      variable:assign(cusp.zeros{2, 3})
      file:create_dataset("pending", numbers{2, 2} * 2 + 1)
      file:create_dataset("integer", 3)
      file:create_dataset("float", 0.5)
      file:create_dataset("boolean", true)
      file:create_dataset("list", {1, 2, 3})
      file:create_dataset("nested", {{1, 2}, {3, 4}}, {dtype = "float16"})
    end)
    assert_tensor(cusp.tensor(2.5), file:get("scalar"):read())
    assert.same({0, 3}, file:get("empty"):read().shape)
    assert_tensor(large, file:get("large"):read())
    assert_tensor(cusp.ops.transpose(large), file:get("view"):read())
    assert_tensor(numbers{2, 3}, file:get("variable"):read())
    assert_tensor(numbers{2, 2} * 2 + 1, file:get("pending"):read())
    assert.same({"int64", "float64", "bool"},
      {file:get("integer").dtype, file:get("float").dtype, file:get("boolean").dtype})
    assert_tensor(cusp.tensor({1, 2, 3}, {dtype = "int64"}), file:get("list"):read())
    assert_tensor(cusp.tensor({{1, 2}, {3, 4}}, {dtype = "float16"}), file:get("nested"):read())
  end)

  it("strings", function()
    local file <close> = write(function(file)
      file:create_dataset("text", "Grüße")
      file:create_dataset("texts", {"one", "", "three"})
      file:create_dataset("fixed", {"a", "bc"}, {fixed = true, charset = "ascii"})
      file.attributes:set("text", "Grüße")
      file.attributes:set("ascii", "plain", {charset = "ascii"})
      file.attributes:set("list", {"dense", "dense_1"}, {charset = "ascii"})
      file.attributes:set("fixed", {"dense", "dense_1"}, {charset = "ascii", fixed = true})
      file.attributes:set("wide", "x", {fixed = 10})
      file.attributes:set("twice", "first")
      file.attributes:set("twice", "second")
    end)
    assert.equal("Grüße", file:get("text"):read())
    assert.same({"one", "", "three"}, file:get("texts"):read())
    assert.same({"a", "bc"}, file:get("fixed"):read())
    local attributes = file.attributes
    assert.same({"Grüße", "plain", "x", "second"}, {
      attributes:get "text", attributes:get "ascii", attributes:get "wide", attributes:get "twice",
    })
    assert.same({"dense", "dense_1"}, attributes:get "list")
    assert.same({"dense", "dense_1"}, attributes:get "fixed")
    local text, list, fixed = attributes:describe "text", attributes:describe "list",
      attributes:describe "fixed"
    assert.same({true, "utf8", {}}, {text.variable, text.charset, text.shape})
    assert.same({true, "ascii", {2}}, {list.variable, list.charset, list.shape})
    assert.same({false, "ascii", 7, "null_padded"},
      {fixed.variable, fixed.charset, fixed.size, fixed.padding})
    assert.equal(10, attributes:describe("wide").size)
  end)

  it("numbers as attributes: an empty list is an empty float64 array", function()
    local file <close> = write(function(file)
      file.attributes:set("empty", {})
      file.attributes:set("integer", 3)
      file.attributes:set("float", 2.5)
      file.attributes:set("boolean", false)
      file.attributes:set("small", 3, {dtype = "int32"})
    end)
    local attributes = file.attributes
    assert.same({}, attributes:get "empty")
    assert.same({"float64", {0}},
      {attributes:describe("empty").dtype, attributes:describe("empty").shape})
    assert.same({3, 2.5, false},
      {attributes:get "integer", attributes:get "float", attributes:get "boolean"})
    assert.same({"int64", "float64", "bool", "int32"}, {
      attributes:describe("integer").dtype, attributes:describe("float").dtype,
      attributes:describe("boolean").dtype,
      attributes:describe("small").dtype,
    })
  end)

  it("groups by path, once", function()
    local file <close> = write(function(file)
      local group = file:create_group "a/b"
      group:create_dataset("c/d", {1})
      group:create_group("/top").attributes:set("name", "top")
      assert.equal("/a/b", file:require_group("a/b").name)
      assert.equal("/a/e", file:require_group("a/e").name)
      assert.equal("/a/b/c/d", file:get("a/b/c/d").name)
      assert.same({"b", "e"}, file:get("a"):names())
      assert.is_nil(file:get "a/x/y")
      assert.matches("new%.h5: /a/b: create_group: a group of that name already",
        message_of(file.create_group, file, "a/b"))
      assert.matches("/a: create_dataset: a group",
        message_of(file.create_dataset, file, "a", 1))
      assert.matches("/a/b/c/d: it is a dataset; nothing can be created below it",
        message_of(file.create_dataset, file, "a/b/c/d/e", 1))
      assert.matches("create_group expects a name, got string \"/\"",
        message_of(file.create_group, file, "/"))
      assert.matches("create_group expects a name, got nil", message_of(file.create_group, file))
      assert.matches("\n  a/\n    b/\n      c/\n        d  int64 %[1%]\n", tostring(file))
    end)
    assert.same({"a", "top"}, file:names())
    assert.equal("top", file:get("top").attributes:get "name")
  end)

  it("chunks of every shape and filter", function()
    local tensor = numbers{53, 17, 3}
    local options = {
      {chunks = {10, 17, 3}}, {chunks = {53, 17, 3}}, {chunks = {1, 1, 1}},
      {chunks = {50, 16, 2}, compression = "gzip"},
      {compression = "gzip"},
      {compression = "gzip", compression_opts = 9, shuffle = true, fletcher32 = true},
      {fletcher32 = true},
      {shuffle = true, chunks = true},
      {compression = "gzip", compression_opts = 0, chunks = {7, 5, 3}},
    }
    local file <close> = write(function(file)
      for i, each in ipairs(options) do file:create_dataset("d" .. i, tensor, each) end
      file:create_dataset("empty", cusp.zeros{0, 3}, {compression = "gzip"})
      file:create_dataset("plain", tensor)
    end)
    for i in ipairs(options) do
      assert_tensor(tensor, file:get("d" .. i):read())
      assert_tensor(tensor:slice{{9, 31}}, file:get("d" .. i):rows(9, 31))
    end
    assert_tensor(tensor, file:get("plain"):read())
    assert.same({0, 3}, file:get("empty"):read().shape)
  end)

  it("what h5dump and h5diff read as h5py's own", function()
    if not has_program "h5diff" or not has_program "h5dump" then
      return pending "needs hdf5-tools"
    end
    local original = "spec/fixtures/hdf5/keras3_model.h5"
    do -- the same objects again, by what is known of them
      local from <close> = hdf5.open(original)
      local to <close> = hdf5.create(path)
      local function copy_attributes(source, target)
        for _, name in ipairs(source.attributes:names()) do
          local about = source.attributes:describe(name)
          local options = about.kind == "string"
            and {charset = about.charset, fixed = not about.variable and about.size} or nil
          target.attributes:set(name, source.attributes:get(name), options)
        end
      end
      local function copy(source, target)
        copy_attributes(source, target)
        for _, name in ipairs(source:names()) do
          local member = source:get(name)
          if member.kind == "group" then
            copy(member, target:create_group(name))
          else
            copy_attributes(member, target:create_dataset(name, member:read()))
          end
        end
      end
      copy(from.root, to.root)
      to:close()
    end
    assert.is_true(os.execute(("h5diff -q %s %s"):format(original, path)))
    local function header(file)
      local pipe <close> = io.popen(("h5dump -H %s"):format(file))
      return (pipe:read("a"):gsub("^[^\n]*\n", ""))
    end
    assert.equal(header(original), header(path))
  end)

  it("and refuses what cannot be written, and says why", function()
    local file <close> = hdf5.create(path)
    local function dataset(...) return message_of(file.create_dataset, file, "x", ...) end
    local function attribute(...)
      return message_of(file.attributes.set, file.attributes, "x", ...)
    end
    assert.matches("new%.h5: x: expected a tensor, a number, a string or a list of them, got nil",
      dataset())
    assert.matches("got a function", dataset(print))
    assert.matches('compression expects "gzip", got string "lzf"',
      dataset(cusp.ones{3}, {compression = "lzf"}))
    assert.matches("compression_opts expects a level from 0 to 9, got number 10",
      dataset(cusp.ones{3}, {compression = "gzip", compression_opts = 10}))
    assert.matches("chunks expects 1 sizes from 1 to those of the shape %[3%], got table {4}",
      dataset(cusp.ones{3}, {chunks = {4}}))
    assert.matches("a scalar has no chunks", dataset(1, {compression = "gzip"}))
    assert.matches("unknown option 'compresion' %(did you mean 'compression'%?%)",
      dataset(cusp.ones{3}, {compresion = "gzip"}))
    assert.matches(
      "attribute 'x': a string of variable length cannot hold a zero byte; pass fixed = true",
      attribute "a\0b")
    assert.matches("fixed expects true or an integer of at least 5",
      attribute({"a", "hello"}, {fixed = 3}))
    assert.matches('charset expects "ascii" or "utf8", got string "latin1"',
      attribute("a", {charset = "latin1"}))
    assert.matches("an attribute holds at most 64512 bytes, this one has 80000; Keras splits",
      attribute(cusp.zeros{20000}))
    local names = {}
    for i = 1, 5000 do names[i] = "dense_" .. i end
    assert.matches("at most 64512 bytes, this one has 80000", attribute(names))
    assert.matches("expected a name, got nil",
      message_of(file.attributes.set, file.attributes, nil, 1))
    file:create_dataset("x", 1) -- nothing was left behind
    file:close()
    local read <close> = hdf5.open(path)
    assert.same({"x"}, read:names())
    assert.matches("the file has been closed", message_of(file.create_group, file, "y"))
  end)

  it("named tensors by save, read again by load", function()
    local tensors = {dense = {kernel = numbers{3, 2}, bias = numbers{2}}, step = 7,
      names = {"a", "b"}, none = {}}
    hdf5.save(path, tensors)
    local loaded = hdf5.load(path)
    assert_tensor(tensors.dense.kernel, loaded.dense.kernel)
    assert_tensor(tensors.dense.bias, loaded.dense.bias)
    assert.equal(7, loaded.step:item())
    assert.same({"a", "b"}, loaded.names)
    assert.same({}, loaded.none)
    assert.matches("expected a table of named tensors, got tensor %[2%] float32",
      message_of(hdf5.save, path, cusp.ones{2}))
    assert.matches("expected a table of named tensors, got table {1, 2}",
      message_of(hdf5.save, path, {1, 2}))
    assert.matches("names are strings, got number 2", message_of(hdf5.save, path, {[2] = 1}))
    local loop = {}
    loop.loop = loop
    assert.matches("a table contains itself", message_of(hdf5.save, path, loop))
    assert_tensor(tensors.dense.bias, hdf5.load(path).dense.bias)
  end)

  describe("whole or not at all:", function()
    local function save(value)
      hdf5.save(path, {a = cusp.ones{100, 100} * value, b = {c = numbers{5}}})
    end

    it("a full disk at any byte leaves the old file", function()
      save(1)
      local size, old = #mutate.read(path), mutate.read(path)
      for bytes = 1, size + 4000, size // 23 do
        engine.files.fail_after(bytes)
        local ok, message = pcall(save, 2)
        engine.files.fail_after(0)
        if ok then
          assert.is_true(bytes >= size - 4096)
          save(1)
        else
          assert.matches("No space left on device", message)
          assert.is_true(old == mutate.read(path))
        end
        assert.same({"new.h5"}, engine.files.list(folder.path))
      end
      assert.equal(1, hdf5.load(path).a:item(1, 1))
    end)

    it("abort, an error or a forgotten file change nothing", function()
      save(1)
      local old = mutate.read(path)
      hdf5.create(path):abort()
      assert.is_false(pcall(function()
        local file <close> = hdf5.create(path)
        file:create_dataset("x", 1)
        error "on the way"
      end))
      hdf5.create(path):create_dataset("x", 1)
      collectgarbage()
      collectgarbage()
      assert.is_true(old == mutate.read(path))
      assert.same({"new.h5"}, engine.files.list(folder.path))
    end)

    it("a folder that is missing is an error at once", function()
      assert.matches("/missing/x%.h5: ", message_of(hdf5.create, folder.path .. "/missing/x.h5"))
      assert.matches("expected a path, got nil", message_of(hdf5.create))
    end)

    it("a failing allocation is an error, and nothing else", function()
      save(1)
      local failed = 0
      for n = 0, 60 do
        local tensor = cusp.ones{4, 4}
        engine.fail_after(n)
        local ok = pcall(hdf5.save, path, {a = tensor})
        engine.fail_after(-1)
        failed = failed + (ok and 0 or 1)
        assert.equal("table", type(hdf5.load(path)))
      end
      assert.is_true(failed > 0)
    end)

    it("many files can be written at one time", function()
      local files = {}
      for i = 1, 5 do
        files[i] = hdf5.create(folder.path .. "/" .. i .. ".h5")
        files[i]:create_dataset("i", i)
      end
      for i = 5, 1, -1 do
        files[i]:close()
        assert.equal(i, hdf5.load(folder.path .. "/" .. i .. ".h5").i:item())
      end
    end)
  end)
end)
