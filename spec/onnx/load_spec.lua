-- ONNX files that other programs wrote: what onnxruntime computes, Cusp computes; and they train.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local ops = cusp.ops

local fixtures = "spec/fixtures/onnx/"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

local cases = cusp.json.decode(read(fixtures .. "cases.json"))

local function inputs_of(case)
  local inputs = {}
  for i, values in ipairs(case.inputs) do inputs[i] = cusp.tensor(values, {dtype = "float32"}) end
  return #inputs == 1 and inputs[1] or inputs
end

local function list(outputs)
  return cusp.ops.is_tensor(outputs) and {outputs} or outputs
end

local function assert_close(found, expected)
  expected = cusp.tensor(expected, {dtype = "float32"})
  assert.same({table.unpack(expected.shape)}, {table.unpack(found.shape)})
  assert.is_true(ops.allclose(found, expected, {rtol = 1e-4, atol = 1e-5}):item())
end

describe("cusp.onnx.load", function()
  for _, name in ipairs{"opset7", "shapes", "recurrent", "quantized", "function", "several",
    "external", "attention", "operators", "contributed",
    "classical"} do
    it("predicts what onnxruntime does: " .. name, function()
      local model = cusp.onnx.load(fixtures .. name .. ".onnx")
      local found = list(model:predict{inputs_of(cases[name]), verbose = 0})
      assert.equal(#cases[name].outputs, #found)
      for i, expected in ipairs(cases[name].outputs) do assert_close(found[i], expected) end
    end)
  end

  it("runs If, Loop and Scan", function()
    local model = cusp.onnx.load(fixtures .. "control.onnx")
    local found = model(inputs_of(cases.control))
    for i, expected in ipairs(cases.control.outputs) do assert_close(found[i], expected) end
  end)

  it("runs recurrent operators with unusual activations, peepholes and clipping", function()
    local found = cusp.onnx.load(fixtures .. "unusual.onnx")(inputs_of(cases.unusual))
    for i, expected in ipairs(cases.unusual.outputs) do assert_close(found[i], expected) end
  end)

  it("keeps the names of inputs, outputs and weights", function()
    local model = cusp.onnx.load(fixtures .. "several.onnx")
    assert.same({"left_in_0", "right"}, model.input_names)
    assert.same({"sum.out", "soft_0"}, model.output_names)
    assert.equal("w", model.weights[1].name)
    assert.same({cusp.None, 2}, model.inputs[1].shape)
  end)

  it("trains what was read, and saves it", function()
    local scope <close> = folder.new()
    local model = cusp.onnx.load(fixtures .. "opset7.onnx")
    local x = inputs_of(cases.opset7)
    model:compile{optimizer = cusp.optimizers.SGD{0.01}, loss = "mse"}
    local before = model:evaluate{x, cusp.ones{2, 3}, verbose = 0}
    model:fit{x, cusp.ones{2, 3}, epochs = 5, verbose = 0}
    assert.is_true(model:evaluate{x, cusp.ones{2, 3}, verbose = 0} < before)
    model:save(scope.path .. "/model.keras")
    local again = cusp.models.load_model(scope.path .. "/model.keras")
    assert_close(again:predict{x, verbose = 0}, model:predict{x, verbose = 0}:tolist())
  end)

  it("reads large weights from their places in the file", function()
    local scope <close> = folder.new()
    local path, layers = scope.path .. "/x.onnx", cusp.layers
    local model = cusp.Sequential{cusp.Input{shape = {40}}, layers.Dense{30}, layers.Dense{20}}
    cusp.onnx.export(model, path)
    local ranges = require "cusp.onnx.messages.ranges"
    local reader <close> = require("cusp.engine").files.open(path)
    local short, places = ranges.read(reader)
    assert.equal(40 * 30 * 4, places[1].length)
    assert.is_true(#short < reader.size - 7000)
    local x, whole = cusp.random.normal{3, 40}, read(path)
    assert.is_true(ops.allclose(model(x), cusp.onnx.load(path)(x)):item())
    local function refused(text, pattern)
      local file <close> = assert(io.open(scope.path .. "/y.onnx", "wb"))
      file:write(text)
      file:flush()
      assert.error_matches(function() cusp.onnx.load(scope.path .. "/y.onnx") end, pattern)
    end
    refused(whole:sub(1, #whole - 3000), "no ONNX model")
    local wrong = whole:gsub("%\x28\x1e", "\x28\x1d", 1) -- the sizes 40 and 30
    refused(wrong, "4800 bytes, its shape")
  end)

  it("predicts eagerly where sizes depend on values", function()
    local protobuf = require "cusp.formats.protobuf"
    local scope <close> = folder.new()
    local function info(name, kind, ...)
      local dims = {}
      for i, size in ipairs{...} do dims[i] = {dim_value = size} end
      return {name = name, type = {tensor_type = {elem_type = kind, shape = {dim = dims}}}}
    end
    local file <close> = assert(io.open(scope.path .. "/x.onnx", "wb"))
    file:write(protobuf.encode("onnx.ModelProto", {ir_version = 8,
      opset_import = {{domain = "", version = 17}}, graph = {name = "found",
        node = {{op_type = "NonZero", input = {"x"}, output = {"y"}}},
        input = {info("x", 1, 2, 3)}, output = {info("y", 7, 2, -1)}}}))
    file:flush()
    local model = cusp.onnx.load(scope.path .. "/x.onnx")
    local places = model:predict{cusp.tensor{{0.0, 2.0, 0.0}, {3.0, 0.0, 4.0}}, verbose = 0}
    assert.same({{0, 1, 1}, {1, 0, 2}}, places:tolist())
  end)

  it("refuses nodes whose attributes do not fit their inputs", function()
    local protobuf = require "cusp.formats.protobuf"
    local scope <close> = folder.new()
    local function info(name, ...)
      local dims = {}
      for i, size in ipairs{...} do dims[i] = {dim_value = size} end
      return {name = name, type = {tensor_type = {elem_type = 1, shape = {dim = dims}}}}
    end
    local function refuses(message, node, x)
      node.input, node.output = node.input or {"x", "x"}, {"y"}
      local file <close> = assert(io.open(scope.path .. "/x.onnx", "wb"))
      file:write(protobuf.encode("onnx.ModelProto", {ir_version = 8,
        opset_import = {{domain = "", version = 12}}, graph = {name = "wrong", node = {node},
          input = {info("x", table.unpack(x.shape))}, output = {info("y", -1)}}}))
      file:flush()
      assert.error_matches(function() cusp.onnx.load(scope.path .. "/x.onnx")(x) end, message)
    end
    local function integer(name, value) return {name = name, type = 2, i = value} end
    local body = {name = "body", node = {{op_type = "Add", input = {"s", "e"}, output = {"t"}}},
      input = {info("s", 1), info("e", 1)}, output = {info("t", 1)}}
    for _, count in ipairs{-1, 0, 3} do
      refuses("num_scan_inputs should be from 1 to 2", {op_type = "Scan", attribute = {
        {name = "body", type = 5, g = body}, integer("num_scan_inputs", count)}}, cusp.ones{3})
    end
    refuses("group should be at least 1, got 0",
      {op_type = "Conv", attribute = {integer("group", 0)}}, cusp.ones{1, 1, 3, 3})
    refuses("take more than the 3 elements", {op_type = "Pad", input = {"x"}, attribute = {
      {name = "pads", type = 7, ints = {0, -9, 0, 0}}}}, cusp.ones{1, 3})
  end)

  it("does not train statistics and scales", function()
    local model = cusp.onnx.load(fixtures .. "opset7.onnx")
    local trained = {}
    for _, variable in ipairs(model.weights) do trained[variable.name] = variable.trainable end
    assert.same({w = true, b = true, scale = true, bias = true, mean = false, var = false, d = true,
      e = true}, trained)
  end)

  it("names nodes that it does not know, and says what is wrong with a file", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/x.onnx"
    local function write(text)
      local file <close> = assert(io.open(path, "wb"))
      file:write(text)
    end
    local text = read(fixtures .. "function.onnx")
    write((text:gsub("Scale", "Scope")))
    assert.has_no.errors(function() cusp.onnx.load(path) end)
    write((text:gsub("\"\3Mul", "\"\3Mux")))
    assert.error_matches(function() cusp.onnx.load(path) end,
      "onnx%.load: .*x%.onnx: 1 node is not among Cusp's operators: node Mux of 'b'")
    write "this is no model"
    assert.error_matches(function() cusp.onnx.load(path) end, "x%.onnx is no ONNX model")
    assert.error_matches(function() cusp.onnx.load(scope.path .. "/none.onnx") end, "none%.onnx")
  end)

  it("reads no file outside of the model's folder", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/inner/x.onnx"
    assert(os.execute(("mkdir '%s/inner'"):format(scope.path)))
    assert(os.execute(("cp %sexternal.data '%s/external.data'"):format(fixtures, scope.path)))
    local text = read(fixtures .. "external.onnx")
    local function refuses(location, message)
      local file = assert(io.open(path, "wb"))
      file:write((text:gsub("external%.data", location)))
      file:close()
      assert.error_matches(function() cusp.onnx.load(path) end, message)
    end
    refuses("../ternal.dat", "which is not in the model's folder")
    refuses("/etc/hostname", "which is not in the model's folder")
    refuses("a/../../a.dat", "which is not in the model's folder")
    assert(os.execute(("ln -s ../external.data '%s/inner/a_link.ofdata'"):format(scope.path)))
    refuses("a_link.ofdata", "a link out of the model's folder")
    refuses("external.dat%%", "inner/external.dat%%")
  end)
end)
