-- Students that learn from teachers, with the numbers that Keras gets.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local waves = require "spec.support.waves"

local distillation, layers = cusp.distillation, cusp.layers

local function model(name)
  local made = cusp.Sequential({cusp.Input{shape = {3}},
    layers.Dense{4, name = "h", activation = "tanh"}, layers.Dense{2, name = "o"}}, {name = name})
  waves.fill(made.weights, #name)
  return made
end

local x, y = waves.cosines{4, 3}, cusp.tensor{0, 1, 1, 0}

local function fitted(options)
  options.teacher, options.student = model "teach", model "stu"
  local distiller = distillation.Distiller(options)
  distiller:compile{optimizer = cusp.optimizers.SGD(0.1),
    loss = cusp.losses.SparseCategoricalCrossentropy{from_logits = true}}
  local history = distiller:fit{x, y, epochs = 2, batch_size = 4, verbose = 0, shuffle = false}
  return distiller, history.history
end

describe("Distiller", function()
  it("trains on logits", function()
    local distiller, history = fitted{
      distillation_losses = distillation.LogitsDistillation{2.0, cusp.losses.KLDivergence()},
    }
    waves.compare({0.17423005402088165, 0.14588633179664612},
      cusp.tensor(history.distillation_loss))
    waves.compare({0.5100964307785034, 0.48655784130096436}, cusp.tensor(history.loss))
    waves.compare({0.8459628224372864, 0.827229380607605}, cusp.tensor(history.student_loss))
    waves.compare({0.12385055, -0.7598352, -0.9625339, -0.2897939},
      distiller.student.weights[1].value[1])
    local logs = distiller:evaluate{x, y, verbose = 0, return_dict = true}
    waves.compare({0.4671206772327423, 0.12251467257738113},
      cusp.tensor{logs.total_loss, logs.distillation_loss})
  end)

  it("trains on features, by weights and shares", function()
    local _, history = fitted{
      distillation_losses = {distillation.FeatureDistillation{"mse", "h", "h"},
        distillation.LogitsDistillation{4.0, "mse"}},
      distillation_loss_weights = {0.5, 2.0}, student_loss_weight = 0.3,
    }
    waves.compare({0.7201232314109802, 0.7050759792327881},
      cusp.tensor(history.distillation_loss))
    waves.compare({0.7578750848770142, 0.74404376745224}, cusp.tensor(history.total_loss))
  end)

  it("freezes the teacher, and is saved and loaded", function()
    local distiller = fitted{distillation_losses = distillation.LogitsDistillation()}
    assert.are.equal(0, #distiller.teacher.trainable_variables)
    waves.compare(model("teach").weights[1].value:flat(), distiller.teacher.weights[1], 0)
    local place <close> = folder.new()
    distiller:save(place.path .. "/d.keras")
    local loaded = cusp.models.load_model(place.path .. "/d.keras")
    waves.compare(distiller(x):flat(), loaded(x), 1e-7)
    assert.are.equal(3.0, loaded.distillation_losses[1].temperature)
    local rest = {epochs = 3, initial_epoch = 2, batch_size = 4, verbose = 0, shuffle = false}
    for _, one in ipairs{distiller, loaded} do one:fit(x, y, rest) end
    waves.compare(distiller(x):flat(), loaded(x), 1e-6)
  end)

  it("is refused where models and losses do not fit", function()
    local teacher, loss = model "teach", distillation.LogitsDistillation()
    local function make(options)
      return function() distillation.Distiller(options) end
    end
    local other = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense{5}}
    assert.error_matches(make{teacher, other, loss}, "outputs of teacher and student")
    assert.error_matches(make{teacher, 3, loss}, "argument 'student' should be a model")
    assert.error_matches(make{teacher, model "stu", "mse"}, "argument 'distillation_losses'")
    assert.error_matches(make{teacher, model "stu", distillation.FeatureDistillation{"mse", "q"}},
      "q")
    assert.error_matches(function() distillation.LogitsDistillation{0} end, "temperature")
    local distiller = distillation.Distiller{teacher, model "stu", loss}
    assert.error_matches(function() distiller:compile{optimizer = "sgd"} end, "'loss' is missing")
  end)
end)
