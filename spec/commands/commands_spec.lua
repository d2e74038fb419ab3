-- `cusp COMMAND` as a program: what it prints, its exit codes, and what it leaves behind.
local cusp = require "cusp"
local folders = require "spec.support.folder"
local layers = cusp.layers
local build = os.getenv "CUSP_BUILD" or "build"
local root = io.popen("pwd"):read()
local binary = (build:sub(1, 1) == "/" and build or root .. "/" .. build) .. "/cusp"

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

describe("commands", function()
  local folder, model

  local function run(command)
    local pipe = io.popen(("cd '%s' && '%s' %s 2>err"):format(folder.path, binary, command))
    local output = pipe:read "a"
    local _, _, code = pipe:close()
    return code, output, read(folder.path .. "/err")
  end

  local function fails(command, pattern)
    local code, _, problem = run(command)
    assert.equal(1, code, command)
    assert.matches("^cusp %a+: [^\n]+\n$", problem)
    assert.is_truthy(problem:find(pattern), problem)
  end

  local function list()
    local names = {}
    for name in io.popen(("ls -A '%s'"):format(folder.path)):lines() do
      if name ~= "err" then names[#names + 1] = name end
    end
    return table.concat(names, " ")
  end

  setup(function()
    folder = folders.new()
    cusp.utils.clear_session() -- names of inputs that are made up come from a counter
    local inputs = cusp.Input{shape = {4}, name = "x"}
    local stack = cusp.Sequential{layers.Dense{5, name = "inner"}, layers.BatchNormalization(),
      layers.Dropout(0.5)}
    model = cusp.Model(inputs, layers.Dense{3, name = "out", activation = "softmax"}(stack(inputs)))
    model:compile{optimizer = "adam", loss = "mse", metrics = {"mae"}}
    model:fit{cusp.ones{8, 4}, cusp.ones{8, 3}, epochs = 1, verbose = 0}
    model:save(folder.path .. "/m.keras")
    write(folder.path .. "/x.csv", "a,b,c,d\n1,2,3,4\n0,0,0,1\n")
    cusp.save(folder.path .. "/x.npy", cusp.tensor({{1, 2, 3, 4}, {0, 0, 0, 1}},
      {dtype = "float32"}))
    cusp.save(folder.path .. "/y.npy", cusp.zeros{2, 3})
    write(folder.path .. "/names.txt", "a\nb\nc\n")
  end)
  teardown(function() folder:remove() end)

  it("leave scripts of their names to a path or --", function()
    write(folder.path .. "/summary", "print 'a script'")
    assert.same({0, "a script\n", ""}, {run "./summary"})
    assert.same({0, "a script\n", ""}, {run "-- summary"})
    local code, _, problem = run "summary"
    assert.equal(1, code)
    assert.is_truthy(problem:find("FILE is missing", 1, true), problem)
    os.remove(folder.path .. "/summary")
  end)

  it("have help", function()
    local _, text = run "help"
    for name in text:gmatch "\n  (%a+)  " do
      local code, help = run(name .. " --help")
      assert.equal(0, code)
      assert.is_truthy(help:find("usage: cusp " .. name, 1, true), help)
      assert.equal(help, select(2, run("help " .. name)))
    end
    assert.is_truthy(select(2, run "--help"):find("COMMAND", 1, true))
    assert.equal(1, (run "help nothing"))
    local code, _, problem = run "sumary m.keras"
    assert.same({1, "cusp: there is no script 'sumary', and no command of that name (did you mean "
      .. "'summary'?)\n"}, {code, problem})
    write(folder.path .. "/sumary", "print(...)")
    assert.equal("m.keras\n", (select(2, run "sumary m.keras")))
    os.remove(folder.path .. "/sumary")
  end)

  it("predict as the model does", function()
    local expected = model:predict{cusp.load(folder.path .. "/x.npy"), verbose = 0}
    for _, input in ipairs{"x.npy", "x.csv", "x=x.npy"} do
      assert.equal(0, (run("predict m.keras --input " .. input .. " --output p.npy")))
      assert.equal(expected:tobytes(), cusp.load(folder.path .. "/p.npy"):tobytes())
    end
    run "predict m.keras --input x.npy --output p.json"
    assert.equal(expected[2]:tolist()[3], cusp.load(folder.path .. "/p.json")[2][3])
    run "predict m.keras --input x.npy --top 2 --class-names names.txt --output p.json"
    local best = cusp.load(folder.path .. "/p.json")[1]
    local index = cusp.ops.argmax(expected[1]):item()
    assert.same({index, ("abc"):sub(index + 1, index + 1), 2}, {best[1].class, best[1].name, #best})
    os.remove(folder.path .. "/p.npy")
    os.remove(folder.path .. "/p.json")
  end)

  it("take all rows of tables without names, however they begin", function()
    for _, text in ipairs{"\xEF\xBB\xBF1,2,3,4\n0,0,0,1\n", "\n \n1,2,3,4\n0,0,0,1\n",
      '"1", 2,3,4\n0,0,0,1\n', "1;2;3;4\n0;0;0;1\n"} do
      write(folder.path .. "/plain.csv", text)
      run "predict m.keras --input plain.csv --output p.npy"
      assert.equal(2, cusp.load(folder.path .. "/p.npy").shape[1], text)
    end
    write(folder.path .. "/plain.csv", "nan,2,3,-Inf\n0,0,0,1\n")
    run "predict m.keras --input plain.csv --output p.npy"
    assert.equal(2, cusp.load(folder.path .. "/p.npy").shape[1])
    os.remove(folder.path .. "/plain.csv")
    os.remove(folder.path .. "/p.npy")
  end)

  it("evaluate as the model does", function()
    local logs = model:evaluate{cusp.load(folder.path .. "/x.npy"), cusp.zeros{2, 3}, verbose = 0,
      return_dict = true}
    assert.equal(("loss: %.6g\nmae: %.6g\n"):format(logs.loss, logs.mae),
      select(2, run "evaluate m.keras --input x.csv --target y.npy"))
  end)

  it("give pictures the model's size, channels and scale", function()
    local inputs = cusp.Input{shape = {6, 5, 1}}
    local net = cusp.Model(inputs, layers.Flatten()(inputs))
    net:save(folder.path .. "/net.keras")
    cusp.utils.save_img(folder.path .. "/p.png", cusp.random.uniform({9, 8, 3}, 0, 255),
      {scale = false})
    run "predict net.keras --input p.png --preprocess scale --output p.npy --interpolation nearest"
    local picture = cusp.utils.load_img{folder.path .. "/p.png", color_mode = "grayscale",
      target_size = {6, 5}}
    local expected = cusp.ops.reshape(cusp.ops.cast(picture, "float32"), {1, 30}) / 255
    assert.equal(expected:tobytes(), cusp.load(folder.path .. "/p.npy"):tobytes())
    assert.equal(0, (run "predict net.keras --input p.png p.png --output p.npy"))
    assert.same({2, 30}, {table.unpack(cusp.load(folder.path .. "/p.npy").shape)})
    os.execute(("cd '%s' && rm net.keras p.png p.npy"):format(folder.path))
  end)

  it("convert between all formats and back without a difference", function()
    for _, name in ipairs{"a.h5", "a.weights.h5", "a.safetensors", "ck", "a.json", "a.yaml",
      "w.h5"} do
      local only = name == "w.h5" and " --weights-only" or ""
      local code, _, problem = run(("convert m.keras %s --force%s"):format(name, only))
      assert.equal(0, code, problem)
      local from = name:find "json$" and "a.safetensors" or name:find "yaml$" and "ck" or name
      local architecture = (name:find "json$" or name:find "yaml$") and name or "m.keras"
      local option = name == "a.h5" and "" or " --model " .. architecture
      code, _, problem = run(("convert %s b.keras --force%s"):format(from, option))
      assert.equal(0, code, problem)
      local lines
      code, lines, problem = run "diff m.keras b.keras --structure"
      assert.same({0, "", ""}, {code, lines, problem})
      code, lines, problem = run "diff m.keras b.keras --weights"
      assert.same({0, "", ""}, {code, lines, problem})
    end
    assert.equal(0, (run "diff m.keras a.h5"))
    assert.equal(0, (run "diff a.weights.h5 ck --model a.json"))
    run "convert m.keras k2.json --keras2 --force"
    assert.is_truthy(read(folder.path .. "/k2.json"):find("batch_input_shape", 1, true))
    os.execute(("cd '%s' && rm -f a.* ck* w.h5 b.keras k2.json"):format(folder.path))
  end)

  it("write and read ONNX", function()
    assert.same({0, "", ""}, {run "convert m.keras m.onnx"})
    local expected = model:predict{cusp.load(folder.path .. "/x.npy"), verbose = 0}
    assert.equal(0, (run "predict m.onnx --input x.npy --output p.npy"))
    assert.is_true(cusp.ops.allclose(expected, cusp.load(folder.path .. "/p.npy")):item())
    assert.matches("OnnxGraph", (select(2, run "summary m.onnx")))
    assert.same({0, "", ""}, {run "convert m.onnx n.keras"})
    assert.equal(0, (run "predict n.keras --input x.npy --output p.npy"))
    assert.is_true(cusp.ops.allclose(expected, cusp.load(folder.path .. "/p.npy")):item())
    os.execute(("cd '%s' && rm -f m.onnx n.keras p.npy"):format(folder.path))
  end)

  it("write ONNX of another opset, with weights beside it", function()
    cusp.Sequential{cusp.Input{shape = {40}}, cusp.layers.Dense{30}}:save(folder.path .. "/w.keras")
    assert.same({0, "", ""}, {run "convert w.keras w.onnx --opset 14 --external-data"})
    assert.is_true(#read(folder.path .. "/w.onnx.data") >= 4 * 40 * 30)
    local proto = require("cusp.formats.protobuf").decode("onnx.ModelProto",
      read(folder.path .. "/w.onnx"))
    assert.equal(14, proto.opset_import[1].version)
    os.execute(("cd '%s' && rm -f w.*"):format(folder.path))
  end)

  it("convert to a C file, and its header", function()
    local code, _, problem = run "convert m.keras net.c --main"
    assert.same({0, ""}, {code, problem})
    local text, header = read(folder.path .. "/net.c"), read(folder.path .. "/net.h")
    assert.is_truthy(text:find("int main(int argc", 1, true))
    assert.is_truthy(header:find("void net_predict(const float *", 1, true))
    os.execute(("cd '%s' && rm net.c net.h"):format(folder.path))
  end)

  it("write nothing that would lack something without --force", function()
    local before = list()
    for name, pattern in pairs{["a.json"] = "the weights", ["a.weights.h5"] = "the architecture",
      ["a.safetensors"] = "the state of the optimizer", ck = "the arguments of compile"} do
      fails("convert m.keras " .. name, pattern)
    end
    assert.equal(before, list())
  end)

  it("say what differs", function()
    local other = cusp.models.load_model(folder.path .. "/m.keras")
    other:get_layer("out").kernel:assign(other:get_layer("out").kernel + 0.5)
    other.optimizer.learning_rate = 0.25
    other:save(folder.path .. "/other.keras")
    local code, lines = run "diff m.keras other.keras"
    assert.equal(1, code)
    assert.matches("^weight out/kernel: 15 of 15 numbers differ, by up to 0.5\n"
      .. "training.optimizer.config.learning_rate: 0.001%d* → 0.25\n", lines)
    assert.equal(0, (run "diff m.keras other.keras --weights --tolerance 0.6"))
    os.remove(folder.path .. "/other.keras")
  end)

  it("refuse bad input in one line and leave nothing behind", function()
    local before = list()
    write(folder.path .. "/bad.png", "\137PNG\r\n\26\n nothing")
    write(folder.path .. "/bad.keras", "PK\3\4 nothing")
    fails("summary nix", "there is no file 'nix'")
    fails("summary names.txt", "names.txt is no file of a model")
    fails("summary bad.keras", "bad.keras")
    fails("summary m.keras more", "one argument too many")
    fails("predict m.keras", "%-%-input is missing")
    fails("predict m.keras --input", "%-%-input needs")
    fails("predict m.keras --input bad.png", "bad.png: is a picture, but the model's input is")
    fails("predict m.keras --input y.npy", "y.npy: has shape %[2, 3%], but .* takes %[None, 4%]")
    fails("predict m.keras --input x.npy --output p.png", "%-%-output: the end of the name")
    fails("predict m.keras --input x.npy --top 0", "%-%-top: expected an integer of at least 1")
    fails("predict m.keras --input x.npy --top 2 --class-names bad.keras", "has 1 names")
    fails("predict m.keras --imput x.npy", "did you mean 'input'")
    fails("evaluate m.keras --input x.npy --target names.txt", "names.txt")
    fails("convert m.keras x.keras --main", "--main is for a .c file")
    fails("convert m.keras x.keras --opset 17", "--opset is for a .onnx file")
    fails("convert m.keras x.c --external-data", "external%-data is for a .onnx file")
    fails("convert m.keras x.onnx --opset 9",
      "%-%-opset: expected an integer from 13 to 22, got '9'")
    fails("convert m.keras x.onnx --keras2", "--keras2: a .onnx file has no form of Keras's")
    fails("convert m.keras x.c --keras3", "--keras3: a .c file has no form of Keras's")
    fails("convert m.keras folder/that/is/not/x.h5", "there is no folder")
    fails("convert m.keras x.keras --keras2", "is a format of Keras 3")
    fails("convert x.npy x.keras", "holds tensors")
    fails("diff m.keras nix", "there is no file")
    fails("plot m.keras", "OUT is missing")
    fails("train nix.lua", "nix.lua")
    os.execute(("cd '%s' && rm bad.png bad.keras"):format(folder.path))
    assert.equal(before, list())
  end)

  it("train with settings", function()
    write(folder.path .. "/t.lua", [[
      local cusp = require "cusp"
      print(cusp.get_num_threads(), cusp.random.uniform({1}):item(), ..., arg[1])]])
    local _, one = run "train --seed 3 --threads 1 t.lua --seed"
    local _, two = run "train --threads 1 --seed 3 t.lua --seed"
    assert.equal(one, two)
    assert.matches("^1\t0%.%d+\t%-%-seed\t%-%-seed\n$", one)
    os.remove(folder.path .. "/t.lua")
  end)
end)
