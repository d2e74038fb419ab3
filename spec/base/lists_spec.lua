local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops

local function raises(text, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.is_truthy(message:find(text, 1, true), message)
end

-- A list of a class, like Penlight's List.
local List = {append = function(self, item) self[#self + 1] = item end}
List.__index = List
local function list(...) return setmetatable({...}, List) end

describe("a list of a class", function()
  local function block_model(blocks)
    local class = cusp.Model:extend("ListOfBlocks", {
      init = function(self, args)
        cusp.Model.init(self, args)
        self.blocks = blocks
      end,
      call = function(self, x)
        for _, block in pairs(self.blocks) do x = block(x) end
        return x
      end,
    })
    return class()
  end

  it("holds layers that are trained and saved", function()
    local blocks = list(layers.Dense(2))
    blocks:append(layers.Dense(1))
    local model = block_model(blocks)
    model(cusp.ones{1, 3})
    assert.are.equal(4, #model.trainable_weights)
    local before = blocks[2].kernel.value:tolist()
    model:compile{loss = "mse", optimizer = cusp.optimizers.SGD(0.1)}
    model:fit{cusp.ones{4, 3}, cusp.ones{4, 1}, verbose = 0}
    assert.are_not.same(before, blocks[2].kernel.value:tolist())
  end)

  local kinds_of_lists = {
    ["a list of a class"] = function() return list(layers.Dense(2), layers.Dense(3)) end,
    ["a map of a class"] = function() return setmetatable({a = layers.Dense(2)}, List) end,
    ["a table by number with gaps"] = function()
      return {[0] = layers.Dense(2), [2] = layers.Dense(2), [5] = layers.Dense(2)}
    end,
  }
  for what, make in pairs(kinds_of_lists) do
    it("is saved and loaded: " .. what, function()
      local folder <close> = require("spec.support.folder").new()
      for _, name in ipairs{"w.weights.h5", "checkpoint"} do
        local saved, loaded = block_model(make()), block_model(make())
        loaded(cusp.ones{1, 2})
        saved(cusp.ones{1, 2})
        saved:save_weights(folder.path .. "/" .. name)
        loaded:load_weights(folder.path .. "/" .. name)
        assert.is_true(#saved.weights >= 2)
        for i, weight in ipairs(saved.weights) do
          assert.are.same(weight.value:tolist(), loaded.weights[i].value:tolist())
        end
      end
    end)
  end

  it("has a form in files of configurations", function()
    assert.are.equal('{"a": [1, 2]}', cusp.json.encode{a = list(1, 2)})
    assert.are.same({1, 2}, layers.Reshape(list(1, 2)):get_config().target_shape)
  end)

  it("is tracked as a map of layers, too, but not where it is another object", function()
    local Holder = layers.Layer:extend("ListHolder", {call = function(_, x) return x end})
    local holder = Holder()
    holder.map = setmetatable({a = layers.Dense(1), b = layers.Dense(1)}, List)
    holder.object = setmetatable({owner = holder, name = "x"}, List)
    assert.are.equal(2, #holder:sublayers())
  end)

  it("is a list wherever one is taken", function()
    local a = cusp.ones{2, 2}
    assert.are.equal(2, #cusp.Sequential(list(layers.Dense(1), layers.Dense(1))).layers)
    assert.are.equal(2, #cusp.Sequential{list(layers.Dense(1), layers.Dense(1)),
      name = "listed"}.layers)
    assert.are.same({{2, 2}, {2, 2}}, layers.Add()(list(a, a)):tolist())
    assert.are.same({4, 2}, ops.concatenate(list(a, a), 1).shape)
    assert.are.same({1, 2}, cusp.tensor(list(1, 2)):tolist())
    assert.are.same({4}, ops.reshape(a, list(4)).shape)
    assert.are.same({cusp.None, 2, 3}, cusp.Input(list(2, 3)).shape)
    assert.are.same({2, 1}, layers.MaxPooling2D(list(2, 1)).pool_size)
    local x, y = cusp.Input{2}, cusp.Input{2}
    local model = cusp.Model{inputs = list(x, y), outputs = layers.Add()(list(x, y))}
    assert.are.same({{2, 2}, {2, 2}}, model(list(a, a)):tolist())
    local ran = 0
    local callback = cusp.callbacks.LambdaCallback{on_epoch_end = function() ran = ran + 1 end}
    local dense = cusp.Sequential{layers.Dense(1)}
    dense:compile{loss = "mse", metrics = list("mae")}
    local history = dense:fit{a, cusp.ones{2, 1}, verbose = 0, callbacks = list(callback)}
    assert.are.equal(1, ran)
    assert.is_truthy(history.history.mae)
  end)
end)

describe("a list with a hole", function()
  local a = cusp.ones{2, 2}
  local dense = cusp.Sequential{layers.Dense(1)}
  dense:compile{loss = "mse"}
  dense(a)
  local callback = cusp.callbacks.LambdaCallback{}
  local cases = {
    Sequential = {3, function()
      return cusp.Sequential{cusp.Input{3}, layers.Dense(4), nil, layers.Dense(1)}
    end},
    Add = {2, function() return layers.Add(){a, nil, a} end},
    tensor = {2, function() return cusp.tensor{1, nil, 3} end},
    ["tensor of lists"] = {2, function() return cusp.tensor{{1, 2}, nil, {3, 4}} end},
    ["tensor that begins with nil"] = {1, function() return cusp.tensor{nil, 2} end},
    ["operand"] = {2, function() return a + {1, nil, 3} end},
    zeros = {2, function() return cusp.zeros{2, nil, 3} end},
    concatenate = {2, function() return ops.concatenate({a, nil, a}, 1) end},
    reshape = {2, function() return ops.reshape(a, {2, nil, 2}) end},
    transpose = {1, function() return ops.transpose(a, {nil, 1}) end},
    kernel_size = {2, function() return layers.Conv2D(2, {3, nil, 3}) end},
    cells = {2, function()
      return layers.StackedRNNCells{{layers.LSTMCell(2), nil, layers.LSTMCell(2)}}
    end},
    inputs = {2, function()
      local x, y = cusp.Input{3}, cusp.Input{3}
      return cusp.Model{{x, nil, y}, layers.Add(){x, y}}
    end},
    outputs = {1, function()
      local x = cusp.Input{3}
      return cusp.Model{x, {nil, x}}
    end},
    set_weights = {1, function() dense:set_weights{nil, a} end},
    metrics = {1, function() dense:compile{loss = "mse", metrics = {nil, "mae"}} end},
    loss = {1, function() dense:compile{loss = {nil, "mse"}} end},
    callbacks = {1, function()
      dense:fit{a, cusp.ones{2, 1}, verbose = 0, callbacks = {nil, callback}}
    end},
    data = {2, function() dense:fit{{a, nil, a}, cusp.ones{2, 1}, verbose = 0} end},
    gradients = {1, function()
      cusp.optimizers.SGD():apply({nil, a}, {cusp.Variable(a), cusp.Variable(a)})
    end},
    sources = {2, function()
      local v = cusp.Variable(a)
      local tape <close> = cusp.GradientTape()
      local gradients = tape:gradient(v * v, {v, nil, v})
      return gradients
    end},
    boundaries = {2, function()
      return cusp.optimizers.schedules.PiecewiseConstantDecay({1, nil, 3}, {1, 2, 3})
    end},
  }
  for name, case in pairs(cases) do
    it("is an error that names the position: " .. name, function()
      local ok, message = pcall(case[2])
      assert.is_false(ok)
      assert.is_truthy(message:find("position {?" .. case[1]), message)
    end)
  end

  it("is not a table of numbers by number, such as class_weight", function()
    dense:compile{loss = "mse"}
    assert.is_truthy(dense:fit{a, cusp.ones({2, 1}, "int32"), verbose = 0,
      class_weight = {[1] = 2.0, [3] = 1.0}})
  end)
end)

describe("arguments", function()
  it("that are a table of integers alone are the first parameter where that may be a list of them",
    function()
    assert.are.same({2, 1}, layers.MaxPooling2D({2, 1}).pool_size)
    assert.are.same({2, 1}, layers.MaxPooling2D({2, 1}).strides)
    assert.are.same({2, 2}, layers.AveragePooling2D{2, 2, strides = 1}.pool_size)
    assert.are.same({1, 1}, layers.AveragePooling2D{2, strides = 1}.strides)
    assert.are.same({{2, 1}, {1, 1}},
      {layers.MaxPooling2D{{2, 1}, {1, 1}}.pool_size, layers.MaxPooling2D{{2, 1}, {1, 1}}.strides})
    assert.are.same({3, 3}, layers.MaxPooling2D{3, 2, "same"}.pool_size)
    assert.are.same({{3, 3}, {1, 1}},
      {layers.DepthwiseConv2D({3, 3}).kernel_size, layers.DepthwiseConv2D({3, 3}).strides})
    assert.are.same({2, 3}, layers.LayerNormalization({2, 3}).axis)
    assert.are.equal(1e-3, layers.LayerNormalization({2, 3}).epsilon)
    assert.are.same({2, 0.5},
      {layers.LayerNormalization{2, 0.5}.axis, layers.LayerNormalization{2, 0.5}.epsilon})
    assert.are.same({2, 3}, layers.RMSNormalization({2, 3}).axis)
    assert.are.same({2, 3}, layers.UnitNormalization({2, 3}).axis)
    assert.are.same({2, 3}, layers.Softmax({2, 3}).axis)
    assert.are.same({2, 3}, layers.UpSampling2D({2, 3}).size)
    assert.are.same({2, 1}, layers.Dot({2, 1}).axes)
    assert.are.same({{1, 1}, {2, 2}}, layers.ZeroPadding2D({1, 2}).padding)
    assert.are.same({{1, 2}, {3, 4}}, layers.ZeroPadding2D({{1, 2}, {3, 4}}).padding)
    assert.are.same({{1, 2}, {3, 4}}, layers.Cropping2D({{1, 2}, {3, 4}}).cropping)
    assert.are.same({{1, 2}}, layers.ZeroPadding1D({1, 2}).padding)
    assert.are.same({2, 3}, layers.AdaptiveAveragePooling2D({2, 3}).output_size)
    assert.are.same({1, 2}, cusp.constraints.UnitNorm({1, 2}).axis)
    raises("pool_size", layers.MaxPooling1D, {2, 1})
    assert.are.same({8, {3, 3}}, {layers.Conv2D{8, 3}.filters, layers.Conv2D{8, 3}.kernel_size})
  end)

  it("may end in an empty table or in nil", function()
    assert.are.equal(3, layers.Dense(3, {}).units)
    assert.are.equal(3, layers.Dense(3, nil).units)
    assert.are.equal(cusp.activations.relu, layers.Dense(3, "relu", {}, nil).activation)
    assert.are.equal(0.5, cusp.losses.mean_absolute_error({1, 2}, {2, 2}, {}):item())
    assert.are.equal(0.5, cusp.losses.mean_absolute_error({1, 2}, {2, 2}, nil, nil, nil):item())
    assert.are.equal(4, ops.sum(cusp.ones{2, 2}, {}):item())
    assert.are.equal(4, ops.sum(cusp.ones{2, 2}, nil):item())
    assert.are.same({1, 2, 2, 1}, ops.max_pool(cusp.ones{1, 4, 4, 1}, 2, {}).shape)
    assert.are.same({1, 2}, cusp.tensor({1, 2}, {}):tolist())
    assert.are.same({2}, cusp.random.normal({2}, {}).shape)
    assert.are.same({}, ops.reshape(cusp.ones{1}, {}).shape)
  end)
end)

describe("a class", function()
  it("whose method lacks self is an error", function()
    local x = cusp.ones{1, 2}
    local function made(base, members)
      return function() return base:extend("WithoutSelf", members)()(x, x) end
    end
    raises("WithoutSelf:call", made(layers.Layer, {call = function(inputs) return inputs end}))
    -- luacheck: ignore 431
    raises("WithoutSelf:call", made(layers.Layer, {call = function(x, args) return args and x end}))
    raises("WithoutSelf:build", made(layers.Layer, {build = function(input_shape)
      return input_shape
    end}))
    raises("WithoutSelf:compute_mask", made(layers.Layer, {compute_mask = function(inputs, mask)
      return inputs, mask
    end}))
    raises("WithoutSelf:compute_output_shape",
      made(layers.Layer, {compute_output_shape = function(input_shape)
      return input_shape
    end}))
    raises("WithoutSelf:call", made(cusp.losses.Loss, {call = function(y_true, y_pred)
      return y_true - y_pred
    end}))
    raises("WithoutSelf:update_state",
      made(cusp.metrics.Metric, {update_state = function(y_true, y_pred)
      return y_true, y_pred
    end}))
    raises("WithoutSelf:on_epoch_end",
      made(cusp.callbacks.Callback, {on_epoch_end = function(epoch, logs)
      return epoch, logs
    end}))
    local Late = layers.Layer:extend("LateCall")
    local late = Late()
    function Late.call(inputs) return inputs end
    raises("LateCall:call", late, x)
    local Ignoring = layers.Layer:extend("Ignoring", {call = function(_) return x end})
    assert.are.same({{1, 1}}, Ignoring()(x):tolist())
  end)

  it("whose call returns two values is an error", function()
    local x = cusp.ones{1, 2}
    local function two(_, a) return a, a end
    raises("return {a, b}", layers.Layer:extend("TwoValues", {call = two})(), x)
    raises("return {a, b}", layers.Layer:extend("TwoMixed", {call = two}){dtype = "mixed_bfloat16"},
      x)
    raises("return {a, b}", layers.Layer:extend("TwoSymbols", {call = two})(), cusp.Input{2})
    raises("return {a, b}", cusp.Model:extend("TwoModel", {call = two})(), x)
    raises("return {a, b}", cusp.losses.Loss:extend("TwoLosses", {call = two})(), x, x)
    local Cell = layers.Layer:extend("TwoCell", {state_size = 2, call = function(_, a, states)
      return a, states
    end})
    raises("{output, states}", layers.RNN(Cell()), cusp.ones{1, 3, 2})
  end)
end)
