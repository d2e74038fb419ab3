-- FeatureSpace: what Keras computes, models of it, files, and what is refused.
local cusp = require "cusp"
local raises = require "spec.support.raises"
local folder = require "spec.support.folder"
local plain = require "spec.support.plain"

local FeatureSpace, layers, Dataset = cusp.utils.FeatureSpace, cusp.layers, cusp.data.Dataset
local fixtures = "spec/fixtures/strings/"

local function decode(name)
  local file <close> = assert(io.open(fixtures .. name))
  return cusp.json.decode(file:read "a")
end

local function check(path, got, want)
  if type(want) ~= "table" then
    assert(math.abs(got - want) < 1e-5, ("%s: %s, expected %s"):format(path, got, want))
    return
  end
  for key, item in pairs(want) do check(path .. "." .. key, got[key], item) end
  for key in pairs(got) do assert(want[key] ~= nil, path .. "." .. key) end
end

local spaces = plain(decode "spaces.json")

local function space_of(mode)
  return FeatureSpace{
    features = {
      f = "float", r = FeatureSpace.float_rescaled{scale = 0.1, offset = 1},
      n = "float_normalized", d = FeatureSpace.float_discretized{num_bins = 4},
      i = "integer_categorical", s = FeatureSpace.string_categorical{num_oov_indices = 2},
      ih = FeatureSpace.integer_hashed(5), sh = "string_hashed",
    },
    crosses = {{"i", "s"}, FeatureSpace.cross({"s", "ih"}, 9)}, crossing_dim = 8, hashing_dim = 6,
    output_mode = mode,
  }
end

local function first_row(columns)
  local row = {}
  for name, values in pairs(columns) do row[name] = values[1] end
  return row
end

describe("FeatureSpace", function()
  for _, mode in ipairs{"concat", "dict"} do
    it("encodes as Keras does, and from files of either: " .. mode, function()
      local space, place <close> = space_of(mode), folder.new()
      space:adapt(Dataset.from_tensor_slices(spaces.data))
      check("rows", plain(space(spaces.new)), spaces[mode].rows)
      check("a row", plain(space(first_row(spaces.new))), spaces[mode].row)
      local path = place.path .. "/space.keras"
      space:save(path)
      for _, file in ipairs{path, fixtures .. "space_" .. mode .. ".keras"} do
        local loaded = cusp.models.load_model(file)
        check(file, plain(loaded(spaces.new)), spaces[mode].rows)
      end
    end)
  end

  it("adapts to columns, to batches, and to rows alike", function()
    local batches = Dataset.from_tensor_slices(spaces.data):batch(3)
    for _, data in ipairs{spaces.data, batches} do
      local space = space_of "concat"
      space:adapt(data)
      check("rows", plain(space(spaces.new)), spaces.concat.rows)
    end
  end)

  it("is the beginning of models", function()
    local loaded, place <close> = cusp.models.load_model(fixtures .. "space_model.keras"),
      folder.new()
    check("Keras's", plain(loaded:predict{spaces.new, verbose = 0}), spaces.model)
    local space = space_of "concat"
    space:adapt(spaces.data)
    local whole = cusp.Model{inputs = space:get_inputs(),
      outputs = layers.Dense(1)(space:get_encoded_features())}
    whole:compile{optimizer = "sgd", loss = "mse"}
    whole:fit{spaces.new, {1, 2}, verbose = 0}
    local predicted = plain(whole:predict{spaces.new, verbose = 0})
    whole:save(place.path .. "/whole.keras")
    local again = cusp.models.load_model(place.path .. "/whole.keras")
    check("ours", plain(again:predict{spaces.new, verbose = 0}), predicted)
    local data = Dataset.from_tensor_slices{spaces.new, {1, 2}}:map(function(x, y)
      return space(x), y
    end):batch(2)
    local rest = cusp.Sequential{layers.Dense(1)}
    rest:compile{optimizer = "sgd", loss = "mse"}
    rest:fit{data, verbose = 0}
    assert.same({44, 1}, {table.unpack(rest.weights[1].shape)})
  end)

  it("takes layers of one's own", function()
    local space = FeatureSpace{
      features = {
        t = FeatureSpace.feature{"string", layers.TextVectorization{output_mode = "tf_idf"},
          "float"},
        i = FeatureSpace.integer_categorical{output_mode = "int", max_tokens = 3},
        d = FeatureSpace.float_discretized{num_bins = 3, output_mode = "int"},
      },
      crosses = {FeatureSpace.cross{feature_names = {"i", "d"}, crossing_dim = 6,
        output_mode = "int"}},
      output_mode = "dict",
    }
    local case, place <close> = spaces.own_layer, folder.new()
    space:adapt(case.data)
    check("rows", plain(space(case.data)), case.rows)
    space:save(place.path .. "/space.keras")
    check("loaded", plain(cusp.models.load_model(place.path .. "/space.keras")(case.data)),
      case.rows)
  end)

  it("shows its parts by name", function()
    local space = space_of "concat"
    assert.equal("StringLookup", space.preprocessors.s.__name)
    assert.equal("i_preprocessor", space.preprocessors.i.name)
    assert.equal("HashedCrossing", space.crossers.i_X_s.__name)
    assert.equal("string", space.inputs.s.dtype)
    assert.equal("int32", space.features.i.dtype)
    assert.equal(2, #space.crosses)
    assert.equal(8, space.crosses_by_name.i_X_s.crossing_dim)
    assert.is_nil(space.encoded_features)
    space:adapt(spaces.data)
    assert.same({cusp.None, 44}, {table.unpack(space.encoded_features.shape)})
    assert.equal(5, space.one_hot_encoders.s.num_tokens)
    local plain_space = FeatureSpace{features = {a = "float"}}
    assert.same({2.5}, plain_space{a = 2.5}:tolist()) -- nothing to learn
  end)

  it("says what is wrong", function()
    raises(function() FeatureSpace{features = {}} end, "kinds by name")
    raises(function() FeatureSpace{features = {a = "flot"}} end, "the feature 'a'", "float")
    raises(function() FeatureSpace{features = {a = "float"}, output_mode = "list"} end, "dict")
    raises(function() FeatureSpace{features = {a = "float"}, crosses = {{"a", "b"}}} end,
      "'b', which is no feature")
    raises(function() FeatureSpace.float_normalized{scale = 2} end,
      "FeatureSpace.float_normalized", "scale")
    local space = space_of "concat"
    raises(function() space(spaces.new) end, "call adapt")
    raises(function() space:adapt{1, 2} end, "dataset or a table of columns")
    raises(function() space:adapt{f = {1}} end, "the feature")
    space:adapt(spaces.data)
    local columns = plain(spaces.new)
    columns.s = nil
    raises(function() space(columns) end, "the feature 's' is missing")
    columns.s = {1, 2}
    raises(function() space(columns) end, "'s' should be of dtype string, got int32")
    columns.s, columns.zz = {"a", "b"}, {1, 2}
    raises(function() space(columns) end, "there is no feature 'zz'")
    raises(function() space(cusp.ones{2}) end, "columns by name")
    raises(function() space:save "space.h5" end, ".keras")
    local ints = FeatureSpace{features = {a = FeatureSpace.integer_hashed{5, output_mode = "int"}}}
    raises(function() ints{a = {1}} end, "cannot be part of one vector")
  end)
end)
