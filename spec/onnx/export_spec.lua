-- ONNX files that Cusp writes and reads back. What onnxruntime makes of them is in scripts/interop.
local cusp = require "cusp"
local engine = require "cusp.engine"
local folder = require "spec.support.folder"
local protobuf = require "cusp.formats.protobuf"
local layers, ops, None = cusp.layers, cusp.ops, cusp.None

local function read(path)
  local reader <close> = engine.files.open(path)
  return protobuf.decode("onnx.ModelProto", reader:read(0, reader.size))
end

local function exists(path) return engine.files.exists(path) end

local function count_nodes(graph, kind)
  local count = 0
  for _, node in ipairs(graph.node) do
    count = count + (node.op_type == kind and 1 or 0)
  end
  return count
end

local function exported(model, options)
  local scope <close> = folder.new()
  local path = scope.path .. "/x.onnx"
  cusp.onnx.export(model, path, options)
  return read(path).graph, cusp.onnx.load(path)
end

-- Reading back gives the same predictions, for other sizes of what is not known, too.
local function assert_same(model, ...)
  local graph, back = exported(model)
  for _, x in ipairs{...} do
    local expected, found = model:predict{x, verbose = 0}, back:predict{x, verbose = 0}
    assert.same({table.unpack(expected.shape)}, {table.unpack(found.shape)})
    assert.is_true(ops.allclose(found, expected, {rtol = 1e-4, atol = 1e-5}):item())
  end
  return graph, back
end

local function pictures(...) return cusp.random.normal{...} end

describe("cusp.onnx.export", function()
  before_each(function() cusp.random.set_seed(3) end)

  it("writes convolutions with one transpose for all", function()
    local model = cusp.Sequential{cusp.Input{shape = {12, 12, 3}},
      layers.Conv2D{4, 3, padding = "same", strides = 2, activation = "relu"},
      layers.BatchNormalization(), layers.MaxPooling2D(), layers.DepthwiseConv2D(2),
      layers.Conv2DTranspose{3, 3, strides = 2}, layers.AveragePooling2D{2, padding = "same"},
      layers.GlobalAveragePooling2D(), layers.Dense{2, activation = "softmax"}}
    local graph = assert_same(model, pictures(3, 12, 12, 3), pictures(1, 12, 12, 3))
    assert.equal(1, count_nodes(graph, "Transpose"))
    assert.equal("batch", graph.input[1].type.tensor_type.shape.dim[1].dim_param)
  end)

  it("leaves the sizes of pictures open", function()
    local model = cusp.Sequential{cusp.Input{shape = {None, None, 2}},
      layers.Conv2D{3, 3, padding = "same", strides = 2}, layers.MaxPooling2D(),
      layers.GlobalAveragePooling2D()}
    assert_same(model, pictures(2, 9, 13, 2), pictures(1, 16, 8, 2))
  end)

  it("writes recurrent layers as ONNX's operators, and with masks as a Scan", function()
    local function build(mask_zero)
      return cusp.Sequential{cusp.Input{shape = {None}, dtype = "int32"},
        layers.Embedding{9, 5, mask_zero = mask_zero}, layers.LSTM{3, return_sequences = true},
        layers.Bidirectional{layers.GRU{2, return_sequences = true}},
        layers.LSTM{2, go_backwards = true}}
    end
    local text = cusp.tensor({{1, 2, 0, 0}, {0, 3, 4, 1}}, {dtype = "int32"})
    local graph = assert_same(build(false), text)
    assert.equal(2, count_nodes(graph, "LSTM"))
    assert.equal(2, count_nodes(graph, "GRU"))
    graph = assert_same(build(true), text)
    assert.equal(4, count_nodes(graph, "Scan"))
  end)

  it("writes attention over sequences of any length", function()
    local x = cusp.Input{shape = {None, 6}}
    local y = layers.MultiHeadAttention{2, 3}(x, x, {use_causal_mask = true})
    assert_same(cusp.Model{x, layers.LayerNormalization()(y)}, pictures(2, 5, 6),
      pictures(1, 8, 6))
  end)

  it("writes a choice that depends on the data, and steps of any number", function()
    local x = cusp.Input{shape = {None, 3}}
    local chosen = layers.Lambda(function(value)
      return ops.switch(ops.cast(ops.mod(ops.floor(ops.sum(value)), 3), "int32"),
        {function(v) return v * 2 end, function(v) return -v end, function(v) return v + 1 end},
        value)
    end)(x)
    local model = cusp.Model{x, layers.SimpleRNN(2)(chosen)}
    local graph = assert_same(model, cusp.ones{2, 4, 3}, pictures(1, 7, 3), pictures(2, 3, 3),
      pictures(2, 3, 3))
    assert.equal(1, count_nodes(graph, "If"))
    assert.equal(1, count_nodes(graph, "Scan"))
  end)

  local written = {
    top_k = function(x) return (ops.top_k(x, 2)) end,
    sort = function(x) return ops.sort(x) + ops.argsort(x, 2) + ops.median(x, 2, true) end,
    statistics = function(x)
      return ops.logsumexp(x, 2, true) + ops.std(x, 2, true) + ops.norm(x)
    end,
    integers = function(x)
      local whole = ops.cast(x * 10, "int32")
      return whole // 3 + whole % 4 + ops.sign(whole)
    end,
    remainders = function(x) return x % 2 + x // 0.5 + ops.arctan2(x, x + 1) end,
    arranging = function(x)
      local square = ops.expand_dims(x, 2) * ops.expand_dims(x, 3)
      return ops.tril(square) + ops.flip(square, 3) + ops.pad(square, {{0, 0}, {1, 0}, {0, 1}})
        :slice{{}, {1, 5}, {1, 5}} + ops.roll(square, 1, 2)
    end,
    choosing = function(x)
      return ops.where(x:greater(0), x, 0.0) + ops.one_hot(ops.argmax(x, 2), 5)
        + ops.take_along_axis(x, ops.argsort(x, 2), 2) + ops.cumsum(x, 2)
    end,
    einsum = function(x) return ops.einsum("bi,bj->bij", x, x) end,
    fourier = function(x) return (ops.rfft(ops.pad(x, {{0, 0}, {0, 3}}))) end,
  }
  for name, f in pairs(written) do
    it("writes operations: " .. name, function()
      local input = cusp.Input{shape = {5}}
      assert_same(cusp.Model{input, layers.Lambda(f)(input)}, pictures(3, 5), pictures(1, 5))
    end)
  end

  it("writes loops whose length depends on the data", function()
    local function lambda(shape, f)
      local x = cusp.Input{shape = shape}
      return cusp.Model{inputs = x, outputs = layers.Lambda{f}(x)}
    end
    local x = cusp.random.uniform{2, 3, 3}
    local graph = assert_same(lambda({3, 3}, function(v)
      return ops.while_loop(function(y) return ops.sum(ops.abs(y)):less(500) end, function(y)
        local rows = ops.transpose(y, {2, 1, 3})
        local _, sums = ops.scan(function(c, r) return c + r, c end, ops.zeros_like(rows[1]), rows)
        return y * 1.5 + ops.transpose(sums, {2, 1, 3})
      end, {v})
    end), x)
    assert.equal(1, count_nodes(graph, "Loop"))
    assert_same(lambda({3, 3}, function(v)
      return ops.fori_loop(0, ops.cast(ops.max(v) * 5, "int32"),
        function(i, y) return y * 0.5 + ops.cast(i, "float32") end, v)
    end), x)
  end)

  it("writes operations that ONNX has by other names or in parts", function()
    local functions = {
      function(v) return ops.fabs(v) + ops.abs(v) end,
      function(v) return ops.cumprod(v, 2) end, function(v) return ops.cumprod(v, 3) end,
      function(v) return ops.diagonal(v, 1, 2, 3) end,
      function(v) return ops.diagonal(v, -1, 3, 2) end,
      function(v) return ops.copysign(v + 2, v) end,
      function(v) return ops.cast(ops.signbit(v), "float32") end,
      function(v) return ops.fmax(ops.sqrt(v), v) end,
      function(v) return ops.fmin(v, ops.sqrt(v)) end,
    }
    for _, f in ipairs(functions) do
      local x = cusp.Input{shape = {3, 4}}
      assert_same(cusp.Model{inputs = x, outputs = layers.Lambda{f}(x)}, pictures(2, 3, 4))
    end
  end)

  it("writes weights into a file beside the model's", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/x.onnx"
    local model = cusp.Sequential{cusp.Input{shape = {40}}, layers.Dense{30}, layers.Dense{20}}
    cusp.onnx.export(model, path)
    assert.is_false(exists(path .. ".data"))
    cusp.onnx.export(model, path, {external_data = true})
    local locations = {}
    for _, tensor in ipairs(read(path).graph.initializer) do
      for _, entry in ipairs(tensor.external_data) do
        if entry.key == "location" then locations[#locations + 1] = entry.value end
      end
    end
    assert.same({"x.onnx.data", "x.onnx.data"}, locations) -- biases stay
    local x = pictures(3, 40)
    assert.is_true(ops.allclose(model(x), cusp.onnx.load(path)(x)):item())
    local small = cusp.Sequential{cusp.Input{shape = {4}}, layers.Dense{3}}
    cusp.onnx.export(small, scope.path .. "/small.onnx", {external_data = true})
    assert.is_false(exists(scope.path .. "/small.onnx.data"))
    assert.error_matches(function() cusp.onnx.export(model, path, {external_data = 3}) end,
      "external_data")
  end)

  it("keeps names of weights, inputs and outputs, and trains after reading", function()
    local input = cusp.Input{shape = {4}, name = "features"}
    local model = cusp.Model{input, layers.Dense{2, name = "answer"}(input)}
    local graph, back = assert_same(model, pictures(3, 4))
    assert.equal("answer/kernel", graph.initializer[1].name)
    assert.same({"features"}, back.input_names)
    assert.same({"answer"}, back.output_names)
    back:compile{optimizer = "sgd", loss = "mse"}
    local before = back.weights[1].value:tobytes()
    back:fit{pictures(3, 4), pictures(3, 2), verbose = 0}
    assert.are_not.equal(before, back.weights[1].value:tobytes())
  end)

  it("writes the opset that is asked for", function()
    local model = cusp.Sequential{cusp.Input{shape = {4, 3}}, layers.GlobalMaxPooling1D()}
    for opset, version in pairs{[13] = 13, [17] = 17, [18] = 18, [22] = 22} do
      local scope <close> = folder.new()
      cusp.onnx.export(model, scope.path .. "/x.onnx", {opset = opset})
      assert.equal(version, read(scope.path .. "/x.onnx").opset_import[1].version)
      local x = pictures(2, 4, 3)
      local back = cusp.onnx.load(scope.path .. "/x.onnx")
      assert.is_true(ops.allclose(back(x), model(x)):item())
    end
  end)

  it("says what it cannot write, and writes nothing", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/x.onnx"
    local x = cusp.Input{shape = {4}}
    local function fails(message, ...)
      local arguments = {...}
      assert.error_matches(function() cusp.onnx.export(table.unpack(arguments)) end, message)
      assert.is_false(exists(path))
    end
    local drawn = cusp.Model{x, layers.Lambda(function(value)
      return value + cusp.random.normal({4}, {seed = 1})
    end)(x)}
    fails("cannot be said in ONNX", cusp.Model{x, layers.Lambda(function(value)
      return ops.lgamma(value)
    end)(x)}, path)
    local quantized = cusp.Sequential{cusp.Input{shape = {4}}, layers.Dense{3}}
    quantized:quantize "int8"
    fails("export the model before it is quantized", quantized, path)
    fails("a generator of random numbers", cusp.Model{x, layers.Lambda(function(value)
      return value + cusp.random.normal({4})
    end)(x)}, path)
    fails("opset should be 13 to 22, got 9", drawn, path, {opset = 9})
    fails("cusp.Model{x, model%(x%)} makes one", cusp.Sequential{layers.Dense(2)}, path)
    fails("expected a functional or sequential model", 3, path)
    fails("unknown argument 'ops'", drawn, path, {ops = 2})
  end)

  it("is what a model's own method does", function()
    local scope <close> = require("spec.support.folder").new()
    local path = scope.path .. "/m.onnx"
    local model = cusp.Sequential{cusp.Input{shape = {3}}, cusp.layers.Dense(2)}
    model:export(path)
    local x = cusp.ones{1, 3}
    local back = cusp.onnx.load(path):predict{x, verbose = 0}
    assert.is_true(cusp.ops.allclose(back, model:predict{x, verbose = 0}):item())
    cusp.Sequential{cusp.Input{shape = {40}}, layers.Dense{30}}:export(path,
      {external_data = true})
    assert.is_true(exists(path .. ".data"))
    assert.error_matches(function() model:export(scope.path .. "/absent/m.onnx") end, "^export: ")
    cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(2)}:export{scope.path .. "/any",
      format = "onnx", opset_version = 14}
    assert.is_true(exists(scope.path .. "/any"))
  end)

  it("refuses the formats that it does not write", function()
    local scope <close> = require("spec.support.folder").new()
    local model = cusp.Sequential{cusp.Input{shape = {3}}, cusp.layers.Dense(2)}
    local function fails(pattern, name, options)
      assert.error_matches(function() model:export(scope.path .. name, options) end,
        "^export: .*" .. pattern)
    end
    fails('"litert" cannot be written, only "onnx"; .*onnx2tf', "/m.tflite")
    fails('"torch" cannot be written', "/m.PT2")
    fails('"tf_saved_model" cannot be written.*let Keras export it', "/m.onnx",
      {format = "tf_saved_model"})
    fails('"openvino" cannot be written.*which OpenVINO reads', "/m", {format = "openvino"})
    fails("model:export_c writes .c files", "/m.c")
    fails("model:save writes .keras files", "/m.keras")
    fails("model:save_weights writes .weights.h5 files", "/m.weights.h5")
    fails("argument 'opset_version' should be an integer between 13 and 22", "/m.onnx",
      {opset_version = 12})
    fails('expected a name that ends in .onnx, or format = "onnx"', "/folder")
    fails("argument 'format' should be one of \"tf_saved_model\", \"onnx\"", "/m.onnx",
      {format = "pickle"})
    fails("an input_signature cannot be given", "/m.onnx", {input_signature = {}})
    assert.same({}, require("cusp.engine").files.list(scope.path))
  end)
end)
