--- Wrong arguments of public functions give an error in the library's words, at the caller's line.
-- Found by scripts/fuzz/calls.lua.
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops
local x = cusp.ones{2, 3}

local cycle = {}
cycle[1], cycle.a = cycle, cycle
local list = {}
list[1] = list

local cases = {
  {"a layer without inputs", "called without inputs", function() layers.Dense(1)() end},
  {"a layer of false", "called without inputs", function() layers.Dropout(0.5)(false) end},
  {"a layer of a file", "expected a tensor", function() layers.Multiply()(io.stdout) end},
  {"a layer of a table by name", "cannot be called on inputs of shape {a = %[2, 3%]}",
    function() layers.Embedding(2, 2)({a = x}) end},
  {"a layer of a table that contains itself", "contains itself", function()
    layers.UpSampling1D()(cycle)
  end},
  {"an operation of a table that contains itself", "contains itself", function()
    ops.add(cusp.Input{3}, list)
  end},
  {"a cell without states", "states after the inputs", function() layers.GRUCell(3)(x) end},
  {"attention of one tensor", "expected a list of tensors", function()
    layers.AdditiveAttention()(x)
  end},
  {"build without a shape", "Dense.build: expected the shape of the inputs", function()
    layers.Dense(2):build()
  end},
  {"build of too few axes", "expected 4 axes", function() layers.Conv2D(2, 2):build{} end},
  {"compute_output_shape of a tensor", "Conv1D.compute_output_shape: expected the shape",
    function() layers.Conv1D(2, 2):compute_output_shape(cusp.Input{3}) end},
  {"compute_output_shape of too few axes", "axes", function()
    layers.Cropping2D():compute_output_shape{}
  end},
  {"compute_mask of a number", "expected a mask", function()
    layers.Multiply():compute_mask(nil, 1)
  end},
  {"build_from_config of nil", "build_from_config: expected a table", function()
    layers.MaxPooling2D():build_from_config()
  end},
  {"from_config of nil", "configuration should be a table", function()
    layers.TextVectorization:from_config()
  end},
  {"extend with a config that is none", "list of parameters", function()
    layers.Dense:extend("Wrong", {config = 1})
  end},
  {"serialize of a table that contains itself", "contains itself", function()
    cusp.constraints.serialize(cycle)
  end},
  {"deserialize of a table that contains itself", "contains itself", function()
    cusp.layers.deserialize(cycle)
  end},
  {"a tensor of a layer", "got a table with keys", function() cusp.tensor(layers.Dense(2)) end},
  {"a loss of a layer", "got a table with keys", function()
    cusp.losses.mse(layers.Dense(2), 1)
  end},
  {"a list of tensors that is a number", "should be a list of tensors", function()
    ops.ifft2(1)
  end},
  {"an optimizer built for a number", "SGD.build: expected a list of variables", function()
    cusp.optimizers.SGD():build(1)
  end},
  {"an optimizer built for numbers", "item 2 should be a variable",
    function() cusp.optimizers.SGD():build{cusp.Variable(x), 1} end},
  {"gradients that are no pairs", "expected a list of pairs", function()
    cusp.optimizers.Adam():apply_gradients()
  end},
  {"gradients by name", "gradients should be a list", function()
    cusp.optimizers.Adam():apply({a = x}, {cusp.Variable(x)})
  end},
  {"weights that are no list", "expected a list of tensors", function()
    cusp.optimizers.Adam():set_weights()
  end},
  {"a penalty of nil", "expected a tensor", function() cusp.regularizers.L1L2()() end},
  {"the base of regularizers", "needs call", function() cusp.Regularizer()(x) end},
  {"the base of initializers", "needs call", function() cusp.Initializer(){2} end},
  {"the state of random numbers", "the result of get_state", function()
    cusp.random.set_state{}
  end},
  {"thresholds that are true", "thresholds should be a number or a list", function()
    cusp.metrics.Recall(true)
  end},
  {"more thresholds than can be", "at most", function() cusp.metrics.AUC(2 ^ 40 | 0) end},
  {"a result before the first batch", "call update_state before", function()
    cusp.metrics.F1Score():result()
  end},
  {"the name of nil", "expected a class or a function", function()
    cusp.utils.get_registered_name()
  end},
  {"options of JSON", "options should be a table", function() cusp.json.encode({}, 1) end},
  {"an indent of JSON", "indent should be", function() cusp.json.encode({}, {indent = -0.5}) end},
  {"an object of JSON", "expected a table", function() cusp.json.object(1) end},
  {"options of YAML", "options should be a table", function() cusp.yaml.encode({}, 1) end},
  {"a tuple of YAML", "expected a list", function() cusp.yaml.tuple() end},
  {"what a tape does not record", "expects a function", function()
    cusp.GradientTape():stop_recording()
  end},
  {"a function of a dataset", "expected a function", function()
    cusp.data.Dataset.range(3):apply(1)
  end},
  {"an element that contains itself", "contains itself", function()
    cusp.data.Dataset.from_tensors{a = cycle}
  end},
  {"options of HDF5", "options should be a table", function() cusp.hdf5.open("a", 1) end},
  {"options of zip", "options should be a table", function() cusp.zip.open("a", 1) end},
  {"the jacobian of nothing", "target 1 should be a tensor", function()
    cusp.GradientTape():jacobian()
  end},
  {"the source of a jacobian", "source 1 should be a tensor or a variable", function()
    cusp.GradientTape():jacobian(cusp.zeros{0, 3}, 1)
  end},
  {"the source of a batch jacobian", "source 1 should be a tensor or a variable", function()
    cusp.GradientTape():batch_jacobian(x, {})
  end},
  {"features of an example", "features should be a table by name", function()
    cusp.data.parse_example ""
  end},
  {"a feature of an example", "'a' should be a FixedLenFeature", function()
    cusp.data.parse_example("", {a = 1})
  end},
  {"datasets that contain themselves", "contains itself", function()
    cusp.data.Dataset.zip(cycle)
  end},
  {"features without names", "names of features should be strings", function()
    cusp.tfrecord.encode_example{1, a = 2}
  end},
  {"the axis of a loss", "axis 3 is out of range", function()
    cusp.losses.sparse_categorical_crossentropy({1}, {{0.5, 0.5}}, false, nil, 3)
  end},
  {"the shape of an Input", "expected a table of sizes", function() cusp.shape(cusp.Input{3}) end},
  {"shapes in place of a shape", "should have a known size", function()
    layers.GroupNormalization():build{{2}, {3}}
  end},
  {"texts that contain themselves", "contains itself", function()
    layers.TextVectorization():update_state(cycle)
  end},
  {"a table of very many empty lists", "too large for a Lua table", function()
    cusp.zeros({2 ^ 40 | 0, 0}):tolist()
  end},
  {"empty lists past counting", "too large for a Lua table", function()
    cusp.zeros({2 ^ 40 | 0, 2 ^ 20 | 0, 0}):flat()
  end},
  {"vectors of very many components", "2 or 3 components", function()
    cusp.ops.cross(cusp.ones{0, 2 ^ 53 | 0}, cusp.ones{3, 3})
  end},
  {"no thresholds for a class of a user's", "num_thresholds should be a number", function()
    cusp.metrics.AUC:extend "Area"{cusp.null}
  end},
  {"a range up to an Input", "range: expected integers", function()
    cusp.data.Dataset.range(cusp.Input{3})
  end},
  {"a summary of endless lines", "line_length", function()
    cusp.Sequential{layers.Dense(1)}:summary(math.maxinteger)
  end},
}

describe("wrong arguments are named:", function()
  for _, case in ipairs(cases) do
    it(case[1], function()
      local ok, message = pcall(case[3])
      assert.is_false(ok)
      assert.matches(case[2], message)
      assert.matches("wrong_arguments_spec.lua:%d+:", message)
    end)
  end
end)

describe("after a wrong argument", function()
  it("very many empty lists are printed in short", function()
    local text = tostring(cusp.zeros{2 ^ 40 | 0, 0})
    assert.matches("...", text, 1, true)
    assert.is_true(#text < 200)
  end)

  it("random numbers go on", function()
    pcall(cusp.random.set_state, {})
    assert.same({2}, cusp.random.uniform({2}).shape)
    assert.is_number(cusp.random.make_seed())
  end)
end)
