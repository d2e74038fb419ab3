-- An optimizer of the program's, written as Keras's guides write one.
local cusp = require "cusp"
local folder = require "spec.support.folder"

local Optimizer = cusp.optimizers.Optimizer
local Heavy = Optimizer:extend "HeavyBall"

function Heavy:init(args)
  Optimizer.init(self, args)
  self.momentum = args.momentum or 0.9
end

function Heavy:build(variables)
  if self.built then return end
  Optimizer.build(self, variables)
  self.velocities = {}
  for i, variable in ipairs(variables) do
    self.velocities[i] = self:add_variable_from_reference(variable, "velocity")
  end
end

function Heavy:update_step(gradient, variable, learning_rate)
  local velocity = self.velocities[self:_get_variable_index(variable)]
  local step = velocity * self.momentum - gradient * cusp.ops.cast(learning_rate, variable.dtype)
  self:assign(velocity, step)
  self:assign_add(variable, step)
end

function Heavy:get_config()
  local config = Optimizer.get_config(self)
  config.momentum = self.momentum
  return config
end

local x, y = cusp.random.normal({64, 3}, {seed = 1}), cusp.random.normal({64, 1}, {seed = 2})

local function trained(optimizer)
  cusp.random.set_seed(3)
  local model = cusp.Sequential{cusp.Input{shape = {3}}, cusp.layers.Dense(4), cusp.layers.Dense(1)}
  model:compile{optimizer = optimizer, loss = "mse"}
  return model, model:fit{x, y, epochs = 3, verbose = 0}.history.loss
end

describe("an optimizer of one's own", function()
  it("trains as the library's does by the same rule", function()
    local _, wanted = trained(cusp.optimizers.SGD{0.05, momentum = 0.8})
    local _, got = trained(Heavy{0.05, momentum = 0.8})
    for i = 1, 3 do assert.near(wanted[i], got[i], 1e-6) end
  end)

  it("is saved with its state", function()
    local scope <close> = folder.new()
    local model = trained(Heavy{0.05, momentum = 0.8})
    model:save(scope.path .. "/m.keras")
    local loaded = cusp.models.load_model(scope.path .. "/m.keras")
    assert.equal(0.8, loaded.optimizer.momentum)
    local function next_loss(m) return m:fit{x, y, shuffle = false, verbose = 0}.history.loss[1] end
    assert.near(next_loss(model), next_loss(loaded), 1e-6)
    assert.near(model:evaluate{x, y, verbose = 0}, loaded:evaluate{x, y, verbose = 0}, 1e-6)
  end)
end)
