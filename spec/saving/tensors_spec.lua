local cusp = require "cusp"
local engine = require "cusp.engine"
local folders = require "spec.support.folder"
local files = engine.files

local same

--- Equal in kind and value: integers are not floats, NaN equals itself, tensors compare dtype,
-- shape and elements.
function same(expected, actual, where)
  if engine.is_tensor(expected) then
    assert.is_true(engine.is_tensor(actual), where)
    assert.equal(expected.dtype, actual.dtype, where)
    assert.same(expected.shape, actual.shape, where)
    assert.same(expected:flat(), actual:flat(), where)
  elseif type(expected) == "table" and expected ~= cusp.null and expected ~= cusp.None then
    assert.equal("table", type(actual), where)
    assert.equal(#expected, #actual, where)
    for key, value in pairs(expected) do same(value, actual[key], where .. "." .. tostring(key)) end
    for key in pairs(actual) do assert.is_not_nil(expected[key], where .. "." .. tostring(key)) end
  elseif expected ~= expected then
    assert.is_true(actual ~= actual, where)
  else
    assert.equal(expected, actual, where)
    assert.equal(math.type(expected), math.type(actual), where)
  end
end

describe("save and load", function()
  local scope = folders.new()
  local folder = scope.path

  teardown(function() scope:remove() end)

  local function fails(pattern, ...)
    local ok, message = pcall(...)
    assert.is_false(ok)
    assert.matches(pattern, message)
  end

  local function round_trip(value, extension)
    local path = folder .. "/value." .. extension
    cusp.save(path, value)
    same(value, cusp.load(path), extension)
  end

  local shared = cusp.ones{2}
  local values = {
    arrays = {x = cusp.random.uniform{3, 4}, y = cusp.arange(4), z = cusp.zeros({0, 2}, "float64")},
    nested = {encoder = {kernel = cusp.ones{2, 3}, bias = cusp.zeros{3}}, scale = cusp.tensor(2.5)},
    list = {cusp.ones{2}, {cusp.zeros{1}}, "text", 1, 1.0, true, false, cusp.null, cusp.None},
    scalars = {0, -0.0, 0.1, 1e300, math.huge, -math.huge, 0 / 0, math.maxinteger, math.mininteger,
      2 ^ 53},
    strings = {"", "née\n", "\0", "\xff\xfe\0a", ("x"):rep(100000)},
    empties = {{}, {{}}, {a = {}}},
    keys = {
      [1] = "one", [3] = "three", [1.5] = {}, [true] = 1, [false] = 0, ["a/b"] = shared,
      ["$x"] = {["$tensor"] = "y"}, [""] = shared,
      ["\xff"] = 1,
    },
    clashes = {
      ["a/b"] = cusp.ones{1}, ["a_b"] = cusp.zeros{1},
      a = {b = cusp.zeros{2}, ["."] = cusp.ones{3}, [".."] = cusp.ones{4}},
    },
    shared = {shared, {shared}},
    reserved = {["cusp.json"] = cusp.ones{2}},
    dtypes = {
      cusp.ones({2}, "bool"), cusp.ones({2}, "int8"), cusp.ones({2}, "uint8"),
      cusp.ones({2}, "int64"), cusp.ones({2}, "uint64"),
      cusp.ones({2}, "float16"), cusp.ones({2}, "float64"),
    },
    tensor = cusp.ones{2, 2},
    number = 3,
    string = "text",
  }

  for _, extension in ipairs{"npz", "h5"} do
    for name, value in pairs(values) do
      it(("keeps %s in .%s"):format(name, extension), function() round_trip(value, extension) end)
    end
  end

  it("writes tables of tensors as plain arrays", function()
    cusp.save(folder .. "/plain.npz", values.arrays)
    local archive <close> = cusp.zip.open(folder .. "/plain.npz")
    assert.same({"x.npy", "y.npy", "z.npy"}, archive:names())
    cusp.save(folder .. "/plain.h5", values.nested)
    same(values.nested, require("cusp.formats.hdf5").load(folder .. "/plain.h5"), "h5")
  end)

  it("keeps a tensor in .npy", function()
    round_trip(cusp.random.uniform{3, 4}, "npy")
    cusp.save(folder .. "/variable.npy", cusp.Variable{1, 2})
    assert.same({2}, cusp.load(folder .. "/variable.npy").shape)
    fails("one tensor, got .*%.npz and .h5 hold tables", cusp.save, folder .. "/a.npy", {a = 1})
    local strings = cusp.tensor{"a", "b"}
    fails("or numbers that make one", cusp.save, folder .. "/s.npy", strings)
    fails("or numbers that make one", cusp.numpy.savez, folder .. "/s.npz", {s = strings})
    fails("tensors of numbers by name", cusp.save, folder .. "/s.safetensors", {s = strings})
    for _, ending in ipairs{"npz", "h5", "json", "yaml", "safetensors"} do
      local path = folder .. "/s." .. ending
      fails("s is tensor %[2%] string.*tolist", cusp.save, path, {{s = strings}, 1})
      assert.is_nil(io.open(path))
    end
  end)

  it("keeps plain tables in .json and .yaml", function()
    local plain = {list = {1, 2.5, "x", true, cusp.null, {}}, empty = {}, text = "née",
      deep = {{{a = 1}}}}
    for _, extension in ipairs{"json", "yaml", "yml"} do round_trip(plain, extension) end
    fails("a.json: the value at a%.1 is tensor %[2%] float32, which text does not hold", cusp.save,
      folder .. "/a.json", {a = {shared}})
    fails("a.yaml: .*function", cusp.save, folder .. "/a.yaml", {a = {print}})
  end)

  it("says what cannot be saved, and where it is", function()
    local model = cusp.Sequential{cusp.layers.Dense{2}}
    fails("saved by its own method: model:save%(.*m.npz", cusp.save, folder .. "/m.npz", model)
    fails("saved by its own method: model:save", cusp.save, folder .. "/m.keras", model)
    fails("the value at a%[2%] is Sequential.*model:save", cusp.save, folder .. "/m.npz",
      {a = {1, model}})
    fails("the value at f is a function", cusp.save, folder .. "/m.npz", {f = print})
    fails("the key at k is", cusp.save, folder .. "/m.npz", {k = {[{}] = 1}})
    local cycle = {x = {}}
    cycle.x.again = cycle
    fails("the value at x.again contains itself", cusp.save, folder .. "/m.npz", cycle)
    local deep = {}
    for _ = 1, 1000 do deep = {deep} end
    fails("nested deeper", cusp.save, folder .. "/m.h5", deep)
    fails("expected a value", cusp.save, folder .. "/m.npz")
    assert.is_false(files.exists(folder .. "/m.npz"))
  end)

  it("says which kinds of files there are", function()
    local all = "%.npy, %.npz, %.safetensors, %.h5, %.hdf5, %.json, %.yaml or %.yml"
    fails(all, cusp.save, folder .. "/a.bin", {})
    fails(all, cusp.save, folder .. "/a", {})
    fails(all, cusp.load, folder .. "/a.txt")
    fails(all .. "; .*load_model", cusp.load, folder .. "/a.keras")
    fails("expected a path", cusp.load, 5)
  end)

  it("refuses skeletons that it did not write", function()
    local path = folder .. "/hostile.npz"
    local function with(skeleton)
      local writer = cusp.zip.create(path)
      writer:add("cusp.json", skeleton)
      writer:close()
      return path
    end
    for _, skeleton in ipairs{
      '{"$tensor": "missing"}', '{"$tensor": 5}', '{"$bytes": 5}', '{"$bytes": "\\u0100"}',
      '{"$map": 5}', '{"$map": [1]}',
      '{"$map": [[{}, 1]]}', '{"$map": [[NaN, 1]]}',
    } do
      fails("hostile.npz: its structure has a wrong", cusp.load, with(skeleton))
    end
    fails("hostile.npz: cusp.json: ", cusp.load, with "{")
    fails("hostile.npz: cusp.json: ", cusp.load, with(("["):rep(100000)))
  end)
end)
