-- Situations in which Keras raises, warns or stays silent: Cusp does the same, with a message that
-- names the fault.
local cases = require "spec.support.cases"
local cusp = require "cusp"
local files = require("cusp.engine").files
local warnings = require "cusp.base.warnings"
local callbacks, layers = cusp.callbacks, cusp.layers

local folder = os.tmpname()
os.remove(folder)

local function path(name) return folder .. "/" .. name end

local function read(name)
  local file = assert(io.open(path(name), "rb"))
  local text = file:read "a"
  file:close()
  return text
end

local function write(name, text)
  local file = assert(io.open(path(name), "wb"))
  file:write(text)
  file:close()
end

local function truncate(name, size) write(name, read(name):sub(1, size)) end

---------------------------------------------------------------- models

local x5, y3 = cusp.random.normal{8, 5}, cusp.ops.one_hot(cusp.tensor{0, 1, 2, 0, 1, 2, 0, 1}, 3)

local function small(sizes, inputs)
  local list = {cusp.Input{inputs or 5}}
  for i, size in ipairs(sizes) do list[i + 1] = layers.Dense{size, name = "d" .. i - 1} end
  return cusp.Sequential(list)
end

local function tiny()
  local model = cusp.Sequential{
    cusp.Input{5}, layers.Dense{6, activation = "tanh", name = "dense_a"},
    layers.Dense{3, activation = "softmax", name = "dense_b"},
  }
  model:compile{optimizer = "sgd", loss = "categorical_crossentropy", metrics = {"accuracy"}}
  return model
end

local function functional()
  local inputs = cusp.Input{72, name = "input_layer"}
  return cusp.Model{inputs, layers.Dense{10, name = "dense"}(inputs)}
end

local Never = cusp.Model:extend "NeverCalled"
function Never:init(args)
  cusp.Model.init(self, args)
  self.dense = layers.Dense{3}
end
function Never:call(inputs) return self.dense(inputs) end

local function odd_model()
  local Odd = layers.Layer:extend "Odd"
  function Odd:call(inputs) return inputs end
  local model = cusp.Sequential{cusp.Input{5}, layers.Dense{3}, Odd()}
  model:compile{optimizer = "sgd", loss = "mse"}
  return model
end

-- The class is found by its name in the program that made it; here another class takes the name.
local function forget_odd()
  require("cusp.base.class").classes.Odd = nil
end

local function multi_output()
  local inputs = cusp.Input{5, name = "numbers"}
  return cusp.Model{inputs,
    {layers.Dense{1, name = "price"}(inputs), layers.Dense{2, name = "kind"}(inputs)}}
end

local function fit(options)
  options[1], options[2] = options[1] or x5, options[2] or y3
  options.verbose = 0
  tiny():fit(options)
end

---------------------------------------------------------------- what is done, and what is said

local said = {}

said["fit with EarlyStopping(monitor='val_loss') and no validation data"] = {
  function() fit{callbacks = {callbacks.EarlyStopping{patience = 2}}} end,
  warning =
  "Early stopping conditioned on metric `val_loss` which is not available. Available metrics are: "
  .. "loss,accuracy",
}
said["fit with ModelCheckpoint(save_best_only=True, monitor='val_loss') and no validation data"] = {
  function()
    fit{callbacks = {callbacks.ModelCheckpoint{path "w.weights.h5", save_best_only = true,
      save_weights_only = true}}}
  end,
  warning = "Can save best model only with val_loss available",
}
said["fit with ReduceLROnPlateau(monitor='val_loss') and no validation data"] = {
  function() fit{callbacks = {callbacks.ReduceLROnPlateau()}} end,
  warning =
  "Learning rate reduction is conditioned on metric `val_loss` which is not available. Available "
  .. "metrics are: "
    .. "loss,accuracy,learning_rate.",
}
said["EarlyStopping(mode='sideways')"] = {
  function() callbacks.EarlyStopping{mode = "sideways"} end,
  warning = "EarlyStopping mode 'sideways' is unknown, fallback to auto mode.",
}

local function load_other(saved, loaded, options)
  return function()
    small(saved):save_weights(path "w.weights.h5")
    small(loaded):load_weights{path "w.weights.h5", skip_mismatch = options}
  end
end
said["load_weights from .h5 (saved by a Dense(3) on 5 inputs) into a Dense(4)"] = {load_other({3},
  {4}), error = "[5, 4]"}
said["load_weights from .h5 saved with 1 layer into a model of 2 layers"] = {load_other({3},
  {3, 2}), error = "d1"}
said["load_weights from .h5 saved with 2 layers into a model of 1 layer"] = {load_other({3, 2},
  {3})}
said["load_weights from .h5 of a wrong shape, by_name=True, skip_mismatch=True (tf.keras) "
  .. "/ skip_mismatch=True (Keras 3)"] = {
  load_other({3}, {4}, true), warning = "[5, 4]",
}

local function odd_file(name)
  return function()
    odd_model():save(path(name))
    forget_odd()
    cusp.models.load_model(path(name))
  end
end
said["load_model of an .h5 whose model has a layer of an unknown class Odd"] = {odd_file "odd.h5",
  error = "Odd"}
said["load_model of a .keras file whose model has a layer of an unknown class Odd"] =
  {odd_file "odd.keras", error = "Odd"}
said["model_from_json of a model with a layer of an unknown class Odd"] = {
  function()
    local text = odd_model():to_json()
    forget_odd()
    cusp.models.model_from_json(text)
  end, error = "Odd",
}
said["load_model of an .h5 file that holds weights only"] = {
  function()
    small({3}):save_weights(path "only.weights.h5")
    cusp.models.load_model(path "only.weights.h5")
  end, error = "only.weights.h5",
}
said["load_model of an uncompiled model's .h5"] = {
  function()
    small({3}):save(path "plain.h5")
    cusp.models.load_model(path "plain.h5")
  end, warning = "compile",
}

local function cut(name, size, save, load)
  return function()
    save(path(name))
    truncate(name, size or #read(name) // 2)
    load(path(name))
  end
end
local function save_tiny(to) tiny():save(to) end
said["load_model of a truncated .h5 (half of its bytes)"] = {cut("t.h5", nil, save_tiny,
  cusp.models.load_model), error = "t.h5"}
said["load_weights of a truncated .h5 (100 bytes)"] = {
  cut("cut.weights.h5", 100, function(to)
    small({3}):save_weights(to)
  end, function(from) small({3}):load_weights(from) end),
  error = "cut.weights.h5",
}
said["load_model of a truncated .keras file (half of its bytes)"] = {
  cut("t.keras", nil, save_tiny, cusp.models.load_model), error = "t.keras",
}
said["load_model of an .h5 file that is not HDF5"] = {
  function()
    write("bad.h5", ("not an HDF5 file\n"):rep(20))
    cusp.models.load_model(path "bad.h5")
  end, error = "bad.h5",
}
said["load_model of an .h5 file that does not exist"] = {
  function() cusp.models.load_model(path "missing.h5") end, error = "missing.h5",
}
said["load_model of a .keras file that does not exist"] = {
  function() cusp.models.load_model(path "missing.keras") end, error = "missing.keras",
}
said["save under a name with an unknown extension"] = {function()
  small({3}):save(path "model.xyz")
end, error = "model.xyz"}
said["save of a subclassed model as .h5"] = {
  function()
    local model = Never()
    model(x5)
    model:save(path "sub.h5")
  end, any = true,
}
said["save_weights of a subclassed model that was never called"] = {
  function() Never():save_weights(path "never.weights.h5") end, any = true,
}
said["predict of a subclassed model that was never called or compiled"] = {function()
  Never():predict{x5, verbose = 0}
end}
said["summary of a Sequential without an input shape"] = {any = true}
said["summary of a subclassed model that was never called"] = {any = true}
said["weights of a Sequential without an input shape"] = {function()
  return cusp.Sequential({layers.Dense{3}}).weights
end}
said["get_weights then set_weights on an unbuilt Sequential"] = {
  function()
    cusp.Sequential({layers.Dense{3}}):set_weights{cusp.zeros{5, 3}, cusp.zeros{3}}
  end, error = "0 weights",
}
said["predict of a Sequential without layers"] = {function()
  cusp.Sequential({}):predict{x5, verbose = 0}
end, error = "no layers"}
said["fit of a model that was not compiled"] = {function()
  small({3}):fit{x5, y3, verbose = 0}
end, error = "compile"}
said["evaluate of a model that was not compiled"] = {function()
  small({3}):evaluate{x5, y3, verbose = 0}
end, error = "compile"}

said["a Dense layer built for 5 inputs called with 6"] = {
  function()
    local dense = layers.Dense{3, name = "dense"}
    dense(x5)
    dense(cusp.zeros{2, 6})
  end, error = "dense",
}
said["predict with a wrong last axis (functional model of 72 inputs given 70)"] = {
  function() functional():predict{cusp.zeros{4, 70}, verbose = 0} end, error = "70",
}
said["fit with a wrong last axis (functional model of 72 inputs given 70)"] = {
  function()
    local model = functional()
    model:compile{optimizer = "sgd", loss = "mse"}
    model:fit{cusp.zeros{4, 70}, cusp.zeros{4, 10}, verbose = 0}
  end, error = "70",
}
said["fit of a Sequential of 5 inputs given 6"] = {
  function() tiny():fit{cusp.zeros{4, 6}, y3:slice{{1, 4}}, verbose = 0} end, error = "6",
}
said["fit with targets of a wrong last axis (3 classes given 4)"] = {function()
  fit{x5, cusp.zeros{8, 4}}
end, error = "4"}
said["fit with 8 rows of x and 7 of y"] = {function() fit{x5, y3:slice{{1, 7}}} end, error = "7"}
said["fit with no targets"] = {function() tiny():fit{x5, verbose = 0} end, error = "target"}
said["a Conv2D given a tensor of rank 2"] = {function()
  layers.Conv2D{2, 3, name = "conv2d"}(x5)
end, error = "conv2d"}
said["a Conv2D with a kernel larger than its input"] = {
  function()
    return cusp.Sequential{cusp.Input{2, 2, 1}, layers.Conv2D{2, 3, name = "conv2d"}}.weights
  end, error = "conv2d",
}
said["an LSTM given a tensor of rank 2"] = {function()
  layers.LSTM{2, name = "lstm"}(x5)
end, error = "lstm"}
said["Add of tensors of shapes (None, 3) and (None, 4)"] = {
  function() layers.Add{name = "add"}{cusp.Input{3}, cusp.Input{4}} end, error = "add",
}
said["Concatenate on the last axis of shapes (None, 3, 2) and (None, 4, 2)"] = {
  function()
    layers.Concatenate{name = "concat"}{cusp.Input{3, 2}, cusp.Input{4, 2}}
  end, error = "concat",
}
said["Concatenate of a single tensor"] = {function()
  layers.Concatenate{name = "concat"}(cusp.Input{3})
end, error = "concat"}
said["Reshape of (None, 6) to (4,)"] = {
  function()
    cusp.Sequential({cusp.Input{6}, layers.Reshape{{4}, name = "reshape"}}):predict{cusp.zeros{2,
      6}, verbose = 0}
  end, error = "reshape",
}

said["Dense(-1)"] = {function() layers.Dense(-1) end, error = "units"}
said["Dense('ten')"] = {function() layers.Dense "ten" end, error = "units"}
said["Dropout(2)"] = {function() layers.Dropout(2) end, error = "rate"}
said["Dense with an unknown activation"] = {function()
  layers.Dense{3, activation = "relux"}
end, error = "relux"}
said["Dense with an unknown initializer"] = {function()
  layers.Dense{3, kernel_initializer = "glorot"}
end, error = "glorot"}
said["Dense with an unknown regularizer"] = {function()
  layers.Dense{3, kernel_regularizer = "l3"}
end, error = "l3"}
said["Dense with an unknown constraint"] = {function()
  layers.Dense{3, kernel_constraint = "small"}
end, error = "small"}
said["Dense with an unknown keyword argument"] = {function()
  layers.Dense{3, colour = "red"}
end, error = "colour"}

local function compiled(options)
  return function()
    local model = small{3}
    model:compile(options)
    model:fit{x5, y3, verbose = 0}
  end
end
said["compile with an unknown optimizer"] = {compiled{optimizer = "adamm", loss = "mse"},
  error = "adam"}
said["compile and fit with an unknown loss"] = {compiled{optimizer = "sgd", loss = "msee"},
  error = "msee"}
said["compile and fit with an unknown metric"] = {
  compiled{optimizer = "sgd", loss = "mse", metrics = {"acuracy"}}, error = "acuracy",
}
said["compile and fit with a loss for an unknown output name"] = {
  function()
    local model = multi_output()
    model:compile{optimizer = "sgd", loss = {price = "mse", colour = "mse"}}
    model:fit{x5, {price = cusp.zeros{8, 1}, kind = cusp.zeros{8, 2}}, verbose = 0}
  end, error = "colour",
}
said["SGD(learning_rate=0.1, speed=2)"] = {function()
  cusp.optimizers.SGD{learning_rate = 0.1, speed = 2}
end, error = "speed"}
said["a model of two inputs given one"] = {
  function()
    local a, b = cusp.Input{6, name = "numbers"}, cusp.Input{3, name = "more_numbers"}
    cusp.Model({{a, b}, layers.Concatenate(){a, b}}):predict{cusp.zeros{2, 6}, verbose = 0}
  end, error = "2 inputs",
}
said["Model whose output does not depend on its input"] = {
  function()
    local a, b = cusp.Input{3, name = "a"}, cusp.Input{3, name = "b"}
    return cusp.Model{a, layers.Dense{2, name = "dense"}(b)}
  end, error = "name=b",
}
said["two layers of one name in a functional model"] = {
  function()
    local a = cusp.Input{3, name = "a"}
    return cusp.Model{a, layers.Dense{2, name = "same"}(layers.Dense{2, name = "same"}(a))}
  end, error = "same",
}
said["two layers of one name in a Sequential"] = {
  function()
    return cusp.Sequential{layers.Dense{2, name = "same"}, layers.Dense{2, name = "same"}}
  end, error = "same",
}
said["adding to a Sequential something that is not a layer"] = {function()
  cusp.Sequential():add "dense"
end, error = "dense"}
said["Model(inputs) where inputs is an array"] = {
  function() return cusp.Model{cusp.zeros{2, 3}, cusp.zeros{2, 3}} end, error = "Input",
}
said["get_layer of an unknown name"] = {function() small({3}):get_layer "d9" end, error = "d0"}
said["get_layer of an index past the end"] = {function()
  small({3}):get_layer{index = 9}
end, error = "9"}
said["set_weights with 1 array where 2 are wanted"] = {function()
  small({3}):set_weights{cusp.zeros{5, 3}}
end, error = "2"}
said["set_weights with an array of a wrong shape"] = {
  function() small({3}):set_weights{cusp.zeros{5, 4}, cusp.zeros{3}} end, error = "[5, 4]",
}
said["layer.set_weights with an array of a wrong shape"] = {
  function()
    small({3}).layers[1]:set_weights{cusp.zeros{5, 4}, cusp.zeros{3}}
  end, error = "[5, 4]",
}

-- Where Keras 3 computes with missing data, tf.keras refuses, and so do we.
said["fit with sparse labels out of range"] = {
  function()
    local model = small{3}
    model:compile{optimizer = "sgd", loss = "sparse_categorical_crossentropy"}
    model:fit{x5, cusp.full({8}, 7), verbose = 0}
  end, error = "7",
}
said["Embedding(4, 2) given the index 9"] = {
  function()
    cusp.Sequential({cusp.Input{1, dtype = "int32"}, layers.Embedding{4, 2, name = "embedding"}})
      :predict{cusp.tensor{{9}}, verbose = 0}
  end, any = true,
}
said["fit with validation_split=1.5"] = {function()
  fit{validation_split = 1.5}
end, error = "validation_split"}
said["fit with class_weight that lacks a class"] = {function()
  fit{class_weight = {[0] = 1.0, [1] = 2.0}}
end, any = true}
said["fit with class_weight and sample_weight together"] = {
  function()
    fit{class_weight = {[0] = 1.0, [1] = 2.0, [2] = 1.0}, sample_weight = cusp.ones{8}}
  end, error = "sample_weight",
}
said["fit with sample_weight of a wrong length"] = {function()
  fit{sample_weight = cusp.ones{7}}
end, error = "sample_weight"}
said["fit with no rows"] = {function() fit{cusp.zeros{0, 5}, cusp.zeros{0, 3}} end, error = "empty"}
said["fit where epochs is 2 and steps_per_epoch asks for more batches than there are"] = {
  function()
    fit{epochs = 2, steps_per_epoch = 5, batch_size = 4}
  end, warning = "(in this case, 10 batches)",
}
said["to_json of a layer whose argument is an object and that has no get_config"] = {
  function()
    local Holder = layers.Layer:extend "Holder"
    function Holder:init(args)
      self.thing = args.thing
      layers.Layer.init(self, args)
    end
    function Holder:call(inputs) return inputs end
    local thing = setmetatable({}, {__name = "thing"})
    cusp.Sequential({cusp.Input{5}, Holder{thing = thing}}):to_json()
  end, error = "Holder",
}
said["model_from_json of text that is not JSON"] = {function()
  cusp.models.model_from_json "{not json"
end, error = "json"}
said["model_from_json of a config without class_name"] = {
  function() cusp.models.model_from_json '{"config": {}}' end, error = "class_name",
}
-- The TensorFlow backend of Keras 3 warns, too.
said["training with no trainable weights (all layers frozen)"] = {
  function()
    local model = small{3}
    for _, layer in ipairs(model.layers) do layer.trainable = false end
    model:compile{optimizer = "sgd", loss = "mse"}
    model:fit{x5, y3, verbose = 0}
  end, warning = "no trainable weights",
}
said["fit of a loss that does not reach one layer's weights"] = {
  function()
    local a = cusp.Input{5, name = "a"}
    local model = cusp.Model{a,
      {layers.Dense{3, name = "used"}(a), layers.Dense{2, name = "unused"}(a)}}
    model:compile{optimizer = "sgd", loss = {"mse", false}}
    model:fit{x5, {y3, cusp.zeros{8, 2}}, verbose = 0}
  end, warning = "unused/kernel",
}

said["load_weights from legacy .h5 (save_format='h5') of a wrong shape"] = {
  function()
    small({3}):save_weights(path "legacy.h5")
    small({4}):load_weights(path "legacy.h5")
  end, error = "[5, 4]",
}
said["load_weights from legacy .h5 saved with 1 layer into a model of 2 layers"] = {
  function()
    small({3}):save_weights(path "legacy.h5")
    small({3, 2}):load_weights(path "legacy.h5")
  end, error = "layers",
}
said["load_weights from a TF checkpoint of a wrong shape"] = {
  function()
    small({3}):save_weights(path "ck")
    small({4}):load_weights(path "ck")
  end, error = "[5, 4]",
}
local function uncompiled_from_compiled()
  local model = tiny()
  model:fit{x5, y3, verbose = 0}
  model:save_weights(path "ck")
  return small({6, 3}):load_weights(path "ck")
end
said["load_weights from a TF checkpoint with optimizer state into an uncompiled model, "
  .. "objects left over when the program ends"] = {
  function() uncompiled_from_compiled() end, warning = "(root).optimizer._iterations",
}
said["assert_consumed() on load_weights of a TF checkpoint with optimizer state "
  .. "into an uncompiled model"] = {
  function() uncompiled_from_compiled():assert_consumed() end, error = "optimizer",
}
said["load_weights from a TF checkpoint that does not exist"] = {
  function() small({3}):load_weights(path "no_such_checkpoint") end, error = "no_such_checkpoint",
}
said["load_weights from a TF checkpoint whose .index file is truncated"] = {
  function()
    small({3}):save_weights(path "ck2")
    truncate("ck2.index", 40)
    small({3}):load_weights(path "ck2")
  end, error = "ck2.index",
}
local data_file = ".data-00000-of-00001"
said["load_weights from a TF checkpoint whose data file is truncated"] = {
  function()
    small({3}):save_weights(path "ck3")
    truncate("ck3" .. data_file, 50)
    small({3}):load_weights(path "ck3")
  end, error = "ck3",
}
said["load_weights from a TF checkpoint with one flipped byte in the kernel's data"] = {
  function()
    small({3}):save_weights(path "ck4")
    local text = read("ck4" .. data_file)
    write("ck4" .. data_file, text:sub(1, 20) .. string.char(text:byte(21) ~ 255) .. text:sub(22))
    small({3}):load_weights(path "ck4")
  end, error = "ck4",
}
-- YAML is read without running code here, so it is supported; and names may be Unicode.
said["model.to_yaml()"] = {function() small({3}):to_yaml() end}
said["model_from_yaml(text)"] = {function()
  cusp.models.model_from_yaml "backend: tensorflow\n"
end, error = "class_name"}
said["save of a model with layer names that TensorFlow refuses (non-ASCII)"] = {
  function()
    cusp.Sequential({cusp.Input{5}, layers.Dense{3, name = "隐藏层_é"}}):save(path "names.keras")
  end,
}

---------------------------------------------------------------- the comparison

-- The behaviour of a version of Keras: "error", "warning", "nothing"; nil if it lacks the
-- situation.
local function reaction(entries)
  if not entries then return nil end
  local result = "nothing"
  for _, entry in ipairs(entries) do
    if entry.type:find "Error$" or entry.type == "StopIteration" then return "error" end
    if entry.type:find "Warning$" or entry.type:find "WARNING$" then result = "warning" end
  end
  return result
end

local function ours(entry)
  if entry.any then return nil end
  return entry.error and "error" or entry.warning and "warning" or "nothing"
end

-- Intended differences.
local agreed = {
  ["model.to_yaml()"] = true, ["model_from_yaml(text)"] = true,
  ["save under a name with an unknown extension"] = true,
  ["save of a model with layer names that TensorFlow refuses (non-ASCII)"] = true,
  ["fit with validation_split=1.5"] = true,
  ["training with no trainable weights (all layers frozen)"] = true,
}

local function contains(list, text)
  for _, item in ipairs(list) do
    if item:find(text, 1, true) then return true end
  end
  return false
end

describe("where Keras refuses or warns:", function()
  setup(function() files.make_directories(folder) end)
  teardown(function()
    for _, name in ipairs(files.list(folder)) do files.remove(path(name)) end
    files.remove(folder)
  end)

  for _, situation in ipairs(cases.read "callbacks/situations.json.gz") do
    local name = situation.situation
    it(name, function()
      local entry = said[name]
      assert(entry, "the situation is not covered")
      local k3, tf2, here = reaction(situation.k3), reaction(situation.tf2), ours(entry)
      if here and not agreed[name] then
        assert(here == k3 or here == tf2,
          ("Keras 3: %s, tf.keras: %s, here: %s"):format(k3, tf2, here))
      end
      if not entry[1] then return end
      local ok, message
      local list = warnings.collect(function()
        ok, message = pcall(entry[1])
        -- A checkpoint's status reports when it is collected.
        collectgarbage()
        collectgarbage()
      end)
      if entry.error then
        assert.is_false(ok, "should have been refused")
        assert(tostring(message):find(entry.error, 1, true), message)
      elseif not entry.any then
        assert(ok, message)
        if entry.warning then
          assert(contains(list, entry.warning),
            "no such warning among: " .. table.concat(list, "; "))
        else
          assert.are.same({}, list)
        end
      end
    end)
  end
end)
