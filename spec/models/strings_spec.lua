-- Models that take strings: what Keras computes with them, training, files, and what is refused.
local cusp = require "cusp"
local check = require "spec.support.near"
local raises = require "spec.support.raises"
local folder = require "spec.support.folder"

local layers, models, Dataset = cusp.layers, cusp.models, cusp.data.Dataset
local fixtures = "spec/fixtures/strings/"

local function decode(name)
  local file <close> = assert(io.open(fixtures .. name))
  return cusp.json.decode(file:read "a")
end

local function plain(value)
  if type(value) ~= "table" then return value end
  local result = {}
  for key, item in pairs(value) do result[key] = plain(item) end
  return result
end

for _, list in ipairs{"models.json", "keras2.json"} do
  describe("models with strings of " .. list, function()
    for _, case in ipairs(decode(list)) do
      it("predict as there, and after being saved: " .. case.name, function()
        local inputs, place <close> = plain(case.inputs), folder.new()
        local model = models.load_model{fixtures .. case.name .. ".keras", compile = false}
        check("predict", model:predict{inputs, verbose = 0}, case.outputs)
        for _, name in ipairs{"/model.keras", "/model.h5"} do
          model:save(place.path .. name)
          local again = models.load_model{place.path .. name, compile = false}
          check(name, again:predict{inputs, verbose = 0}, case.outputs)
        end
        local json = models.model_from_json(model:to_json())
        json:set_weights(model:get_weights())
        if not case.name:find "tf_idf" then
          check("json", json:predict{inputs, verbose = 0}, case.outputs)
        end
      end)
    end
  end)
end

local texts = {"the moon is up", "the sun is down", "moon over the sea now", "sun on sea"}
local labels = {1, 0, 1, 0}

local function reader(arguments)
  local vectorize = layers.TextVectorization(arguments)
  vectorize:adapt(texts)
  local x = cusp.Input{shape = {1}, dtype = "string"}
  local y = layers.GlobalAveragePooling1D()(layers.Embedding{30, 4, mask_zero = true}(vectorize(x)))
  local model = cusp.Model{inputs = x, outputs = layers.Dense{1, activation = "sigmoid"}(y)}
  model:compile{optimizer = cusp.optimizers.Adam(0.1), loss = "binary_crossentropy"}
  return model
end

describe("a model of texts", function()
  it("learns from tables, tensors and datasets of strings", function()
    cusp.random.set_seed(1)
    local model = reader{output_sequence_length = 6}
    local first = model:evaluate{texts, labels, verbose = 0}
    model:fit{texts, labels, epochs = 5, batch_size = 2, verbose = 0}
    model:fit{cusp.tensor(texts, {shape = {4, 1}}), cusp.tensor(labels), epochs = 5, verbose = 0}
    for _, data in ipairs{
      Dataset.from_tensor_slices{texts, labels}:batch(2),
      Dataset.from_tensor_slices{cusp.tensor(texts), labels}:shuffle(4):batch(2):prefetch(1),
      Dataset.from_tensor_slices{cusp.tensor(texts, {shape = {4, 1}}), labels}:batch(3):cache(),
    } do
      model:fit{data, epochs = 4, verbose = 0}
    end
    assert.is_true(model:evaluate{texts, labels, verbose = 0} < first / 2)
    local t = cusp.tensor(texts)
    local predicted = model:predict{texts, verbose = 0}
    check("call", model(t), predicted:tolist())
    check("call on a list", model(texts), predicted:tolist())
    check("predict_on_batch", model:predict_on_batch(t), predicted:tolist())
    check("dataset", model:predict{Dataset.from_tensor_slices(texts):batch(3), verbose = 0},
      predicted:tolist())
  end)

  it("gives the same where its length is that of the longest text", function()
    cusp.random.set_seed(2)
    local model = reader{}
    assert.same({cusp.None, cusp.None}, {table.unpack(model.layers[2].output.shape)})
    model:fit{texts, labels, epochs = 2, batch_size = 2, verbose = 0}
    local predicted = model:predict{texts, verbose = 0}
    check("one by one", model:predict{texts, batch_size = 1, verbose = 0}, predicted:tolist())
    local own = layers.TextVectorization{
      split = function(text)
        local words = {}
        for word in text:gmatch "%a+" do words[#words + 1] = word end
        return words
      end,
    }
    own:adapt(texts)
    local x = cusp.Input{1, dtype = "string"}
    local with_function = cusp.Model{inputs = x, outputs = own(x)}
    check("with a function", with_function:predict{texts, verbose = 0}, own(texts):tolist())
    raises(function() cusp.compile(function(t) return own(t) end)(cusp.tensor(texts)) end,
      "cannot be traced", "run_eagerly")
    local longest = layers.TextVectorization()
    longest:adapt(texts)
    raises(function() cusp.compile(function(t) return longest(t) end)(cusp.tensor(texts)) end,
      "output_sequence_length")
  end)

  it("may be a stack that is built by its first texts", function()
    local vectorize = layers.TextVectorization{output_mode = "multi_hot"}
    vectorize:adapt(texts)
    local model = cusp.Sequential{vectorize, layers.Dense(2)}
    assert.same({4, 2}, {table.unpack(model(texts).shape)})
    assert.same({2, 2}, {table.unpack(model:predict{{"sun", "moon"}, verbose = 0}.shape)})
    local hashes = cusp.Sequential{layers.Hashing{5, output_mode = "one_hot"}, layers.Dense(1)}
    assert.same({3, 1}, {table.unpack(hashes(cusp.tensor{{1}, {2}, {30000000001}}).shape)})
  end)

  it("sees a vocabulary that changes", function()
    local lookup = layers.StringLookup{vocabulary = {"a", "b"}}
    local x = cusp.Input{1, dtype = "string"}
    local model = cusp.Model{inputs = x, outputs = lookup(x)}
    check("before", model:predict{{"b", "c"}, verbose = 0}, {{2}, {0}})
    lookup:set_vocabulary{"c", "b", "a"}
    check("after", model:predict{{"b", "c"}, verbose = 0}, {{2}, {1}})
  end)
end)

describe("a model of mixed columns", function()
  local function mixed()
    local city = cusp.Input{shape = {1}, dtype = "string", name = "city"}
    local age = cusp.Input{shape = {1}, name = "age"}
    local codes = layers.StringLookup{vocabulary = {"paris", "rome"}, output_mode = "one_hot"}(city)
    local model = cusp.Model{inputs = {city = city, age = age},
      outputs = layers.Dense(1)(layers.Concatenate(){codes, age})}
    model:compile{optimizer = cusp.optimizers.SGD(0.01), loss = "mse"}
    return model
  end
  local columns = {city = {"paris", "rome", "x"}, age = {1, 2, 3}}

  it("takes them by name, from tables and datasets", function()
    local model, place <close> = mixed(), folder.new()
    model:fit{columns, {1, 2, 3}, epochs = 2, verbose = 0}
    model:fit{Dataset.from_tensor_slices{columns, {1, 2, 3}}:batch(2), epochs = 2, verbose = 0}
    local path = place.path .. "/table.csv"
    local file <close> = assert(io.open(path, "w"))
    file:write "city,age,price\nparis,1,10\nrome,2,20\noslo,3,30\n"
    file:close()
    model:fit{cusp.data.from_csv(path, {label_name = "price"}):batch(2), epochs = 2, verbose = 0}
    assert.same({3, 1}, {table.unpack(model:predict{columns, verbose = 0}.shape)})
  end)

  it("says what does not fit", function()
    local model = mixed()
    raises(function() model:predict{{city = {1, 2}, age = {1, 2}}, verbose = 0} end,
      "the input 'city' should be of dtype string, got int32")
    raises(function() model:predict{{city = {"a"}, age = {"b"}}, verbose = 0} end,
      "the input 'age' should be of dtype float32, got string")
    raises(function() model:fit{columns, {"a", "b", "c"}, verbose = 0} end,
      "y should be numbers, got strings", "StringLookup")
    local lookup = layers.StringLookup{vocabulary = {"a"}, num_oov_indices = 0}
    local x = cusp.Input{1, dtype = "string"}
    local strict = cusp.Model{inputs = x, outputs = lookup(x)}
    raises(function() strict:predict{{"a", "zz"}, verbose = 0} end, "num_oov_indices = 0", '"zz"')
    raises(function() lookup{"zz"} end, "num_oov_indices = 0", "zz")
  end)

  it("gives strings back with invert", function()
    local x = cusp.Input{shape = {2}, dtype = "int64"}
    local back = layers.StringLookup{vocabulary = {"a", "b"}, invert = true, mask_token = "-"}
    local model = cusp.Model{inputs = x, outputs = back(x)}
    assert.equal("string", model.output.dtype)
    assert.same({{"-", "a"}, {"[UNK]", "b"}},
      model:predict{cusp.tensor{{0, 2}, {9, 3}}, verbose = 0}:tolist())
    assert.same({{"-", "b"}}, back{{0, 3}})
  end)
end)
