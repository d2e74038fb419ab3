--- What programs in C, C++ and others ask of the library through `bindings/c`
-- @module cusp.host
local models = require "cusp.host.models"
local prediction = require "cusp.host.prediction"
local training = require "cusp.host.training"

return {
  load = models.load, save = models.save, describe = models.describe, check = models.check,
  runner = prediction.runner, predict = prediction.predict,
  compile = training.compile, train = training.train, evaluate = training.evaluate,
  fit = training.fit,
}
