-- Model:save, save_weights, load_weights, load_model: names, formats, files that exist, files that
-- cannot be written.
local cusp = require "cusp"
local engine = require "cusp.engine"
local folder = require "spec.support.folder"
local text_files = require "spec.support.text_files"
local layers = cusp.layers

local function make_model()
  return cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(2)}
end

local function unbuilt() return cusp.Sequential{layers.Dense(2)} end

local exists = text_files.exists
local contents = text_files.read
local write = text_files.write

local function files_in(path)
  local pipe = assert(io.popen("ls -A '" .. path .. "'"))
  local text = pipe:read "a"
  pipe:close()
  return text
end

local function fails(part, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.is_truthy(message:find(part, 1, true), message)
end

describe("saving", function()
  it("takes the format from the name", function()
    local scope <close> = folder.new()
    local model = make_model()
    for _, name in ipairs{"a.keras", "a.h5", "a.hdf5", "A.H5"} do
      model:save(scope.path .. "/" .. name)
      local bytes = contents(scope.path .. "/" .. name)
      assert.are.equal(name == "a.keras" and "PK" or "\137H", bytes:sub(1, 2))
      assert.are.equal("Sequential",
        cusp.models.load_model(scope.path .. "/" .. name, {compile = false}).__name)
    end
    model:save(scope.path .. "/plain", {save_format = "h5"})
    assert.are.equal("\137H", contents(scope.path .. "/plain"):sub(1, 2))
    fails("ends in .keras or .h5", model.save, model, scope.path .. "/nothing")
    fails("SavedModel", model.save, model, scope.path .. "/a.h5", {save_format = "tf"})
    fails("does not match", model.save, model, scope.path .. "/a.keras", {save_format = "h5"})
    fails("save_format", model.save, model, scope.path .. "/a.h5", {save_format = "onnx"})
    fails("expected a file name", model.save, model, 7)
    fails("unknown", model.save, model, scope.path .. "/a.h5", {save_formt = "h5"})
  end)

  it("of weights takes the layout from the name", function()
    local scope <close> = folder.new()
    local model = make_model()
    model:save_weights(scope.path .. "/w.h5")
    model:save_weights(scope.path .. "/w.weights.h5")
    model:save_weights(scope.path .. "/w")
    model:save_weights(scope.path .. "/plain", {save_format = "h5"})
    local function has(name, group)
      local file <close> = cusp.hdf5.open(scope.path .. "/" .. name)
      return file:get(group) ~= nil
    end
    assert.is_true(has("w.h5", "top_level_model_weights"))
    assert.is_true(has("plain", "top_level_model_weights"))
    assert.is_true(has("w.weights.h5", "layers/dense/vars/0"))
    assert.is_true(exists(scope.path .. "/w.index") and exists(scope.path .. "/checkpoint"))
    for _, name in ipairs{"w.h5", "w.weights.h5", "w", "plain"} do
      for _, target in ipairs{make_model(), unbuilt()} do
        target:load_weights(scope.path .. "/" .. name)
        local x = cusp.random.uniform{2, 3}
        assert.are.equal(model:predict({x, verbose = 0}):tobytes(),
          target:predict({x, verbose = 0}):tobytes())
      end
    end
    fails("does not match", model.save_weights, model, scope.path .. "/w.h5",
      {save_format = "tf"})
    fails("holds a whole model", model.save_weights, model, scope.path .. "/w.keras")
    fails("save_format", model.save_weights, model, scope.path .. "/w", {save_format = "npz"})
  end)

  it("makes folders that are missing", function()
    local scope <close> = folder.new()
    make_model():save(scope.path .. "/a/b/m.keras")
    make_model():save_weights(scope.path .. "/c/d/w.h5")
    make_model():save_weights(scope.path .. "/e/f/w")
    assert.is_true(exists(scope.path .. "/a/b/m.keras") and exists(scope.path .. "/c/d/w.h5")
      and exists(scope.path .. "/e/f/w.index"))
  end)

  it("saves and loads a model of which only the parts are called", function()
    local scope <close> = folder.new()
    local Pair = cusp.Model:extend "PairOfBuiltModels"
    function Pair:init(args)
      cusp.Model.init(self, args)
      self.one = cusp.Sequential{cusp.Input{shape = {2}}, cusp.layers.Dense(1)}
      self.other = cusp.Sequential{cusp.Input{shape = {1}}, cusp.layers.Dense(2)}
    end
    for _, name in ipairs{"w.weights.h5", "w.h5", "w"} do
      local pair, again = Pair{}, Pair{}
      pair:save_weights(scope.path .. "/" .. name)
      again:load_weights(scope.path .. "/" .. name)
      assert.same(pair.one.weights[1].value:tolist(), again.one.weights[1].value:tolist())
    end
    local pair = Pair{}
    pair.third = cusp.layers.Dense(1)
    fails("has no weights yet", pair.save_weights, pair, scope.path .. "/third.weights.h5")
  end)

  it("needs a model with weights", function()
    local scope <close> = folder.new()
    for _, method in ipairs{"save", "save_weights"} do
      local model = unbuilt()
      fails("has no weights yet", model[method], model, scope.path .. "/m.h5")
    end
    assert.are.equal("", files_in(scope.path))
  end)

  it("with overwrite = false leaves a file that exists", function()
    local scope <close> = folder.new()
    local path, model, terminal = scope.path .. "/m.h5", make_model(), engine.is_terminal
    write(path, "mine")
    engine.is_terminal = function() return false end
    fails("exists already", model.save, model, path, {overwrite = false})
    fails("exists already", model.save_weights, model, path, {overwrite = false})
    engine.is_terminal = terminal
    assert.are.equal("mine", contents(path))
    model:save(path)
    assert.are_not.equal("mine", contents(path))
  end)

  it("leaves the old file where the new one cannot be written, and nothing beside it", function()
    local scope <close> = folder.new()
    local model = make_model()
    for _, name in ipairs{"m.h5", "m.keras", "w.weights.h5"} do
      local path = scope.path .. "/" .. name
      local save = name:find "^m" and model.save or model.save_weights
      save(model, path)
      local before = contents(path)
      for _, bytes in ipairs{1, 600, 2000} do
        engine.files.fail_after(bytes)
        local ok, message = pcall(save, model, path)
        engine.files.fail_after(0)
        assert.is_false(ok, name .. " after " .. bytes)
        assert.is_truthy(message:find(scope.path, 1, true), message)
        assert.are.equal(before, contents(path))
      end
    end
    assert.are.equal("m.h5\nm.keras\nw.weights.h5\n", files_in(scope.path))
    fails("", model.save, model, "/proc/no/m.h5")
  end)
end)

describe("loading", function()
  it("says what a file is not", function()
    local scope <close> = folder.new()
    local model = make_model()
    fails("does not exist", cusp.models.load_model, scope.path .. "/none.keras")
    fails("neither a file", model.load_weights, model, scope.path .. "/none")
    write(scope.path .. "/text", "text")
    fails("is neither", cusp.models.load_model, scope.path .. "/text")
    fails("is neither", model.load_weights, model, scope.path .. "/text")
    write(scope.path .. "/net.onnx", "text")
    fails("onnx.load reads models", cusp.models.load_model, scope.path .. "/net.onnx")
    write(scope.path .. "/empty.h5", "")
    fails("empty.h5", cusp.models.load_model, scope.path .. "/empty.h5")
    fails("empty.h5", model.load_weights, model, scope.path .. "/empty.h5")
    assert(os.execute("mkdir '" .. scope.path .. "/saved' && touch '" .. scope.path
      .. "/saved/saved_model.pb'"))
    fails("SavedModel", cusp.models.load_model, scope.path .. "/saved")
    fails("config.json", cusp.models.load_model, scope.path)
    model:save_weights(scope.path .. "/w.h5")
    fails("has no model_config", cusp.models.load_model, scope.path .. "/w.h5")
  end)

  it("tells a file by its contents, not its name", function()
    local scope <close> = folder.new()
    local model = make_model()
    model:save(scope.path .. "/m.keras")
    model:save(scope.path .. "/m.h5")
    assert(os.rename(scope.path .. "/m.keras", scope.path .. "/x"))
    assert(os.rename(scope.path .. "/m.h5", scope.path .. "/y.keras"))
    assert.are.equal("Sequential",
      cusp.models.load_model(scope.path .. "/x", {compile = false}).__name)
    assert.are.equal("Sequential",
      cusp.models.load_model(scope.path .. "/y.keras", {compile = false}).__name)
    make_model():load_weights(scope.path .. "/x")
  end)

  it("by_name is for one layout only", function()
    local scope <close> = folder.new()
    local model = make_model()
    model:save_weights(scope.path .. "/w")
    model:save_weights(scope.path .. "/w.weights.h5")
    model:save(scope.path .. "/m.keras")
    for _, name in ipairs{"w", "w.weights.h5", "m.keras"} do
      fails("by_name", model.load_weights, model, scope.path .. "/" .. name, {by_name = true})
    end
  end)

  it("into a model that is not built reports what does not fit when it is", function()
    local scope <close> = folder.new()
    make_model():save_weights(scope.path .. "/w.h5")
    local model = unbuilt()
    model:load_weights(scope.path .. "/w.h5")
    assert(os.remove(scope.path .. "/w.h5")) -- the values have been read
    fails("[5, 2]", model.build, model, {cusp.None, 5})
  end)

  for _, name in ipairs{"w", "w.h5", "w.weights.h5"} do
    it("of " .. name .. " that did not fit goes on being an error until other weights are read",
      function()
      local scope <close> = folder.new()
      make_model():save_weights(scope.path .. "/" .. name)
      local other = cusp.Sequential{cusp.Input{shape = {5}}, layers.Dense(2)}
      local good = scope.path .. "/good-" .. name
      other:save_weights(good)
      local model, x = unbuilt(), cusp.ones{1, 5}
      model:load_weights(scope.path .. "/" .. name)
      fails("[5, 2]", model, x)
      fails("[5, 2]", model, x)
      model:load_weights(good)
      assert.are.same(other(x):tolist(), model(x):tolist())
    end)
  end
end)
