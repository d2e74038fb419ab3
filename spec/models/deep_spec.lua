--- Models of many layers, and models within models: cost grows with their length, and whatever can
-- be saved can be loaded.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local layers = cusp.layers

local function stack(count)
  local list = {cusp.Input{4}}
  for i = 1, count do list[i + 1] = layers.Dense{4, activation = "relu"} end
  return cusp.Sequential(list)
end

local function chain(count)
  local inputs = cusp.Input{4}
  local x = inputs
  for _ = 1, count do x = layers.Dense(4)(x) end
  return cusp.Model(inputs, x)
end

local function seconds(f, ...)
  local start = os.clock()
  f(...)
  return os.clock() - start
end

-- Four times the length may take at most eight times the time (and 0.1 s, where there is little to
-- measure). The least time of several runs counts: what else the machine does only adds to one.
local function assert_linear(what, f)
  f(10)
  local short, long = math.huge, math.huge
  for _ = 1, 4 do
    short, long = math.min(short, seconds(f, 300)), math.min(long, seconds(f, 1200))
    if long < 8 * short + 0.1 then return end
  end
  error(("%s: %.2f s for 300, %.2f s for 1,200"):format(what, short, long))
end

describe("deep models", function()
  it("are built, added to and cloned in time proportional to their length", function()
    assert_linear("Sequential", stack)
    assert_linear("functional", chain)
    assert_linear("add", function(count)
      local model = cusp.Sequential{cusp.Input{4}}
      for _ = 1, count do model:add(layers.Dense(4)) end
    end)
    assert_linear("clone", function(count) cusp.models.clone_model(stack(count)) end)
  end)

  it("are trained in time proportional to their length", function()
    local x = cusp.ops.ones{2, 4}
    assert_linear("fit", function(count)
      local model = stack(count)
      model:compile{optimizer = "adam", loss = "mse"}
      model:fit(x, x, {verbose = 0})
    end)
  end)

  it("have optimizers whose first step grows with the number of variables", function()
    assert_linear("Adam:apply", function(count)
      local variables, gradients = {}, {}
      for i = 1, 4 * count do
        variables[i], gradients[i] = cusp.Variable(cusp.ops.ones{2}), cusp.ops.ones{2}
      end
      cusp.optimizers.Adam():apply(gradients, variables)
    end)
  end)

  it("keep layers' names apart, also after pop", function()
    local model = cusp.Sequential{cusp.Input{2}, layers.Dense{2, name = "a"}}
    assert.has_error(function() model:add(layers.Dense{2, name = "a"}) end)
    model:pop()
    model:add(layers.Dense{2, name = "a"})
    assert.equal(1, #model.layers)
  end)

  it("keep lists of 5,000 names in HDF5 files", function()
    local model = stack(5000)
    local directory <close> = folder.new()
    local path = directory.path .. "/names.h5"
    model:save(path)
    assert.equal(5000, #cusp.models.load_model(path, {compile = false}).layers)
  end)
end)

describe("models within models", function()
  local function nested(depth)
    local model = cusp.Sequential{cusp.Input{4}, layers.Dense(4)}
    for _ = 1, depth do model = cusp.Sequential{cusp.Input{4}, model} end
    return model
  end

  it("load what they save, 60 deep", function()
    local model, x = nested(60), cusp.ops.ones{1, 4}
    local expected = model(x):tolist()
    local directory <close> = folder.new()
    for _, name in ipairs{"model.keras", "model.h5"} do
      model:save(directory.path .. "/" .. name)
      assert.same(expected,
        cusp.models.load_model(directory.path .. "/" .. name, {compile = false})(x):tolist())
    end
    model:save_weights(directory.path .. "/model.weights.h5")
    model:load_weights(directory.path .. "/model.weights.h5")
  end)

  it("are refused when they are saved where they could not be loaded", function()
    local directory <close> = folder.new()
    local model, path = nested(70), directory.path .. "/model.keras"
    local ok, text = pcall(model.save, model, path)
    assert.is_false(ok)
    assert.matches("nested deeper than 64 levels, which could not be loaded again", tostring(text))
    assert.is_nil(io.open(path))
    assert.equal("dense", cusp.layers.Dense{1, name = "dense"}:get_config().name)
  end)
end)
