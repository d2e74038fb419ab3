-- Layers of data: normalization, bins, categories, hashes, vocabularies, texts, spectrograms.
local adapting = require "cusp.layers.preprocessing.adapting"
local cases = require "spec.support.cases"
local check_layer = require "spec.support.layer"
local cusp = require "cusp"
local check = require "spec.support.near"
local engine = require "cusp.engine"
local progress = require "cusp.base.progress"

local layers, Dataset = cusp.layers, cusp.data.Dataset

local function copy(value)
  if type(value) ~= "table" then return value end
  if value.floats then return cusp.tensor(copy(value.floats), {dtype = "float32"}) end
  local result = {}
  for i = 1, #value do result[i] = copy(value[i]) end
  return result
end

local function through_json(layer)
  return layers.deserialize(cusp.json.decode(cusp.json.encode(layers.serialize(layer))))
end

local function raises(f, ...)
  local ok, message = pcall(f)
  assert(not ok, "expected an error")
  for _, part in ipairs{...} do
    assert(message:find(part, 1, true), ("expected '%s' in: %s"):format(part, message))
  end
end

describe("what Keras computes:", function()
  local function make(case)
    local arguments = {}
    for key, value in pairs(case.arguments) do arguments[key] = value end
    local layer = layers[case.class_name](arguments)
    local number = 0
    if case.adapt then layer:adapt(copy(case.adapt)) end
    if case.dataset then
      layer:adapt(function()
        number = number + 1
        return copy(case.dataset[number])
      end)
    end
    return layer
  end

  for i, case in ipairs(cases.read("preprocessing/cases.json.gz").cases) do
    it(("%s %s (%d)"):format(case.class_name, cusp.json.encode(case.arguments):sub(1, 80), i),
      function()
      local layer = make(case)
      if case.bin_boundaries then check("boundaries", layer.bin_boundaries, case.bin_boundaries) end
      if case.vocabulary then
        check("vocabulary", layer:get_vocabulary(), case.vocabulary)
        check("tokens", layer:get_vocabulary(false), case.tokens)
      end
      check("outputs", layer(copy(case.inputs)), case.outputs)
      check("outputs of a copy", through_json(layer)(copy(case.inputs)), case.outputs)
    end)
  end
end)

describe("layers in models:", function()
  local rows = {
    {"Normalization", {}, {4, 3}, {4, 3}, 3, 0},
    {"Normalization", {axis = 2}, {4, 3, 2}, {4, 3, 2}, 3, 0},
    {"Normalization", {mean = {1, 2, 3}, variance = {4, 5, 6}}, {4, 3}, {4, 3}, 0, 0},
    {"Discretization", {bin_boundaries = {-0.5, 0.5}}, {4, 3}, {4, 3}, 0, 0},
    {"Discretization", {bin_boundaries = {-0.5, 0.5}, output_mode = "one_hot"}, {4, 1}, {4, 3}, 0,
      0},
    {"STFTSpectrogram", {frame_length = 8, mode = "stft"}, {2, 32, 2}, {2, 7, 20}, 2, 2},
    {"STFTSpectrogram", {frame_length = 8, expand_dims = true, padding = "same"}, {2, 30, 2},
      {2, 8, 5, 2}, 2, 2},
    {"STFTSpectrogram", {frame_length = 8, data_format = "channels_first", mode = "real"},
      {2, 3, 32}, {2, 15, 7}, 1, 1},
    {"MelSpectrogram", {fft_length = 16, sequence_stride = 8, num_mel_bins = 3,
      sampling_rate = 100}, {2, 64}, {2, 3, 9}, 0, 0},
  }
  for i, row in ipairs(rows) do
    it(("%s (%d)"):format(row[1], i), function()
      check_layer{class = layers[row[1]], arguments = row[2], input_shape = row[3],
        output_shape = row[4], weights = row[5],
        trainable = row[6]}
    end)
  end

  it("CategoryEncoding and IntegerLookup", function()
    check_layer{class = layers.CategoryEncoding, arguments = {num_tokens = 4}, input_shape = {3, 2},
      input_dtype = "int32",
      output_shape = {3, 4}, weights = 0}
    check_layer{class = layers.IntegerLookup, arguments = {vocabulary = {3, 1, 2}},
      input_shape = {3, 2}, input_dtype = "int64",
      output_shape = {3, 2}, weights = 0}
    check_layer{class = layers.IntegerLookup,
      arguments = {vocabulary = {3, 1, 2}, output_mode = "count"}, input_shape = {3, 2},
      input_dtype = "int64", output_shape = {3, 4}, weights = 0}
  end)

end)

describe("Normalization", function()
  local x = cusp.random.normal({50, 3}, {mean = 5, stddev = 2, seed = 1})

  it("adapts to tensors, lists, functions and datasets alike", function()
    local want = layers.Normalization()
    want:adapt(x)
    assert.near(0, want(x):mean():item(), 1e-5)
    assert.near(1, want(x):std():item(), 1e-5)
    local number = 0
    local forms = {
      x:tolist(), {x:slice{{1, 20}}, x:slice{{21, 50}}}, Dataset.from_tensor_slices(x):batch(7),
      Dataset.from_tensor_slices(x),
      Dataset.from_tensor_slices{x, cusp.zeros{50}}:batch(16),
      function()
        number = number + 1
        return number <= 5 and x:slice{{10 * number - 9, 10 * number}} or nil
      end,
    }
    for i, data in ipairs(forms) do
      local layer = layers.Normalization()
      layer:adapt(data)
      check("form " .. i, layer(x), want(x):tolist())
    end
  end)

  it("takes so many steps, and keyword arguments", function()
    local layer, want = layers.Normalization(), layers.Normalization()
    layer:adapt(Dataset.from_tensor_slices(x):repeat_(), {batch_size = 10, steps = 2})
    want:adapt(x:slice{{1, 20}})
    check("mean", layer.mean, want.mean:tolist())
  end)

  it("has one mean for all, or one for each place", function()
    local all, each = layers.Normalization{axis = cusp.null}, layers.Normalization{axis = {1, 2}}
    all:adapt(x)
    assert.same({1, 1}, all.mean.shape)
    each:adapt(x)
    assert.same({50, 3}, each.mean.shape)
    assert.equal(0, each(x):abs():max():item())
  end)

  it("goes back with invert", function()
    local there, back = layers.Normalization(), layers.Normalization{invert = true}
    there:adapt(x)
    back:adapt(x)
    check("round trip", back(there(x)), x:tolist())
  end)

  it("keeps its state in the weights of a saved model", function()
    local path = os.tmpname() .. ".keras"
    local layer = layers.Normalization()
    layer:adapt(x)
    local model = cusp.Sequential{cusp.Input{3}, layer, layers.Dense(2)}
    model:save(path)
    local loaded = cusp.models.load_model(path)
    os.remove(path)
    check("outputs", loaded(x), model(x):tolist())
  end)

  it("says what is wrong", function()
    raises(function() layers.Normalization{mean = 1} end, "expected both mean and variance")
    raises(function() layers.Normalization{mean = {1, 2}, variance = {1}} end, "one shape")
    raises(function() layers.Normalization{axis = 3} (x) end, "axis 3 is out of range", "[50, 3]")
    raises(function()
      layers.Normalization{mean = 0, variance = 1}:adapt(x)
    end, "fixed mean and variance")
    raises(function()
      layers.Normalization():adapt(Dataset.from_tensor_slices(x):take(0))
    end, "expected data")
    raises(function()
      layers.Normalization():adapt(Dataset.from_tensor_slices(x):batch(5):repeat_())
    end, "dataset is infinite", "steps")
    raises(function() layers.Normalization():adapt{"a"} end, "tables of numbers", "a")
    local layer = layers.Normalization()
    layer:adapt(x)
    raises(function() layer:adapt(cusp.ones{4, 2}) end, "built for size 3", "[4, 2]")
  end)
end)

describe("Discretization", function()
  it("makes bins that are about equally full", function()
    local x = cusp.random.normal({10000}, {seed = 1})
    for _, data in ipairs{x, Dataset.from_tensor_slices(x):batch(500)} do
      local layer = layers.Discretization{num_bins = 4, output_mode = "count"}
      layer:adapt(data)
      for _, count in ipairs(layer(x):tolist()) do assert.near(2500, count, 400) end
      check("a copy's boundaries", through_json(layer).bin_boundaries, layer.bin_boundaries)
    end
  end)

  it("says what is wrong", function()
    raises(function() layers.Discretization() end, "bin_boundaries, or num_bins")
    raises(function() layers.Discretization{{1, 2}, 3} end, "not both")
    raises(function() layers.Discretization{{2, 1}} end, "ascend")
    raises(function()
      layers.Discretization{{1, 2}, output_mode = "tf_idf"}
    end, "output_mode", "multi_hot")
    raises(function() layers.Discretization{{1, 2}, sparse = true} end, "no sparse tensors")
    raises(function() layers.Discretization{{1, 2}}:adapt{1, 2} end, "num_bins")
    raises(function() layers.Discretization{num_bins = 2}{1, 2} end, "adapt")
    raises(function() layers.Discretization{num_bins = 2}:adapt{} end, "expected data")
  end)
end)

describe("CategoryEncoding", function()
  it("weighs counts", function()
    local layer = layers.CategoryEncoding{3, output_mode = "count"}
    local weights = cusp.tensor{{0.5, 2.0}, {1.0, 3.0}}
    check("counts", layer({{0, 2}, {1, 1}}, {count_weights = weights}), {{0.5, 0, 2}, {0, 4, 0}})
    raises(function()
      layers.CategoryEncoding(3)({{1}}, {count_weights = cusp.ones{1, 1}})
    end, "count_weights", "multi_hot")
  end)

  it("passes over what is out of range", function()
    check("outputs", layers.CategoryEncoding(3){{0, 7}, {-1, 2}}, {{1, 0, 0}, {0, 0, 1}})
  end)
end)

describe("hashing", function()
  it("has SipHash's published values", function()
    local message = ""
    for i = 0, 14 do message = message .. string.char(i) end
    local key = {(string.unpack("<i8", "\0\1\2\3\4\5\6\7")),
      (string.unpack("<i8", "\8\9\10\11\12\13\14\15"))}
    local hash = 0xa129ca6149be45e5
    assert.equal(hash & 0x7fffffff, layers.Hashing{1 << 31, salt = key}(message):item())
    assert.equal(hash & 0xffffffff, layers.Hashing{1 << 32, salt = key}(message):item())
    assert.equal(7, layers.Hashing{10, salt = key}(message):item()) -- as unsigned
  end)

  it("says what is wrong", function()
    raises(function() layers.Hashing(0) end, "num_bins", "positive integer")
    raises(function() layers.Hashing{3, salt = {1, 2, 3}} end, "salt", "list of two")
    raises(function() layers.Hashing{3, dtype = "float32"} end, "int64")
    raises(function() layers.Hashing(3){{"a"}, {"b", "c"}} end, "one length")
    raises(function() layers.Hashing(3){"a", {"b"}} end, "one depth")
    raises(function() layers.Hashing(3){1.5} end, "strings or integers")
    raises(function() layers.HashedCrossing(3){{"a"}} end, "two or more")
    raises(function() layers.HashedCrossing(3){{"a"}, {"b", "c"}} end, "one shape")
    raises(function() layers.HashedCrossing(3){{{"a", "b"}}, {{"a", "b"}}} end, "[batch, 1]")
  end)
end)

describe("vocabularies", function()
  it("come from files, which configurations may not name", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write "b\na\n"
    file:close()
    local layer = layers.StringLookup{vocabulary = path}
    assert.same({"[UNK]", "b", "a"}, layer:get_vocabulary())
    assert.same({"[UNK]", "b", "a"}, through_json(layer):get_vocabulary())
    raises(function() layers.StringLookup:from_config{vocabulary = path} end, "files are not read")
    raises(function() layers.IntegerLookup{vocabulary = path} end, "line 1", "not an integer")
    os.remove(path)
    raises(function() layers.StringLookup{vocabulary = path} end, path)
  end)

  it("learned ones stay so in a configuration, and can be learned anew", function()
    local layer = layers.StringLookup()
    layer:adapt{"a", "b", "b"}
    local again = through_json(layer)
    assert.same({"[UNK]", "b", "a"}, again:get_vocabulary())
    again:adapt{"c"}
    assert.same({"[UNK]", "c"}, again:get_vocabulary())
    raises(function()
      through_json(layers.StringLookup{vocabulary = {"a"}}):adapt{"c"}
    end, "made with a vocabulary")
  end)

  it("turn and turn back", function()
    local there = layers.StringLookup{vocabulary = {"a", "b", "c"}}
    local back = layers.StringLookup{vocabulary = there:get_vocabulary(), invert = true}
    assert.same({{"c", "a"}, {"b", "[UNK]"}}, back(there{{"c", "a"}, {"b", "x"}}))
    assert.equal("b", back(2))
    assert.equal("c", back(cusp.tensor(3)))
  end)

  it("are counted batch by batch in datasets", function()
    local words = Dataset.from_tensor_slices{"a", "b", "a", "c", "a", "b"}
    local layer = layers.StringLookup()
    layer:adapt(words:batch(4))
    assert.same({"a", "b", "c"}, layer:get_vocabulary(false))
    layer:adapt(words, {steps = 2})
    assert.same({"b", "a"}, layer:get_vocabulary(false))
    local numbers = layers.IntegerLookup()
    numbers:adapt(Dataset.from_tensor_slices(cusp.tensor{5, 7, 7}))
    assert.same({7, 5}, numbers:get_vocabulary(false))
    assert.same({1, 2, 0}, numbers(cusp.tensor{7, 5, 6}):tolist())
  end)

  it("say what is wrong", function()
    raises(function() layers.StringLookup{vocabulary = {"a", "b", "a"}} end, "twice, at 1 and 3")
    raises(function() layers.StringLookup{vocabulary = {}} end, "empty")
    raises(function()
      layers.StringLookup{vocabulary = {"a", ""}, mask_token = ""}
    end, "mask token", "at 2")
    raises(function()
      layers.StringLookup{vocabulary = {"a", "b", "c"}, max_tokens = 3}
    end, "4 tokens", "max_tokens is 3")
    raises(function() layers.StringLookup{max_tokens = 1} end, "max_tokens", "at least 2")
    raises(function() layers.StringLookup{pad_to_max_tokens = true} end, "needs max_tokens")
    raises(function() layers.StringLookup{invert = true, output_mode = "count"} end, "invert")
    raises(function()
      layers.StringLookup{output_mode = "tf_idf", vocabulary = {"a"}}
    end, "idf_weights")
    raises(function()
      layers.StringLookup{output_mode = "tf_idf", vocabulary = {"a"}, idf_weights = {1, 2}}
    end, "shape [1]")
    raises(function() layers.StringLookup{vocabulary = {"a"}, idf_weights = {1}} end, "tf_idf")
    raises(function()
      layers.StringLookup{vocabulary = {"a"}, num_oov_indices = 0}{"a", "q"}
    end, "in the vocabulary", "q")
    raises(function()
      layers.IntegerLookup{vocabulary = {1}, num_oov_indices = 0}{1, 17}
    end, "should be in the vocabulary", "17")
    raises(function()
      layers.StringLookup{vocabulary = {"a"}}{1}
    end, "expected strings", "IntegerLookup")
    raises(function() layers.StringLookup{output_mode = "count"}{"a"} end, "no vocabulary yet")
    raises(function()
      layers.StringLookup{vocabulary = {"a"}, sparse = true}
    end, "no sparse tensors")
    raises(function() layers.IntegerLookup{vocabulary = {1}, salt = 3} end, "farmhash")
    raises(function() layers.StringLookup{vocabularies = {"a"}} end, "did you mean 'vocabulary'")
  end)
end)

describe("TextVectorization", function()
  it("takes functions for its steps", function()
    local layer = layers.TextVectorization{
      standardize = function(text) return (text:gsub("%d", "")) end,
      split = function(text)
        local parts = {}
        for part in text:gmatch "[^,]+" do parts[#parts + 1] = part end
        return parts
      end,
      vocabulary = {"a", "b c"},
    }
    check("indices", layer{"a1,b c", "2b c,x"}, {{2, 3}, {3, 1}})
    check("a copy's indices", through_json(layer){"a1,b c"}, {{2, 3}})
  end)

  it("splits what is no UTF-8, too", function()
    local layer = layers.TextVectorization{split = "character", standardize = cusp.null,
      vocabulary = {"ä", "\u{FFFD}"}}
    check("indices", layer{"ä\xFFä", "\xE4"}, {{2, 3, 2}, {3, 0, 0}})
  end)

  it("works in datasets, before a model", function()
    local layer = layers.TextVectorization{output_sequence_length = 3}
    local texts = Dataset.from_tensor_slices{{"good film", "bad film", "good good"},
      cusp.tensor{1, 0, 1}}
    layer:adapt(texts:map(function(text) return text end):batch(2))
    local batches = texts:batch(2):map(function(text, label) return layer(text), label end)
    local x, y = batches:iterate()()
    check("x", x, {{2, 3, 0}, {4, 3, 0}})
    check("y", y, {1, 0})
    local model = cusp.Sequential{layers.Embedding(layer:vocabulary_size(), 2), layers.Flatten(),
      layers.Dense(1)}
    model:compile{optimizer = "sgd", loss = "mse"}
    model:fit{batches, epochs = 1, verbose = 0}
  end)

  it("says what is wrong", function()
    raises(function() layers.TextVectorization{ragged = true} end, "no ragged tensors")
    raises(function()
      layers.TextVectorization{standardize = "upper"}
    end, "standardize", "strip_punctuation", "upper")
    raises(function()
      layers.TextVectorization{output_mode = "count", output_sequence_length = 3}
    end, "output_sequence_length")
    raises(function()
      layers.TextVectorization{vocabulary = {"a"}}{{"a", "b"}}
    end, "[batch, 1]", "[1, 2]")
    raises(function() layers.TextVectorization{vocabulary = {"a"}}{1} end, "expected strings")
    raises(function()
      layers.TextVectorization{vocabulary = {"a"}, standardize = function() end}{"a"}
    end, "return a string")
    raises(function()
      layers.TextVectorization{vocabulary = {"a"}, split = function() return 1 end}{"a"}
    end, "list of strings")
    raises(function()
      layers.TextVectorization{vocabulary = {"a"}, output_mode = "one_hot"}{"a", "a a"}
    end, "text 2 has 2")
  end)
end)

describe("Pipeline", function()
  it("runs layers of strings and of tensors", function()
    local lookup = layers.StringLookup{vocabulary = {"a", "b"}}
    local pipeline = layers.Pipeline{lookup, layers.CategoryEncoding{3, output_mode = "one_hot"}}
    check("outputs", pipeline{"b", "x"}, {{0, 0, 1}, {1, 0, 0}})
    check("a copy's outputs", through_json(pipeline){"b", "x"}, {{0, 0, 1}, {1, 0, 0}})
    local first = Dataset.from_tensor_slices{"a", "b"}:batch(2):map(pipeline):iterate()()
    check("in a dataset", first, {{0, 1, 0}, {0, 0, 1}})
  end)

  it("is in training mode by itself, and as it is told", function()
    local seen = {}
    local Note = layers.Layer:extend("Note", {call = function(_, x, args)
      seen[#seen + 1] = args.training
      return x
    end})
    local pipeline = layers.Pipeline{Note()}
    pipeline(cusp.ones{2})
    pipeline(cusp.ones{2}, {training = false})
    cusp.Sequential{pipeline} (cusp.ones{2}, {training = false})
    assert.same({true, false}, {seen[1], seen[2]})
    assert.is_false(seen[#seen])
  end)

  it("can be part of a model", function()
    local x = cusp.Input{3}
    local model = cusp.Model{x, layers.Pipeline{layers.Rescaling(2.0), layers.Dense(2)} (x)}
    assert.same({4, 2}, model(cusp.ones{4, 3}).shape)
    assert.equal(2, #model.trainable_weights)
  end)
end)

describe("adapting", function()
  it("shows its progress where it takes long", function()
    local patience, make, text = adapting.patience, progress.new, ""
    adapting.patience = -1
    progress.new = function(options)
      options.write = function(part) text = text .. part end
      options.dynamic = false
      return make(options)
    end
    finally(function() adapting.patience, progress.new = patience, make end)
    layers.StringLookup():adapt(Dataset.from_tensor_slices{"a", "b", "c"}:batch(2))
    assert.truthy(text:find("2/2 [==============================]", 1, true))
  end)

  it("says what it takes", function()
    raises(function()
      layers.StringLookup():adapt(3)
    end, "StringLookup.adapt", "a dataset or a function", "number 3")
    raises(function() layers.TextVectorization():adapt() end, "data", "missing")
    raises(function() layers.StringLookup():adapt({"a"}, {step = 3}) end, "did you mean 'steps'")
    raises(function() layers.StringLookup():adapt(cusp.tensor{1, 2}) end, "expected strings")
    local layer = layers.TextVectorization()
    layer:adapt "foo bar foo"
    assert.same({"foo", "bar"}, layer:get_vocabulary(false))
  end)

  it("can be interrupted, and leaves the vocabulary that was", function()
    local layer, number = layers.StringLookup(), 0
    layer:adapt{"a"}
    local ok, message = pcall(layer.adapt, layer, function()
      number = number + 1
      if number == 3 then
        engine.interrupt()
        error("interrupted!", 0)
      end
      return {"b"}
    end)
    engine.take_interrupt()
    assert.falsy(ok)
    assert.equal("interrupted!", message)
    assert.same({"[UNK]", "a"}, layer:get_vocabulary())
  end)
end)

describe("saved models:", function()
  local function adapted(layer, data)
    layer:adapt(data)
    return layer
  end
  local rows = {
    {"Normalization", function()
      return adapted(layers.Normalization(), {{1.0, 2.0}, {4.0, 8.0}})
    end, {{1.5, 3.0}}},
    {"Discretization", function()
      return adapted(layers.Discretization{num_bins = 3}, {1, 2, 3, 4, 5, 6})
    end, {{1.5, 5.5}}},
    {"CategoryEncoding", function()
      return layers.CategoryEncoding{4, output_mode = "count"}
    end, {{1, 1}}},
    {"IntegerLookup", function()
      return adapted(layers.IntegerLookup{mask_token = 0}, {7, 7, 5})
    end, {{5, 7}}},
    {"IntegerLookup of weights", function()
      return adapted(layers.IntegerLookup{output_mode = "tf_idf"}, {{7, 7}, {5, 7}})
    end, {{5, 7}}},
  }
  for _, row in ipairs(rows) do
    for _, suffix in ipairs{".keras", ".h5"} do
      it(row[1] .. suffix, function()
        local path = os.tmpname()
        finally(function()
          os.remove(path)
          os.remove(path .. suffix)
        end)
        local inputs = math.type(row[3][1][1]) == "integer"
          and cusp.tensor(row[3], {dtype = "int64"}) or cusp.tensor(row[3])
        local x = cusp.Input{2, dtype = inputs.dtype}
        local model = cusp.Model{x, row[2]()(x)}
        model:save(path .. suffix)
        local loaded = cusp.models.load_model(path .. suffix, {compile = false})
        check("outputs", loaded(inputs), model(inputs):tolist())
        assert.equal(model:to_json(), loaded:to_json())
      end)
    end
  end

  it("TF 2's have the dtype of the bins", function()
    local layer = layers.deserialize{class_name = "Discretization", config = {
      name = "discretization", trainable = true, dtype = "int64", bin_boundaries = {0.5, 1.5},
      epsilon = 0.01, output_mode = "int",
    }}
    check("bins", layer{0.4, 0.6, 1.7}, {0, 1, 2})
  end)

  it("Keras's archives have learned vocabularies beside their configuration", function()
    local model = cusp.models.load_model "spec/fixtures/preprocessing/integer_lookup.keras"
    local lookup = model.layers[2]
    assert.same({7, 5}, lookup:get_vocabulary(false))
    check("outputs", lookup(cusp.tensor{5, 7, 1}), {2, 1, 0})
  end)
end)
