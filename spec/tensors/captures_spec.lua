-- Values that compiled functions and steps captured are compared before their plans run again.
local cusp = require "cusp"
local engine = require "cusp.engine"
local layers, ops, warnings = cusp.layers, cusp.ops, require "cusp.base.warnings"

local x = cusp.ones{4, 3}

local function first(tensor) return tensor:flat()[1] end

local function plans_made(f)
  local before = engine.stats().plans_made
  f()
  return engine.stats().plans_made - before
end

describe("cusp.compile", function()
  it("sees upvalues change: numbers, booleans, strings, nil", function()
    local factor, negative, kind
    local f = cusp.compile(function(t)
      if factor then t = t * factor end
      if negative then t = -t end
      return kind == "square" and t * t or t
    end)
    assert.are.equal(1, first(f(x)))
    factor = 3
    assert.are.equal(3, first(f(x)))
    negative = true
    assert.are.equal(-3, first(f(x)))
    kind = "square"
    assert.are.equal(9, first(f(x)))
    factor, negative, kind = nil, nil, nil
    assert.are.equal(1, first(f(x)))
  end)

  it("sees upvalues of functions that it calls, entries of tables, fields and methods of objects",
    function()
    local settings = {deep = {factor = 2}}
    local function inner(t) return t * settings.deep.factor end
    local Scaler = {}
    Scaler.__index = Scaler
    function Scaler:scale(t) return inner(t) * self.by end
    local scaler = setmetatable({by = 10}, Scaler)
    local f = cusp.compile(function(t) return scaler:scale(t) end)
    assert.are.equal(20, first(f(x)))
    settings.deep.factor = 3
    assert.are.equal(30, first(f(x)))
    scaler.by = 100
    assert.are.equal(300, first(f(x)))
    function Scaler.scale(_, t) return t end
    assert.are.equal(1, first(f(x)))
    settings.deep.factor = nil
    scaler.scale = function(_, t) return t * (settings.deep.factor or 7) end
    assert.are.equal(7, first(f(x)))
    settings.deep.factor = 8
    assert.are.equal(8, first(f(x)))
  end)

  it("sees globals that the function names, also where they were nil", function()
    local environment = setmetatable({}, {__index = _G})
    local f = cusp.compile(load("return function(t) return scale and t * scale or t end", "f", "t",
      environment)())
    assert.are.equal(1, first(f(x)))
    environment.scale = 5
    assert.are.equal(5, first(f(x)))
    _G.cusp_spec_scale = 2
    local g = cusp.compile(load("return function(t) return t * cusp_spec_scale end", "g", "t",
      environment)())
    assert.are.equal(2, first(g(x)))
    _G.cusp_spec_scale = 4
    assert.are.equal(4, first(g(x)))
    _G.cusp_spec_scale = nil
  end)

  it("sees through functions that it compiled itself, and objects that it calls", function()
    local factor = 2
    local inner = cusp.compile(function(t) return t * factor end)
    local f = cusp.compile(function(t) return inner(t) + 1 end)
    assert.are.equal(3, first(f(x)))
    factor = 5
    assert.are.equal(6, first(f(x)))
    local layer = layers.Rescaling(2)
    local g = cusp.compile(layer)
    assert.are.equal(2, first(g(x)))
    layer.scale = 3
    assert.are.equal(3, first(g(x)))
  end)

  it("sees tensors and functions replaced, and layers that are added to a list", function()
    local weight, act, list = cusp.tensor(2.0), ops.relu, {layers.Rescaling(2)}
    local f = cusp.compile(function(t)
      for _, layer in ipairs(list) do t = layer(t) end
      return act(t * weight)
    end)
    assert.are.equal(4, first(f(x)))
    weight = cusp.tensor(-2.0)
    assert.are.equal(0, first(f(x)))
    act = ops.negative
    assert.are.equal(4, first(f(x)))
    list[2] = layers.Rescaling(5)
    assert.are.equal(20, first(f(x)))
  end)

  it("tells an integer from the float that equals it", function()
    local settings = {factor = 2}
    local f = cusp.compile(function(t) return t * settings.factor end)
    local whole = cusp.tensor{1, 2}
    assert.are.equal("int32", f(whole).dtype)
    settings.factor = 2.0
    assert.are.equal("float32", f(whole).dtype)
  end)

  it("tells a zero from a negative one", function()
    local settings, zero = {low = 0.0}, 0.0
    local f = cusp.compile(function(t) return t * (1 / settings.low + 1 / zero) end)
    assert.are.equal(math.huge, first(f(x)))
    assert.are.equal(math.huge, first(f(x)))
    settings.low, zero = -0.0, -0.0
    assert.are.equal(-math.huge, first(f(x)))
  end)

  it("sees another metatable of a table", function()
    local plain, list = setmetatable({}, {__index = {factor = 2}}), {1}
    local f = cusp.compile(function(t) return t * plain.factor * (list.factor or #list) end)
    for _ = 1, 2 do assert.are.equal(2, first(f(x))) end
    setmetatable(plain, {__index = {factor = 3}})
    for _ = 1, 2 do assert.are.equal(3, first(f(x))) end
    setmetatable(list, {__index = {factor = 5}})
    for _ = 1, 2 do assert.are.equal(15, first(f(x))) end
    setmetatable(list, nil)
    assert.are.equal(3, first(f(x)))
  end)

  it("keeps the plans of states that come back", function()
    local training = true
    local f = cusp.compile(function(t) return training and t * 2 or t end)
    local function both()
      training = true
      assert.are.equal(2, first(f(x)))
      training = false
      assert.are.equal(1, first(f(x)))
    end
    both()
    assert.are.equal(0, plans_made(function()
      for _ = 1, 10 do both() end
    end))
  end)

  it("does not trace again for what the function writes itself", function()
    local calls, last, log = 0, nil, {}
    local f = cusp.compile(function(t)
      calls = calls + 1
      last = t * 2
      log[#log + 1] = "called"
      return last
    end)
    for _ = 1, 4 do
      for rows = 1, 3 do f(cusp.ones{rows}) end
    end
    assert.is_true(calls <= 6, calls)
    local settled = calls
    for rows = 1, 3 do f(cusp.ones{rows}) end
    assert.are.equal(settled, calls)
  end)

  it("leaves NaN and large tables alone, and sees their lengths", function()
    local nan, data, calls = 0 / 0, {}, 0
    for i = 1, 1000 do data[i] = i end
    local f = cusp.compile(function(t)
      calls = calls + 1
      return t + #data + (nan == nan and 1 or 0)
    end)
    assert.are.equal(1001, first(f(x)))
    f(x)
    assert.are.equal(1, calls)
    data[1001] = 1
    assert.are.equal(1002, first(f(x)))
    local words = {}
    for i = 1, 1000 do words["word" .. i] = i end
    local g = cusp.compile(function(t)
      calls = calls + 1
      return t * words.word1
    end)
    g(x)
    local before = calls
    words.word2 = 0
    g(x)
    assert.are.equal(before, calls)
  end)

  it("warns once of a value that makes it trace each time, by name", function()
    local step = 0
    local f = cusp.compile(function(t) return t * step end)
    local list = warnings.collect(function()
      for i = 1, 30 do
        step = i
        assert.are.equal(i, first(f(x)))
      end
    end)
    assert.are.equal(1, #list)
    assert(list[1]:find("cusp.compile: the local 'step'", 1, true)
      and list[1]:find("captures_spec.lua", 1, true), list[1])
  end)

  it("lets go of a trace that failed", function()
    local broken = true
    local f = cusp.compile(function(t)
      if broken then error "not yet" end
      return t
    end)
    assert.is_false(pcall(f, x))
    broken = false
    assert.are.equal(1, first(f(x)))
  end)
end)

describe("predict", function()
  local function gives(model, expected)
    assert.are.equal(expected, first(model:predict{x, verbose = 0}))
    assert.are.equal(expected, first(model:predict_on_batch(x)))
    assert.are.equal(expected, first(model(x)))
  end

  for _, input in ipairs{true, false} do
    it("follows pop and add" .. (input and "" or ", where the input came with the data"), function()
      local model = cusp.Sequential(input and {cusp.Input{shape = {3}}} or {})
      for _, scale in ipairs{2, 5} do model:add(layers.Rescaling(scale)) end
      gives(model, 10)
      model:pop()
      gives(model, 2)
      model:add(layers.Rescaling(7))
      gives(model, 14)
      model:pop()
      model:add(layers.Dense(1, {kernel_initializer = "ones"}))
      gives(model, 6)
    end)
  end

  it("follows a model within that changes", function()
    local inner = cusp.Sequential{cusp.Input{shape = {3}}, layers.Rescaling(2), layers.Rescaling(5)}
    local input = cusp.Input{shape = {3}}
    local model = cusp.Model{inputs = input, outputs = layers.Rescaling(3)(inner(input))}
    gives(model, 30)
    inner:pop()
    gives(model, 6)
  end)

  it("follows fields that call reads, methods that are replaced, and settings of layers", function()
    local Scale = layers.Layer:extend("CapturedScale", {call = function(self, t)
      return t * (self.by or 1)
    end})
    local scale, dense = Scale{},
      layers.Dense(1, {kernel_initializer = "ones", activation = "linear"})
    local model = cusp.Sequential{cusp.Input{shape = {3}}, scale, dense}
    gives(model, 3)
    scale.by = 2
    gives(model, 6)
    dense.activation = cusp.activations.get "sigmoid"
    gives(model, first(ops.sigmoid(cusp.tensor{6.0})))
    dense.activation = function(t) return t + scale.by end
    gives(model, 8)
    Scale.call = function(_, t) return t * 0 end
    gives(model, 2)
    scale.call = function(_, t) return t end
    gives(model, 5)
    dense.kernel = cusp.Variable(cusp.zeros{3, 1})
    gives(model, 2)
  end)

  it("follows a layer of a subclass that is replaced, and a list of layers that grows", function()
    local Stack = cusp.Model:extend "CapturedStack"
    function Stack:init(args)
      cusp.Model.init(self, args)
      self.first, self.rest = layers.Rescaling(2), {}
    end
    function Stack:call(inputs)
      local outputs = self.first(inputs)
      for _, layer in ipairs(self.rest) do outputs = layer(outputs) end
      return outputs
    end
    local model = Stack{}
    gives(model, 2)
    model.first = layers.Rescaling(3)
    gives(model, 3)
    table.insert(model.rest, layers.Rescaling(5))
    gives(model, 15)
    model.rest = {}
    gives(model, 3)
  end)

  it("follows fields named as the library's own are", function()
    for _, name in ipairs{"nodes", "losses_seen", "steps", "graph", "stack", "policy", "ran",
      "results", "_nodes", "_losses", "_ran", "_steps", "_results", "_policy"} do
      local Scale = layers.Layer:extend("OwnNames",
        {call = function(self, t) return t * self[name] end})
      local scale = Scale()
      scale[name] = 2
      local model = cusp.Sequential{scale}
      assert.are.equal(2, first(model:predict(x, {verbose = 0})), name)
      scale[name] = 3
      assert.are.equal(3, first(model:predict(x, {verbose = 0})), name)
    end
  end)

  it("follows a regularizer that a variable is given after the first step", function()
    local model = cusp.Sequential{layers.Dense(1)}
    model:compile{optimizer = cusp.optimizers.SGD(0), loss = "mse"}
    local plain = model:train_on_batch(x, cusp.ones{4, 1})
    model.layers[1].kernel.regularizer = function() return cusp.tensor(5.0) end
    assert.is_true(math.abs(model:train_on_batch(x, cusp.ones{4, 1}) - plain - 5) < 1e-4)
  end)

  it("follows BatchNormalization that is frozen", function()
    local norm = layers.BatchNormalization()
    local model = cusp.Sequential{cusp.Input{shape = {3}}, norm}
    model:compile{optimizer = cusp.optimizers.SGD(0.0), loss = "mse"}
    model:fit{x, x, verbose = 0}
    local mean = first(norm.moving_mean)
    assert.are_not.equal(0, mean)
    norm.trainable = false
    model:fit{x, x, verbose = 0}
    assert.are.equal(mean, first(norm.moving_mean))
  end)
end)

describe("fit", function()
  local y = cusp.ones{4, 1}

  local function small(options)
    local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(2, {name = "hidden"}),
      layers.Dense(1)}
    model:compile(options or {optimizer = "adam", loss = "mse"})
    return model
  end

  for _, hook in ipairs{"on_epoch_begin", "on_epoch_end", "on_train_begin"} do
    it("follows a factor of the loss that " .. hook .. " changes, as plain Lua does", function()
      local histories = {}
      for i, eagerly in ipairs{false, true} do
        local factor = 0
        local model = small{optimizer = "sgd", run_eagerly = eagerly,
          loss = function(y_true, y_pred)
          return ops.mean(y_true - y_pred, -1) * 0 + factor
        end}
        histories[i] = model:fit{x, y, epochs = 4, verbose = 0, callbacks = {
          {[hook] = function() factor = factor + 1 end},
        }}.history.loss
      end
      assert.are.same(histories[2], histories[1])
    end)
  end

  it("follows fields of the model that a user-defined train_step reads", function()
    local Own = cusp.Model:extend "CapturedOwn"
    function Own:init(args)
      cusp.Model.init(self, args)
      self.dense, self.weight = layers.Dense(1), 1
    end
    function Own:call(inputs) return self.dense(inputs) end
    function Own:train_step() return {weight = cusp.tensor(1.0) * self.weight} end
    local model, seen = Own{}, {}
    model:compile{optimizer = "sgd", loss = "mse"}
    model:fit{x, y, epochs = 3, verbose = 0, callbacks = {{
      on_epoch_begin = function(_, epoch) model.weight = epoch * 10 end,
      on_epoch_end = function(_, _, logs) seen[#seen + 1] = logs.weight end,
    }}}
    assert.are.same({10, 20, 30}, seen)
    model.weight = 5
    assert.are.equal(5, (model:train_on_batch{x, y, return_dict = true}).weight)
  end)

  it("reports what the step of that state reports", function()
    for _, eagerly in ipairs{false, true} do
      local Phased = cusp.Model:extend "CapturedPhased"
      function Phased:train_step()
        if self.phase == 1 then return {first = cusp.tensor(1.0), plain = 5} end
        return {second = cusp.ones{2}, plain = cusp.tensor(6.0)}
      end
      local model = Phased{}
      model:compile{optimizer = "sgd", loss = "mse", run_eagerly = eagerly}
      for _ = 1, 2 do
        model.phase = 1
        assert.are.same({first = 1, plain = 5}, model:train_on_batch{x, y, return_dict = true})
        model.phase = 2
        assert.are.same({second = {1, 1}, plain = 6},
          model:train_on_batch{x, y, return_dict = true})
      end
    end
  end)

  it("follows metrics that are added, and a dtype policy", function()
    local Tracked = cusp.Model:extend "CapturedTracked"
    function Tracked:call(inputs)
      if self.tracker then self.tracker:update_state(inputs) end
      return inputs
    end
    local model = Tracked{}
    model:compile{optimizer = "sgd", loss = "mse"}
    assert.are.same({loss = 0}, model:test_on_batch{x, x, return_dict = true})
    model.tracker = cusp.metrics.Sum{name = "total"}
    assert.are.same({loss = 0, total = 12}, model:test_on_batch{x, x, return_dict = true})
    local dense = layers.Dense(2)
    model = cusp.Sequential{cusp.Input{shape = {3}}, dense}
    assert.are.equal("float32", model:predict({x, verbose = 0}).dtype)
    dense.dtype_policy = "mixed_bfloat16"
    assert.are.equal("mixed_bfloat16", dense.dtype_policy)
    assert.are.equal("bfloat16", model:predict({x, verbose = 0}).dtype)
    assert.are.equal("float32", dense.kernel.dtype)
  end)

  it("follows the rate of a Dropout, a regularizer, and settings of the optimizer", function()
    local dropout = layers.Dropout(0.5)
    local dense = layers.Dense(1, {kernel_initializer = "ones"})
    local model = cusp.Sequential{cusp.Input{shape = {3}}, dropout, dense}
    model:compile{optimizer = cusp.optimizers.SGD{0.0, momentum = 0.5}, loss = "mse"}
    local target = y * 3
    assert.are_not.equal(0, model:train_on_batch(x, target))
    dropout.rate = 0.0
    assert.are.equal(0, model:train_on_batch(x, target))
    dense.kernel.regularizer = cusp.regularizers.L1(2.0)
    model:compile{optimizer = "sgd", loss = "mse"}
    assert.are.equal(6, model:test_on_batch(x, target))
    dense.kernel.regularizer.l1 = 3.0
    assert.are.equal(9, model:test_on_batch(x, target))
  end)

  it("trains what is trainable at that time, each state with its own plan", function()
    local model = small()
    local hidden, weights = model:get_layer "hidden", nil
    local function train(trainable)
      hidden.trainable = trainable
      weights = hidden.kernel.value:flat()
      model:train_on_batch(x, y)
      assert.are.equal(not trainable, pcall(assert.are.same, weights, hidden.kernel.value:flat()))
    end
    train(true)
    train(false)
    assert.are.equal(0, plans_made(function()
      for _ = 1, 5 do
        train(true)
        train(false)
      end
    end))
  end)

  it("says what to do where a weight becomes trainable that the optimizer does not know", function()
    local model = small()
    model:get_layer "hidden".trainable = false
    model:fit{x, y, verbose = 0}
    model:get_layer "hidden".trainable = true
    local ok, message = pcall(model.fit, model, {x, y, verbose = 0})
    assert.is_false(ok)
    assert(message:find("compile the model with a new one", 1, true), message)
    model:compile{optimizer = "adam", loss = "mse"}
    model:fit{x, y, verbose = 0}
  end)

  it("makes no plan where nothing changed, also between evaluate and predict", function()
    local model = small{optimizer = "adam", loss = "mse", metrics = {"mae"}}
    local function all()
      model:fit{x, y, verbose = 0, validation_data = {x, y}}
      model:evaluate{x, y, verbose = 0}
      model:predict{x, verbose = 0}
      model:train_on_batch(x, y)
    end
    all()
    all()
    assert.are.equal(0, plans_made(all))
  end)
end)

describe("apply of an optimizer", function()
  it("follows its settings, and what its own update_step reads", function()
    local rate = 1
    local Own = cusp.optimizers.Optimizer:extend "CapturedOptimizer"
    function Own:update_step(gradient, variable)
      self:assign_sub(variable, gradient * self.factor * rate)
    end
    local optimizer, v = Own{}, cusp.Variable(0.0)
    optimizer.factor = 1
    local function step()
      local before = v.value:item()
      optimizer:apply({cusp.tensor(1.0)}, {v})
      return before - v.value:item()
    end
    assert.are.equal(1, step())
    optimizer.factor = 2
    assert.are.equal(2, step())
    rate = 3
    assert.are.equal(6, step())
    optimizer = cusp.optimizers.SGD(function() return rate end)
    assert.are.equal(3, step())
    rate = 4
    assert.are.equal(4, step())
    optimizer.weight_decay = 0.5
    local value = v.value:item()
    assert.are.equal(value * 0.5 * 4 + 4, step())
  end)
end)

describe("truth in a trace", function()
  local function warned_of(f, ...)
    local list = warnings.collect(f, ...)
    for i, text in ipairs(list) do
      list[i] =
        text:match "captures_spec.lua:%d+: ([%w_]+) returns a tensor that nothing is computed from"
    end
    return list
  end

  it("is an error where it is seen: < and ==", function()
    for _, f in ipairs{
      function(t) return t:sum() > 3 and t or -t end,
      function(t) return 3 <= t:sum() and t or -t end,
      function(t) return t:sum() == cusp.tensor(3.0) and t or -t end,
      function(t) return t:sum() ~= t:mean() and t or -t end,
    } do
      local ok, message = pcall(cusp.compile(f), x)
      assert.is_false(ok)
      assert(message:find("captures_spec.lua:", 1, true)
        and message:find("cusp.ops.where", 1, true), message)
    end
    local f = cusp.compile(function(t) return rawequal(t, t:sum()) and t or -t end)
    assert.are.equal(-1, first(f(x)))
    local kept = cusp.tensor(1.0)
    assert.is_true(kept == kept and kept ~= cusp.tensor(1.0))
  end)

  it("is told of where a truth value was asked for and is part of nothing", function()
    local f = cusp.compile(function(t)
      if t:sum():greater(100) then t = t * 2 end
      if not ops.any(t:less(0)) then t = t + 1 end
      return t
    end)
    assert.are.same({"greater", "any"}, warned_of(f, x))
    assert.are.same({}, warned_of(f, x))
    assert.are.same({}, warned_of(f, cusp.ones{2}))
    local layer = layers.Lambda(function(t) return t:mean():less_equal(1) and t or -t end)
    local model = cusp.Sequential{cusp.Input{shape = {3}}, layer, layers.Dense(1)}
    model:compile{optimizer = "sgd", loss = "mse"}
    assert.are.same({"less_equal"},
      warned_of(model.fit, model, {x, cusp.ones{4, 1}, epochs = 2, verbose = 0}))
    assert.are.same({"less_equal"}, warned_of(model.predict, model, {x, verbose = 0}))
  end)

  it("is no matter where the value is used, given back, assigned, or the library's own", function()
    local seen = cusp.Variable(false)
    local f = cusp.compile(function(t)
      seen:assign(t:sum():greater(3))
      local large, small = t:sum():greater(100), t:sum():less(1)
      t = ops.cond(t:max():greater(5), function() return t end, function() return -t end)
      return ops.where(ops.logical_and(large, small), t, -t), t:sum():equal(2),
        {deep = ops.any(ops.isnan(t))}
    end)
    assert.are.same({}, warned_of(f, x))
    local g = cusp.compile(layers.Masking())
    assert.are.same({}, warned_of(g, cusp.ones{1, 2, 3}))
    local v = cusp.Variable(0.0)
    local loop = cusp.compile(function(t)
      local n = ops.while_loop(function(i)
        return ops.less(i, t:sum())
      end, function(i) return i + 1 end, 0)
      return n, ops.while_loop(function(i)
        return ops.less(v, t:sum())
      end, function(i) return i + v:assign_add(2) end, 0.0)
    end)
    assert.are.same({}, warned_of(loop, x))
  end)
end)

describe("fields that are new since a trace", function()
  it("are seen on objects of the library, of the program, and in tables", function()
    local dense, options = layers.Dense{2, kernel_initializer = "ones"}, {}
    local Own = layers.Layer:extend("Own", {call = function(self, t)
      return rawget(self, "extra") and t * 5 or t
    end})
    local own = Own()
    local f = cusp.compile(function(t)
      local y = own(dense(t))
      if rawget(dense, "extra") then y = y * 2 end
      if options.extra then y = y * 3 end
      return y
    end)
    assert.are.equal(3, first(f(x)))
    assert.are.equal(3, first(f(x)))
    dense.extra = true
    assert.are.equal(6, first(f(x)))
    options.extra = true
    assert.are.equal(18, first(f(x)))
    rawset(own, "extra", true)
    assert.are.equal(90, first(f(x)))
    dense.extra, options.extra = nil, nil
    assert.are.equal(15, first(f(x)))
  end)

  it("are traced once, and states of before are used again", function()
    local dense = layers.Dense{2, kernel_initializer = "ones"}
    local f = cusp.compile(function(t) return dense(t) * (rawget(dense, "scale") or 1) end)
    f(x)
    f(x)
    dense.scale = 2
    assert.are.equal(6, first(f(x)))
    assert.are.equal(0, plans_made(function()
      for _ = 1, 5 do f(x) end
    end))
  end)
end)
