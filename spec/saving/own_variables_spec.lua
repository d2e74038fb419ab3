-- Classes that say themselves what files keep of them.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local text_files = require "spec.support.text_files"
local waves = require "spec.support.waves"

local layers = cusp.layers

local Doubled = layers.Layer:extend("StoredDoubled", {
  build = function(self, shape)
    self.factor = self:add_weight{name = "factor", shape = {shape[#shape]}, initializer = "ones"}
  end,
  call = function(self, x) return x * self.factor end,
  save_own_variables = function(self, store)
    store[self.other_name or "twice"] = self.factor * 2
    store.version = 7
  end,
  load_own_variables = function(self, store)
    assert(store.version:item() == 7, "another version")
    self.factor:assign(store.twice / 2)
  end,
})

local Noted = layers.Layer:extend("Noted", {
  call = function(_, x) return x end,
  save_assets = function(self, path)
    text_files.write(path .. "/note.txt", self.note)
    os.execute(("mkdir '%s/more'"):format(path))
    text_files.write(path .. "/more/b.bin", "\0\1")
  end,
  load_assets = function(self, path)
    self.note = text_files.read(path .. "/note.txt") .. #text_files.read(path .. "/more/b.bin")
  end,
})

local function model(layer)
  local made = cusp.Sequential{cusp.Input{shape = {3}}, layer, layers.Dense(2)}
  waves.fill(made.weights, 1)
  return made
end

describe("save_own_variables and load_own_variables", function()
  local x = waves.cosines{2, 3}

  it("decide what .keras and .weights.h5 hold", function()
    local place <close> = folder.new()
    local saved = model(Doubled{})
    saved:save(place.path .. "/m.keras")
    saved:save_weights(place.path .. "/m.weights.h5")
    local loaded = cusp.models.load_model(place.path .. "/m.keras")
    waves.compare(saved(x):flat(), loaded(x), 1e-6)
    local other = model(Doubled{})
    other:set_weights(cusp.Sequential{cusp.Input{shape = {3}}, Doubled{}, layers.Dense(2)}
      :get_weights())
    other:load_weights(place.path .. "/m.weights.h5")
    waves.compare(saved(x):flat(), other(x), 1e-6)
  end)

  it("name the file, the class and the cause where they fail", function()
    local place <close> = folder.new()
    local path = place.path .. "/m.weights.h5"
    local unlike = Doubled{}
    unlike.other_name = "thrice"
    model(unlike):save_weights(path)
    local loading = model(Doubled{})
    waves.fill(loading.weights, 5)
    local before = loading(x)
    assert.error_matches(function() loading:load_weights(path) end,
      "m.weights.h5: .*StoredDoubled '.*': .*nil")
    waves.compare(before:flat(), loading(x), 0)
    model(Doubled{}):save_weights(path)
    local Plain = layers.Layer:extend("StoredDoubled", {build = Doubled.build, call = Doubled.call})
    assert.error_matches(function() model(Plain{}):load_weights(path) end,
      "expected variables named 0, 1, ..., got '%w+'; StoredDoubled '.*' has no load_own_variables")
    local Wrong = Doubled:extend("StoredWrong",
      {save_own_variables = function(_, store) store.a = "text" end})
    assert.error_matches(function() model(Wrong{}):save_weights(path) end,
      "StoredWrong.save_own_variables: expected tensors by name, got string \"text\"")
  end)

  it("of the library number the variables, and take all or none", function()
    local dense, store = layers.Dense{2, name = "d"}, {}
    dense:build{cusp.None, 3}
    waves.fill(dense.weights)
    dense:save_own_variables(store)
    local other = layers.Dense{2, name = "e"}
    other:build{cusp.None, 3}
    other:load_own_variables(store)
    for i, weight in ipairs(dense.weights) do
      waves.compare(weight.value:flat(), other.weights[i], 0)
    end
    store["1"] = cusp.zeros{3}
    store["0"] = cusp.zeros{3, 2}
    assert.error_matches(function() other:load_own_variables(store) end,
      "e %(Dense%).load_own_variables: the variable 1 .* has shape %[2%], got %[3%]")
    waves.compare(dense.kernel.value:flat(), other.kernel, 0)
    local adam, kept = cusp.optimizers.Adam(0.1), {}
    adam:build{dense.kernel}
    adam:save_own_variables(kept)
    kept["0"] = 5
    adam:load_own_variables(kept)
    assert.are.equal(5, adam.iterations:item())
  end)
end)

describe("save_assets and load_assets", function()
  it("keep files in .keras archives and folders", function()
    local place <close> = folder.new()
    local noted = Noted{}
    noted.note = "hello"
    for _, options in ipairs{{}, {zipped = false}} do
      local path = place.path .. (options.zipped == false and "/folder" or "/m.keras")
      model(noted):save(path, options)
      assert.are.equal("hello2", cusp.models.load_model(path).layers[1].note)
    end
    assert.are.equal("hello", cusp.zip.open(place.path .. "/m.keras")
      :read "assets/layers/noted/note.txt")
  end)

  it("are vocabularies of lookups", function()
    local place <close> = folder.new()
    local lookup = layers.StringLookup()
    lookup:adapt{"a", "b", "b"}
    lookup:save_assets(place.path)
    assert.are.equal("[UNK]\nb\na", text_files.read(place.path .. "/vocabulary.txt"))
    local other = layers.StringLookup()
    other:load_assets(place.path)
    assert.are.same({"[UNK]", "b", "a"}, other:get_vocabulary())
    local texts, read = layers.TextVectorization(), layers.TextVectorization()
    texts:adapt{"a b", "b"}
    texts:save_assets(place.path)
    read:load_assets(place.path)
    assert.are.same(texts:get_vocabulary(), read:get_vocabulary())
  end)
end)
