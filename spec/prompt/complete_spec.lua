local complete = require "cusp.prompt.complete"
local cusp = require "cusp"

-- What is listed at the end of a line, as the editor would ask for it.
local function listed(line)
  local quote, after
  for at, c in line:gmatch "()([\"'])" do
    if not quote then quote, after = c, at + 1 elseif c == quote then quote = nil end
  end
  local first = quote and after or line:find "[^ \t\n\"'@$><=;|&{(+%-*/^%%~#,]*$"
  return complete(line:sub(first), line, first)
end

local function has(list, name)
  for _, item in ipairs(list) do
    if item == name then return true end
  end
  return false
end

describe("cusp.prompt.complete", function()
  setup(function()
    rawset(_G, "cusp", cusp)
    rawset(_G, "spec_tensor", cusp.ones{2, 2})
    rawset(_G, "spec_model", cusp.Sequential{cusp.layers.Dense(2)})
    rawset(_G, "spec_table", {list = {{inner = 1}}, ["a b"] = {key = 1}})
  end)
  teardown(function()
    for _, name in ipairs{"cusp", "spec_tensor", "spec_model", "spec_table"} do
      rawset(_G, name, nil)
    end
  end)

  it("finds globals, members not yet loaded, methods and fields", function()
    assert.is_true(has(listed "prin", "print"))
    assert.is_true(has(listed "func", "function"))
    assert.is_true(has(listed "cusp.layers.Den", "cusp.layers.Dense"))
    assert.is_true(has(listed "spec_tensor:resh", "spec_tensor:reshape"))
    assert.is_true(has(listed "spec_tensor.sh", "spec_tensor.shape"))
    assert.is_true(has(listed "string.fo", "string.format"))
    assert.same({}, listed "nothing.at.all")
  end)

  it("follows indexes, calls and classes without running them", function()
    assert.same({"spec_table.list[1].inner"}, listed "spec_table.list[1].in")
    assert.is_true(has(listed "spec_model.layers[1].uni", "spec_model.layers[1].units"))
    assert.is_true(has(listed "spec_tensor:sum():resh", "):reshape"))
    assert.is_true(has(listed "cusp.ones{2}:resh", "2}:reshape"))
    assert.is_true(has(listed "cusp.random.normal{2}:su", "2}:sum"))
    assert.is_true(has(listed "cusp.layers.Dense(3):bui", "3):build"))
    assert.is_true(has(listed "cusp.data.Dataset.range(3):ba", "3):batch"))
    assert.is_true(has(listed "spec_model(spec_tensor):su", "spec_tensor):sum"))
    local called = false
    rawset(_G, "spec_function", function() called = true end)
    listed "spec_function():x"
    assert.is_false(called)
    rawset(_G, "spec_function", nil)
  end)

  it("lists public methods only", function()
    local list = listed "spec_model:"
    assert.is_true(has(list, "spec_model:fit"))
    assert.is_true(has(list, "spec_model:save"))
    for _, private in ipairs{"prepare_inputs", "sublayers", "uses_default", "own_variables", "init",
      "extend", "_graph"} do
      assert.is_false(has(list, "spec_model:" .. private), private)
    end
  end)

  it("knows the arguments of what is called", function()
    assert.is_true(has(listed "cusp.layers.Dense{3, act", "activation = "))
    assert.is_true(has(listed "cusp.ops.sum(spec_tensor, {ke", "keepdims = "))
    assert.is_true(has(listed "spec_model:fit{x, y, ep", "epochs = "))
  end)

  it("knows the values of arguments", function()
    assert.is_true(has(listed 'cusp.layers.Dense{3, activation = "re', "relu"))
    assert.same({'sparse_categorical_crossentropy"'}, listed 'spec_model:compile{loss = "sparse')
    assert.is_true(has(listed 'spec_model:compile{optimizer = "ad', "adam"))
    assert.is_true(has(listed 'spec_model:compile{metrics = {"accur', 'accuracy"'))
    assert.same({"glorot_normal", "glorot_uniform"},
      listed 'cusp.layers.Dense{3, kernel_initializer = "glo')
    assert.same({'same"'}, listed 'cusp.layers.Conv2D{3, 3, padding = "sa')
    assert.is_true(has(listed "cusp.ones({2}, {dtype = 'float3", "float32'"))
  end)

  it("knows names for help, commands and files", function()
    assert.is_true(has(listed 'help "softm', 'softmax"'))
    assert.is_true(has(listed "?softm", "?softmax"))
    assert.is_true(has(listed 'help "model:fi', 'model:fit"'))
    assert.is_true(has(listed ":tim", ":time"))
    assert.same({'lua/cusp/init.lua"'}, listed 'io.open("lua/cusp/init.l')
    assert.same({"lua/cusp/prompt/"}, listed 'dofile "lua/cusp/promp')
  end)
end)
