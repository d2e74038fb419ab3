local cusp = require "cusp"
local files = require("cusp.engine").files
local folders = require "spec.support.folder"
local header = require "cusp.formats.numpy.header"
local numpy = cusp.numpy

local fixtures = "spec/fixtures/numpy/"

local dtypes = {
  i1 = "int8", u1 = "uint8", i2 = "int16", u2 = "uint16", i4 = "int32", u4 = "uint32", i8 = "int64",
  u8 = "uint64",
  f2 = "float16", f4 = "float32", f8 = "float64",
}

describe("numpy", function()
  local scope = folders.new()
  local folder = scope.path

  teardown(function() scope:remove() end)

  local function contents(path)
    local reader <close> = files.open(path)
    return reader:read(0, reader.size)
  end

  local function write(name, ...)
    local writer <close> = files.create(folder .. "/" .. name)
    writer:write(...)
    writer:commit()
    return folder .. "/" .. name
  end

  local function is_counting(tensor, dtype)
    assert.equal(dtype, tensor.dtype)
    assert.same({2, 3, 4}, tensor.shape)
    for i, value in ipairs(tensor:flat()) do assert.equal(i - 1, value) end
  end

  local function fails(pattern, ...)
    local ok, message = pcall(...)
    assert.is_false(ok)
    assert.matches(pattern, message)
  end

  it("reads every dtype in both byte orders, and writes NumPy's bytes", function()
    for kind, dtype in pairs(dtypes) do
      for _, order in ipairs{"little", "big"} do
        local tensor = numpy.load(("%s%s_%s.npy"):format(fixtures, kind, order))
        is_counting(tensor, dtype)
        local path = folder .. "/again.npy"
        numpy.save(path, tensor)
        assert.equal(contents(("%s%s_little.npy"):format(fixtures, kind)), contents(path))
      end
    end
    is_counting(numpy.load(fixtures .. "bfloat16.npy"), "bfloat16")
    local odd = numpy.load(fixtures .. "bool.npy")
    assert.equal("bool", odd.dtype)
    assert.equal(false, odd:item(1, 1, 1))
    assert.equal(true, odd:item(2, 3, 4))
    for _, name in ipairs{"bool", "bfloat16", "scalar", "empty", "vector"} do
      numpy.save(folder .. "/again.npy", numpy.load(fixtures .. name .. ".npy"))
      assert.equal(contents(fixtures .. name .. ".npy"), contents(folder .. "/again.npy"), name)
    end
  end)

  it("reads Fortran order, scalars, empty arrays and the later versions", function()
    is_counting(numpy.load(fixtures .. "fortran.npy"), "float32")
    is_counting(numpy.load(fixtures .. "fortran_big.npy"), "int16")
    is_counting(numpy.load(fixtures .. "version_2.npy"), "float32")
    is_counting(numpy.load(fixtures .. "version_3.npy"), "float32")
    assert.equal(3.5, numpy.load(fixtures .. "scalar.npy"):item())
    assert.same({0, 3}, numpy.load(fixtures .. "empty.npy").shape)
  end)

  it("reads text as strings", function()
    assert.same({{"a", "née"}, {"", "xyz"}}, numpy.load(fixtures .. "text.npy"))
    assert.same({"a", "née"}, numpy.load(fixtures .. "text_big.npy"))
    assert.same({"abc", "d"}, numpy.load(fixtures .. "bytes.npy"))
    assert.equal("word", numpy.load(fixtures .. "text_scalar.npy"))
  end)

  it("refuses what tensors cannot hold, with the reason", function()
    fails("Python objects, which are pickled: reading them would run code", numpy.load,
      fixtures .. "refused_object.npy")
    fails("complex", numpy.load, fixtures .. "refused_complex.npy")
    fails("records", numpy.load, fixtures .. "refused_records.npy")
    fails("dates", numpy.load, fixtures .. "refused_date.npy")
    fails("object.npz: member 'x.npy': it holds Python objects", numpy.load,
      fixtures .. "object.npz")
    fails("may be a pickle", numpy.load, write("pickle.npy", "\x80\4\x95"))
    fails("neither a .npy nor a .npz", numpy.load, write("other.npy", "other"))
    fails("neither a .npy nor a .npz", numpy.load, write("nothing.npy", ""))
    fails("none.npy: .*No such file", numpy.load, folder .. "/none.npy")
  end)

  it("reads and writes archives", function()
    for _, name in ipairs{"stored.npz", "deflated.npz"} do
      local arrays = numpy.load(fixtures .. name)
      is_counting(arrays.arr_0, "int32")
      is_counting(arrays.x, "float32")
      assert.equal("int64", arrays.y.dtype)
      assert.same({0}, arrays.empty.shape)
    end
    local x = cusp.random.uniform{30, 40}
    for _, save in ipairs{numpy.savez, numpy.savez_compressed} do
      save(folder .. "/a.npz", cusp.ones{2},
        {x = x, variable = cusp.Variable{1.5, 2.5}, number = 3, path = x:transpose()})
      local arrays = numpy.load(folder .. "/a.npz")
      assert.same(x:flat(), arrays.x:flat())
      assert.same(x:transpose():flat(), arrays.path:flat())
      assert.same({1, 1}, arrays.arr_0:flat())
      assert.same({1.5, 2.5}, arrays.variable:flat())
      assert.equal(3, arrays.number:item())
      save(folder .. "/list.npz", {cusp.ones{2}, cusp.zeros{3}})
      assert.same({3}, numpy.load(folder .. "/list.npz").arr_1.shape)
    end
    numpy.savez{folder .. "/one.npz", x = x}
    assert.same(x:flat(), numpy.load(folder .. "/one.npz").x:flat())
    numpy.savez(folder .. "/none.npz", {})
    assert.same({}, numpy.load(folder .. "/none.npz"))
  end)

  it("keeps the old file where a value is no tensor", function()
    local path = write("old.npz", "old")
    fails("old.npz: 'b': expected a tensor, .* got string", numpy.savez, path,
      {a = cusp.ones{2}, b = "text"})
    fails("expected a tensor, .* got a function", numpy.save, path, print)
    assert.equal("old", contents(path))
    fails("also the default name of an unnamed value", numpy.savez, path, cusp.ones{1},
      {arr_0 = cusp.ones{1}})
  end)

  describe("headers", function()
    local function array(text, data, version)
      local length = version and string.pack("<I4", #text) or string.pack("<I2", #text)
      return write("hostile.npy",
        "\x93NUMPY" .. string.char(version or 1) .. "\0" .. length .. text .. (data or ""))
    end

    local function dictionary(descr, order, shape)
      return ("{'descr': %s, 'fortran_order': %s, 'shape': %s, }"):format(descr, order, shape)
    end

    it("are read as Python writes literals", function()
      local four = "\0\0\128?\0\0\0@"
      local accepted = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
        "{'shape':(2L,),'fortran_order':False,'descr':u'<f4'}   \n",
        '  { "descr" : "<f4" , "fortran_order" : True , "shape" : [ 2 ] , }',
      }
      for _, text in ipairs(accepted) do
        assert.same({1, 2}, numpy.load(array(text, four)):flat())
        assert.same({1, 2}, numpy.load(array(text, four, 3)):flat())
      end
    end)

    it("claim what cannot be, and are refused without taking memory", function()
      local hostile = {
        {"('a',)", "should have '{'"},
        {"{'descr': '<f4'", "',' or '}'"},
        {"{'descr': __import__('os')}", "a literal"},
        {"{'descr': '<f4'} + 1", "nothing after"},
        {"{'descr': '<f4', 'descr': '<f4'}", "each key once"},
        {("{'descr': " .. ("("):rep(1000)), "deeper"},
        {"{'shape': (2,), 'fortran_order': False}", "no descr"},
        {dictionary("'<f4'", "0", "(2,)"), "fortran_order"},
        {dictionary("'<f4'", "False", "2"), "no tuple"},
        {dictionary("'<f4'", "False", "(-1,)"), "axis 1 of its shape is %-1"},
        {dictionary("'<f4'", "False", "(2, 'a')"), "axis 2 of its shape is a"},
        {dictionary("'<f4'", "False", "(3,)"), "does not fit into the 8 bytes"},
        {dictionary("'<f4'", "False", "(9223372036854775807, 9223372036854775807)"),
          "does not fit"},
        {dictionary("'<f4'", "False", "(4611686018427387904, 4)"), "does not fit"},
        {dictionary("'<f4'", "False", "(99999999999999999999,)"), "a literal"},
        {dictionary("'<f4'", "False", "(0, 9223372036854775807, 9223372036854775807)"), "."},
        {dictionary("'<f4'", "False", "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1)"), "."},
        {dictionary("'<S1'", "False", "(9,)"), "does not fit"},
        {dictionary("'|S0'", "False", "(1000000000,)"), "does not fit"},
        {dictionary("'|S1'", "False", "(1000000000, 0)"), "does not fit"},
        {dictionary("'<U1'", "False", "(2,)"), "element 1 is not Unicode"},
        {dictionary("'<f16'", "False", "(1,)"), "no dtype"},
        {dictionary("''", "False", "(1,)"), "no dtype"},
        {dictionary("('<f4', (2,))", "False", "(1,)"), "records"},
      }
      for _, case in ipairs(hostile) do
        local ok, message = pcall(numpy.load, array(case[1], "\255\255\255\255abcd"))
        assert.is_false(ok, case[1])
        assert.matches("hostile.npy: .*" .. case[2], message)
      end
      fails("version 4.0", numpy.load, array("{}", "", 4))
      fails("ends in its header", numpy.load, write("hostile.npy", "\x93NUMPY\2\0\0\0\0"))
      fails("claims 65535 bytes, but only 2", numpy.load,
        write("hostile.npy", "\x93NUMPY\1\0\255\255{}"))
      fails("more than any that is read", numpy.load,
        write("hostile.npy", "\x93NUMPY\2\0\255\255\255\255{}"))
    end)

    it("fill up to 64 bytes as NumPy's do", function()
      for _, shape in ipairs{{}, {3}, {1000000, 2}, {1, 2, 3, 4, 5, 6, 7, 8}} do
        assert.equal(0, #header.write("<f4", shape) % 64)
      end
    end)
  end)
end)
