-- Data of files as the inputs of models: by name, in columns, as text.
local cusp = require "cusp"
local commands = require "cusp.commands.machinery.inputs"
local folders = require "spec.support.folder"
local layers = cusp.layers
local build = os.getenv "CUSP_BUILD" or "build"
local root = io.popen("pwd"):read()
local binary = (build:sub(1, 1) == "/" and build or root .. "/" .. build) .. "/cusp"

local function named_model()
  local left = cusp.Input{shape = {3}, name = "wide"}
  local right = cusp.Input{shape = {1}, name = "right"}
  local joined = layers.Concatenate(){left, right}
  local model = cusp.Model{inputs = {left = left, right = right},
    outputs = {sum = layers.Dense{1, name = "sum"}(joined)}}
  model:compile{optimizer = "sgd", loss = "mse"}
  return model
end

local function text_model(name)
  local words = layers.TextVectorization{vocabulary = {"good", "bad"}, output_sequence_length = 3}
  return cusp.Sequential{cusp.Input{shape = {1}, dtype = "string", name = name}, words}
end

describe("the inputs of a command", function()
  local folder

  local function write(name, text)
    local file <close> = assert(io.open(folder.path .. "/" .. name, "wb"))
    file:write(text)
  end

  local function predict(model, ...)
    local given = {...}
    for i, text in ipairs(given) do
      given[i] = text:gsub("[%w_]+%.%a+$", function(file) return folder.path .. "/" .. file end)
    end
    local values = commands.read_all(given, commands.of_model(model), {})
    return model:predict{commands.arrange(model, values), verbose = 0}
  end

  local function refused(pattern, model, ...)
    local ok, problem = pcall(predict, model, ...)
    assert.is_false(ok)
    assert.is_truthy(tostring(problem):find(pattern), problem)
  end

  setup(function() folder = folders.new() end)
  teardown(function() folder:remove() end)

  it("are taken by the names of a model's table, or those of its Inputs", function()
    local model = named_model()
    local a, b = cusp.random.uniform{4, 3}, cusp.random.uniform{4, 1}
    local expected = model:predict{{left = a, right = b}, verbose = 0}.sum:tobytes()
    cusp.save(folder.path .. "/a.npy", a)
    cusp.save(folder.path .. "/b.npy", b)
    cusp.save(folder.path .. "/flat.npy", b:reshape{4})
    cusp.save(folder.path .. "/ab.npz", {left = a, right = b})
    cusp.save(folder.path .. "/wide.npz", {wide = a, right = b:reshape{4}})
    cusp.save(folder.path .. "/ab.json", {left = a:tolist(), right = b:tolist()})
    for _, given in ipairs{{"a.npy", "b.npy"}, {"right=b.npy", "left=a.npy"},
      {"wide=a.npy", "right=flat.npy"}, {"ab.npz"}, {"wide.npz"}} do
      assert.equal(expected, predict(model, table.unpack(given)).sum:tobytes())
    end
    assert.equal(4, #predict(model, "ab.json").sum)
    refused("there is no file for 'left'", model, "right=b.npy")
    refused("there is no 'middle'; the names are left, right, wide", model, "middle=a.npy")
  end)

  it("are the columns of a table", function()
    local age = cusp.Input{shape = {1}, name = "age"}
    local city = cusp.Input{shape = {1}, dtype = "string", name = "city"}
    local place = layers.StringLookup{vocabulary = {"Rome", "7"}, output_mode = "one_hot"}(city)
    local model = cusp.Model{inputs = {age = age, city = city},
      outputs = layers.Concatenate(){age, place}}
    write("people.csv", "price,city,age\n1,Rome,31\n2,7,45.5\n3,\"Oslo, N\",2\n")
    assert.same({{31, 0, 1, 0}, {45.5, 0, 0, 1}, {2, 1, 0, 0}},
      predict(model, "people.csv"):tolist())
    write("sevens.csv", "city;age\n7;1\n")
    assert.same({{1, 0, 0, 1}}, predict(model, "sevens.csv"):tolist())
    write("short.csv", "city,ages\nRome,1\n")
    refused("short.csv: has no column 'age'; its first line names ages, city", model, "short.csv")
  end)

  it("are texts: lines, lists, or a column", function()
    local model, expected = text_model "review", {{2, 3, 0}, {3, 1, 0}}
    write("lines.txt", "good bad\r\nBad, film!\n")
    write("list.json", '["good bad", "Bad, film!"]')
    write("rows.json", '[["good bad"], ["Bad, film!"]]')
    write("named.json", '{"review": ["good bad", "Bad, film!"]}')
    write("only.csv", 'what they say\ngood bad\n"Bad, film!"\n')
    write("among.csv", 'id,review\n1,good bad\n2,"Bad, film!"\n')
    for _, file in ipairs{"lines.txt", "list.json", "rows.json", "named.json", "only.csv",
      "among.csv"} do
      assert.same(expected, predict(model, file):tolist(), file)
    end
    refused("among.csv: has no column 'text'; its first line names id, review",
      text_model "text", "among.csv")
    write("none.txt", "")
    refused("none.txt: has no lines", model, "none.txt")
  end)

  it("reach predict and evaluate, and a class that is missing is one to require", function()
    local function run(command)
      local pipe = io.popen(("cd '%s' && '%s' %s 2>&1"):format(folder.path, binary, command))
      return pipe:read "a", select(3, pipe:close())
    end
    local model = named_model()
    local given = {left = cusp.ones{2, 3}, right = cusp.ones{2, 1}}
    model:save(folder.path .. "/named.keras")
    cusp.save(folder.path .. "/given.npz", given)
    cusp.save(folder.path .. "/y.npy", cusp.ones{2, 1})
    local output, code = run "predict named.keras --input given.npz"
    assert.same({0, tostring(model:predict{given, verbose = 0}.sum) .. "\n"}, {code, output})
    local loss = model:evaluate{given, cusp.ones{2, 1}, verbose = 0}
    assert.equal(("loss: %.6g\n"):format(loss),
      (run "evaluate named.keras --input given.npz --target y.npy"))

    local Own = layers.Layer:extend("OnlyInThisScript", {call = function(_, x) return x end})
    cusp.Sequential{cusp.Input{shape = {2}}, Own()}:save(folder.path .. "/own.keras")
    output, code = run "summary own.keras"
    assert.equal(1, code)
    assert.matches("no class named 'OnlyInThisScript'.*; %-%-require SCRIPT.lua[^;]*\n$", output)
  end)
end)
