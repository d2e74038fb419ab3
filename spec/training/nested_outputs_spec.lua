-- Losses, metrics and targets of models whose outputs are structures, or of which some have a loss;
-- values of Keras 3.
local cusp = require "cusp"
local warnings = require "cusp.base.warnings"
local layers, N = cusp.layers, cusp.null

local X, A, B = cusp.ones{4, 3}, cusp.ones{4, 2}, cusp.ones{4, 1}

local function make(kind)
  local input = cusp.Input{shape = {3}}
  local function dense(units, name)
    return layers.Dense{units, name = name, kernel_initializer = "ones"}(input)
  end
  local a, b, c = dense(2, "a"), dense(1, "b"), dense(1, "c")
  local outputs = {named = {p = {a, b}, q = c}, flat = {a, b}, lists = {{a, b}, c}}
  return cusp.Model{inputs = input, outputs = outputs[kind]}
end

local function report(kind, settings, y, sample_weight)
  local model, logs = make(kind), nil
  settings.optimizer = "sgd"
  model:compile(settings)
  warnings.collect(function()
    logs = model:evaluate{X, y, sample_weight = sample_weight, verbose = 0, return_dict = true}
    model:fit{X, y, sample_weight = sample_weight, verbose = 0}
  end)
  return logs
end

describe("nested outputs", function()
  local y = {p = {A, B}, q = B}
  local loss = {p = {"mse", "mae"}, q = "mse"}
  local losses = {["p/a_loss"] = 4.0, ["p/b_loss"] = 2.0, q_loss = 4.0}

  local function with(more, base)
    local result = {}
    for key, value in pairs(base or losses) do result[key] = value end
    for key, value in pairs(more) do result[key] = value end
    return result
  end

  it("have losses and metrics in their structure", function()
    local all = {loss = 10.0, a_mae = 2.0, b_mse = 4.0, c_mae = 2.0}
    local forms = {{p = {{"mae"}, {"mse"}}, q = {"mae"}}, {p = {"mae", "mse"}, q = "mae"}}
    for _, metrics in ipairs(forms) do
      assert.same(with(all), report("named", {loss = loss, metrics = metrics}, y))
    end
    local lists = {["0/a_loss"] = 4.0, ["0/b_loss"] = 2.0, c_loss = 4.0}
    assert.same(with(all, lists), report("lists",
      {loss = {{"mse", "mae"}, "mse"}, metrics = {{"mae", "mse"}, "mae"}}, {{A, B}, B}))
  end)

  it("have one loss for all, a flat list, weights, and outputs without a loss", function()
    assert.same({loss = 12.0, ["p/a_loss"] = 4.0, ["p/b_loss"] = 4.0, q_loss = 4.0},
      report("named", {loss = "mse"}, y))
    assert.same(with{loss = 10.0}, report("named", {loss = {"mse", "mae", "mse"}}, y))
    assert.same(with{loss = 20.0}, report("named",
      {loss = loss, loss_weights = {p = {1.0, 2.0}, q = 3.0}}, y))
    assert.same({loss = 8.0, ["p/a_loss"] = 4.0, q_loss = 4.0},
      report("named", {loss = {p = {"mse", N}, q = "mse"}}, y))
    local weights = {p = {cusp.full({4}, 2.0), cusp.ones{4}}, q = cusp.ones{4}}
    assert.same({loss = 14.0, ["p/a_loss"] = 8.0, ["p/b_loss"] = 2.0, q_loss = 4.0},
      report("named", {loss = loss}, y, weights))
  end)

  it("say what does not fit", function()
    local ok, message = pcall(report, "named", {loss = loss, metrics = {"mae"}}, y)
    assert.is_false(ok)
    assert.matches("metrics: expected the structure of the model's outputs %(a, b, c%)", message)
    ok, message = pcall(report, "named", {loss = {p = {"mse", "strange"}, q = "mse"}}, y)
    assert.is_false(ok)
    assert.matches("strange", message)
  end)
end)

describe("a loss for one of two outputs", function()
  it("takes the targets of that one alone", function()
    local cases = {
      {{"mse", N}, A}, {{a = "mse"}, A}, {{a = "mse"}, {a = A}}, {{a = "mse", b = N}, {a = A}},
      {{"mse", N}, {A}}, {{N, "mse"}, B}, {{"mse", N}, {A, N}},
    }
    for _, case in ipairs(cases) do
      assert.same({loss = 4.0}, report("flat", {loss = case[1]}, case[2]))
    end
    assert.is_false(pcall(report, "flat", {loss = "mse"}, A))
  end)

  it("checks the labels that belong to it", function()
    local model = make "flat"
    model:compile{optimizer = "sgd", loss = {"sparse_categorical_crossentropy", N}}
    local wrong = cusp.tensor({0, 1, 2, 0}, {dtype = "int32"})
    local ok, message = pcall(model.fit, model, {X, wrong, verbose = 0})
    assert.is_false(ok)
    assert.matches("a label 2 in y, but the output 'a' has 2 classes", message)
  end)
end)

describe("what a step is made of", function()
  it("takes its arguments by name", function()
    local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(1)}
    model:compile{optimizer = "sgd", loss = "mse", metrics = {"mae"}}
    local weight = cusp.tensor{1.0, 1.0, 0.0, 0.0}
    local y_pred = cusp.zeros{4, 1}
    assert.equal(0.5,
      model:compute_loss{x = X, y = B, y_pred = y_pred, sample_weight = weight}:item())
    assert.equal(1.0, model:compute_loss(X, B, y_pred):item())
    local results = model:compute_metrics{x = X, y = B, y_pred = y_pred}
    assert.equal(1.0, results.mae:item())
  end)

  it("updates the metrics of compile with weights by keyword, as other metrics", function()
    local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(1)}
    model:compile{optimizer = "sgd", loss = "mse", weighted_metrics = {"mae"}}
    model:train_on_batch(X, B)
    local metric = model.metrics[2]
    metric:reset_state()
    metric:update_state(cusp.zeros{4, 1}, cusp.tensor{{1}, {2}, {3}, {4}},
      {sample_weight = cusp.tensor{1, 0, 1, 0}})
    assert.equal(2, metric:result().mae:item())
  end)

  it("ends with a warning where a function has no more batches in a later epoch", function()
    local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(1)}
    model:compile{optimizer = "sgd", loss = "mse"}
    for count, epochs in pairs{[3] = 1, [6] = 2, [8] = 2, [12] = 3} do
      local n, history = 0, nil
      local function batches()
        n = n + 1
        if n <= count then return X, B end
      end
      local said = warnings.collect(function()
        history = model:fit{batches, steps_per_epoch = 4, epochs = 3, verbose = 0}
      end)
      assert.equal(count < 12 and true or false, #said > 0)
      assert.equal(epochs, #history.epoch)
    end
    assert.is_false(pcall(model.fit, model, {function() end, epochs = 2, verbose = 0}))
  end)
end)
