-- `.keras` archives: members, configuration, refused files.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local layers = cusp.layers

local function make_model()
  local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense{4, activation = "relu"},
    layers.Dense(2)}
  model:compile{optimizer = "adam", loss = "mse", metrics = {"mae"}}
  return model
end

local function same_weights(a, b)
  for i, variable in ipairs(a.weights) do
    assert.are.equal(variable.value:tobytes(), b.weights[i].value:tobytes())
  end
end

describe(".keras archives", function()
  it("hold metadata, configuration and weights, not compressed", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/m.keras"
    make_model():save(path)
    local archive <close> = cusp.zip.open(path)
    assert.are.same({"metadata.json", "config.json", "model.weights.h5"}, archive:names())
    assert.is_truthy(archive:stored "model.weights.h5")
    local metadata = cusp.json.decode(archive:read "metadata.json")
    assert.is_truthy(metadata.keras_version:find "^3%.")
    assert.is_truthy(metadata.date_saved:find "^%d%d%d%d%-%d%d%-%d%d@%d%d:%d%d:%d%d$")
    local config = cusp.json.decode(archive:read "config.json")
    assert.are.equal("Sequential", config.class_name)
    assert.are.equal("Adam", config.compile_config.optimizer.class_name)
    assert.is_nil(io.open(path .. ".weights.tmp"))
  end)

  it("come back as they were, compiled or not", function()
    local scope <close> = folder.new()
    local path, model = scope.path .. "/m.keras", make_model()
    model:fit{cusp.ones{4, 3}, cusp.ones{4, 2}, verbose = 0}
    model:save(path)
    local again = cusp.models.load_model(path)
    same_weights(model, again)
    assert.is_true(again.compiled)
    assert.are.equal(1, again.optimizer.iterations:item())
    local plain = cusp.models.load_model(path, {compile = false})
    same_weights(model, plain)
    assert.is_falsy(plain.compiled)
    model:save(path, {include_optimizer = false})
    assert.is_falsy(cusp.models.load_model(path).compiled)
  end)

  it("are folders with zipped = false", function()
    local scope <close> = folder.new()
    local model = make_model()
    model:save(scope.path .. "/folder", {zipped = false})
    same_weights(model, cusp.models.load_model(scope.path .. "/folder"))
    assert.is_false(pcall(model.save, model, scope.path .. "/x.keras", {zipped = false}))
    assert.is_false(pcall(model.save, model, scope.path .. "/x", {zipped = true}))
    assert.is_false(pcall(model.save, model, scope.path .. "/x.h5", {zipped = true}))
  end)

  it("hold user-defined models, by what init was given", function()
    local scope <close> = folder.new()
    local Mine = cusp.Model:extend("ArchivedMine", {
      init = function(self, args)
        cusp.Model.init(self, args)
        self.units = args.units or 2
        self.a, self.b = layers.Dense{self.units, activation = "relu"}, layers.Dense(2)
      end,
      call = function(self, x) return self.b(self.a(x)) end,
    })
    local model = Mine{units = 5}
    model:compile{optimizer = "adam", loss = "mse"}
    local x, y = cusp.random.uniform{8, 3}, cusp.random.uniform{8, 2}
    model:fit{x, y, verbose = 0, shuffle = false}
    model:save(scope.path .. "/m.keras")
    local again = cusp.models.load_model(scope.path .. "/m.keras")
    assert.are.equal(model:predict({x, verbose = 0}):tobytes(),
      again:predict({x, verbose = 0}):tobytes())
    model:fit{x, y, verbose = 0, shuffle = false}
    again:fit{x, y, verbose = 0, shuffle = false}
    same_weights(model, again)
    local message = select(2, pcall(model.save, model, scope.path .. "/m.h5"))
    assert.is_truthy(message:find("functional and sequential models only", 1, true), message)
    assert.is_nil(io.open(scope.path .. "/m.h5"))
  end)

  it("keep shared, frozen and nested layers", function()
    local scope <close> = folder.new()
    local x = cusp.Input{shape = {3}}
    local shared = layers.Dense{3, name = "shared"}
    local inner = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(3), name = "inner"}
    inner.trainable = false
    local model = cusp.Model{inputs = x, outputs = layers.Add(){shared(inner(shared(x))), x}}
    model:save(scope.path .. "/m.keras")
    local again = cusp.models.load_model(scope.path .. "/m.keras")
    same_weights(model, again)
    assert.are.equal(4, #again.weights)
    assert.are.equal(2, #again.trainable_weights)
  end)

  it("name the archive and the place where they are damaged", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/bad.keras"
    local function message_for(members)
      local archive = cusp.zip.create(path)
      for name, text in pairs(members) do archive:add(name, text) end
      archive:close()
      local ok, message = pcall(cusp.models.load_model, path)
      assert.is_false(ok)
      assert.is_truthy(message:find(path, 1, true), message)
      return message
    end
    local good = cusp.json.encode(require("cusp.saving.configuration").of_model(make_model(),
      {format = "keras3"}))
    assert.is_truthy(message_for({other = "x"}):find "has no config.json")
    assert.is_truthy(message_for({["config.json"] = "{"}):find "config.json")
    assert.is_truthy(message_for({["config.json"] = "[]"}):find "config.json")
    assert.is_truthy(message_for({["config.json"] = good}):find "has no model.weights.h5")
    assert.is_truthy(message_for({["config.json"] = good, ["model.weights.npz"] = "x"}):find "npz")
    assert.is_truthy(message_for({["config.json"] = good,
      ["model.weights.h5"] = "x"}):find "model.weights.h5")
    local file = assert(io.open(path, "wb"))
    file:write "not a zip"
    file:close()
    assert.is_truthy(select(2, pcall(cusp.models.load_model, path)):find(path, 1, true))
  end)

  it("with functions as Python bytecode are refused, whatever safe_mode says", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/lambda.keras"
    local config = [[{"module": "keras", "class_name": "Sequential", "config": {"name": "s",
      "layers": [
      {"module": "keras.layers", "class_name": "InputLayer", "registered_name": null,
        "config": {"batch_shape": [null, 3], "name": "i"}},
      {"module": "keras.layers", "class_name": "Lambda", "registered_name": null,
        "config": {"name": "evil", "function": {"class_name": "__lambda__",
          "config": {"code": "4wEAAAA=", "defaults": null, "closure": null}}}}]},
      "registered_name": null}]]
    for _, safe_mode in ipairs{true, false} do
      local archive = cusp.zip.create(path)
      archive:add("config.json", config)
      archive:close()
      local ok, message = pcall(cusp.models.load_model, path, {safe_mode = safe_mode})
      assert.is_false(ok)
      assert.is_truthy(message:lower():find "byte ?code" and message:find(path, 1, true), message)
    end
  end)
end)
