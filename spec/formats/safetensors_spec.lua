local cusp = require "cusp"
local folders = require "spec.support.folder"
local mutate = require "spec.support.mutate"

local dtypes = {"float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8",
  "uint64", "uint32", "uint16", "uint8", "bool"}

local function file_of(header, bytes) return ("<I8"):pack(#header) .. header .. (bytes or "") end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

describe("safetensors", function()
  local folder
  before_each(function() folder = folders.new() end)
  after_each(function() folder:remove() end)

  it("gives back tensors of every dtype, shape and name", function()
    local path, tensors = folder.path .. "/x.safetensors", {}
    for i, dtype in ipairs(dtypes) do
      tensors["layer." .. dtype .. "/ü"] = cusp.tensor({{0, 1, 1}, {i % 2, 0, 1}}, {dtype = dtype})
    end
    tensors.scalar, tensors.empty = cusp.tensor(2.5), cusp.zeros{0, 3}
    cusp.save(path, tensors)
    local again, count = cusp.load(path), 0
    for name, tensor in pairs(tensors) do
      assert.equal(tensor.dtype, again[name].dtype)
      assert.same(tensor.shape, again[name].shape)
      assert.equal(tensor:tobytes(), again[name]:tobytes())
      count = count + 1
    end
    assert.equal(15, count)
  end)

  it("lays tensors out as the format says", function()
    local path = folder.path .. "/x.safetensors"
    cusp.safetensors.save(path, {b = cusp.tensor({1}, {dtype = "int8"}), a = cusp.tensor{1, 2}},
      {format = "pt"})
    local bytes = read(path)
    local length = ("<I8"):unpack(bytes)
    local header = bytes:sub(9, 8 + length)
    assert.equal(0, length % 8)
    assert.equal('{"__metadata__": {"format": "pt"}, "a": {"dtype": "I32", "shape": [2], '
      .. '"data_offsets": [0, 8]}, "b": {"dtype": "I8", "shape": [1], "data_offsets": [8, 9]}}',
      (header:gsub(" +$", "")))
    assert.equal(("<i4i4i1"):pack(1, 2, 1), bytes:sub(9 + length))
    local _, metadata = cusp.safetensors.load(path)
    assert.equal("pt", metadata.format)
  end)

  it("keeps nested tables with plain values", function()
    local path = folder.path .. "/x.safetensors"
    cusp.save(path, {a = {cusp.ones{2}, {deep = cusp.zeros{1}}}, note = "text", count = 3})
    local again = cusp.load(path)
    assert.same({"text", 3}, {again.note, again.count})
    assert.same({0}, again.a[2].deep:tolist())
  end)

  it("reads what the format allows and refuses the rest in words", function()
    local path = folder.path .. "/x.safetensors"
    local one = '"dtype":"U8","shape":[1],"data_offsets":'
    local cases = {
      {file_of('{}'), nil}, {file_of('{"a":{' .. one .. '[0,1]}}   ', "x"), nil},
      {"", "it has 0 bytes"}, {("<I8"):pack(1 << 62) .. "{}", "say a header of"},
      {("<I8"):pack(-1) .. "{}", "say a header of 18446744073709551615"},
      {file_of '[]', "not a JSON object"}, {file_of '{"a":', "its header: "},
      {file_of('{"a":{' .. one .. '[0,2]}}', "xx"), "'a' has 2 bytes, but its shape and dtype"},
      {file_of('{"a":{' .. one .. '[0,1]}}', "xx"), "1 bytes after the header belong to no tensor"},
      {file_of('{"a":{' .. one .. '[1,2]}}', "xx"), "begins at byte 1 of the tensors instead of 0"},
      {file_of('{"a":{' .. one .. '[0,1]},"b":{' .. one .. '[0,1]}}', "x"), "they overlap"},
      {file_of('{"a":{' .. one .. '[0,1]},"a":{' .. one .. '[0,1]}}', "x"), "names a tensor twice"},
      {file_of('{"a":{' .. one .. '[0,9]}}', "x"), "lies outside the file"},
      {file_of('{"a":{' .. one .. '[-1,0]}}', "x"), "lies outside the file"},
      {file_of('{"a":{' .. one .. '[0.5,1]}}', "x"), "no pair of integers"},
      {file_of('{"a":{"dtype":"F4","shape":[],"data_offsets":[0,1]}}', "x"),
        'has dtype string "F4"'},
      {file_of('{"a":{"dtype":"U8","shape":[4611686018427387904,4],"data_offsets":[0,1]}}', "x"),
        "needs?"},
      {file_of('{"a":3}', ""), "'a' is not an object"},
      {file_of('{"__metadata__":{"a":1}}', ""), "holds a value that is no string"},
    }
    for _, case in ipairs(cases) do
      mutate.write(path, case[1])
      local ok, message = pcall(cusp.load, path)
      assert.equal(case[2] == nil, ok, message)
      if case[2] then assert.truthy(message:find(case[2]), message) end
    end
  end)

  it("survives damage", function()
    local path = folder.path .. "/x.safetensors"
    cusp.save(path, {a = cusp.ones{3, 4}, b = cusp.zeros({5}, {dtype = "int8"}), c = {"text"}})
    for name, bytes in mutate.mutations(read(path), {count = 400, seed = 3}) do
      mutate.write(path, bytes)
      local ok, message = pcall(cusp.load, path)
      assert.is_true(ok or type(message) == "string", name)
    end
  end)

  it("leaves the old file where it cannot write", function()
    local path = folder.path .. "/x.safetensors"
    cusp.save(path, {a = cusp.ones{1}})
    local before = read(path)
    assert.has_error(function() cusp.safetensors.save(path, {a = cusp.ones{1}, b = "text"}) end)
    assert.has_error(function() cusp.safetensors.save(path, {__metadata__ = cusp.ones{1}}) end)
    assert.has_error(function() cusp.safetensors.save(path, {a = cusp.ones{1}}, {n = 1}) end)
    assert.equal(before, read(path))
  end)
end)

describe("weights as safetensors", function()
  local folder
  local layers = cusp.layers
  before_each(function() folder = folders.new() end)
  after_each(function() folder:remove() end)

  local function new_model(units)
    local inputs = cusp.Input{shape = {4, 3}}
    local inner = cusp.Sequential{layers.Dense(5), layers.BatchNormalization()}
    local x = inner(inputs)
    return cusp.Model(inputs, layers.Dense(units or 2)(layers.LSTM(3)(x)))
  end

  it("go from one model into another of the same structure", function()
    local path = folder.path .. "/w.safetensors"
    local a, b = new_model(), new_model()
    a:save_weights(path)
    assert.is_table(cusp.load(path)["layers/sequential/layers/batch_normalization/moving_mean"]
      and {})
    b:load_weights(path)
    for i, weight in ipairs(a.weights) do
      assert.equal(weight.value:tobytes(), b.weights[i].value:tobytes())
    end
  end)

  it("are found by the variables' own paths too", function()
    local path = folder.path .. "/w.safetensors"
    local a, tensors = new_model(), {}
    for _, weight in ipairs(a.weights) do tensors[weight.path] = weight.value + 1 end
    cusp.save(path, tensors)
    a:load_weights(path)
    assert.same(tensors[a.weights[1].path]:tolist(), a.weights[1].value:tolist())
  end)

  it("change nothing where they do not fit", function()
    local path = folder.path .. "/w.safetensors"
    new_model(7):save_weights(path)
    local b = new_model(2)
    local before = b.weights[1].value:tobytes()
    local ok, message = pcall(b.load_weights, b, path)
    assert.is_false(ok)
    assert.truthy(message:find("layers/dense/kernel.*has shape %[3, 2%].*%[3, 7%]"), message)
    assert.equal(before, b.weights[1].value:tobytes())
    local less = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(7)}
    ok, message = pcall(less.load_weights, less, path)
    assert.is_false(ok)
    assert.truthy(message:find "load_weights: ", message)
  end)

  it("wait for a model that is not built", function()
    local path = folder.path .. "/w.safetensors"
    local a = cusp.Sequential{layers.Dense(2)}
    a:build{cusp.None, 3}
    a:save_weights(path)
    local b = cusp.Sequential{layers.Dense(2)}
    b:load_weights(path)
    b(cusp.ones{1, 3})
    assert.equal(a.weights[1].value:tobytes(), b.weights[1].value:tobytes())
  end)
end)
