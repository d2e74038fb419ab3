--- Training on arrays that a host gives
-- @module cusp.host.training
local errors = require "cusp.base.errors"
local json = require "cusp.formats.json"
local prediction = require "cusp.host.prediction"
local structure = require "cusp.base.structure"

local training = {}

local function decode(text, what)
  local options = json.decode(text)
  if type(options) ~= "table" or options[1] ~= nil then
    errors.raise("%s: expected an object of options in JSON, got %s", what,
      errors.describe(options))
  end
  return options
end

--- Configures a model for training.
-- @tparam Model model
-- @tparam string text JSON, as Keras's `get_compile_config` writes it: `optimizer`, `loss`,
-- `metrics`, ...
function training.compile(model, text)
  model:compile_from_config(decode(text, "compile"))
end

-- Targets in a row, as a loss takes them.
local function targets_of(model, tensors)
  local graph = model.__own.graph
  if #tensors == 0 then return nil end
  if graph and #structure.flatten(graph.output_structure) == #tensors then
    return structure.pack(graph.output_structure, tensors)
  end
  return #tensors == 1 and tensors[1] or tensors
end

local function check(model, what)
  if not model.compiled then
    errors.raise("%s: '%s' has no optimizer and no loss yet; compile it first", what, model.name)
  end
end

--- The values of logs in order: the loss first.
-- @treturn {string,...}
-- @treturn {number,...}
local function in_order(logs)
  local names, values = {}, {}
  for name, value in pairs(logs) do
    if type(value) == "number" then names[#names + 1] = name end
  end
  table.sort(names, function(a, b)
    if (a == "loss") ~= (b == "loss") then return a == "loss" end
    return a < b
  end)
  for i, name in ipairs(names) do values[i] = logs[name] + 0.0 end
  return names, values
end
training.in_order = in_order

--- One step of training on one batch.
-- @tparam Model model
-- @tparam {tensor,...} inputs
-- @tparam {tensor,...} targets
-- @treturn {string,...} names of the loss and the metrics
-- @treturn {number,...} their values
function training.train(model, inputs, targets)
  check(model, "train")
  return in_order(model:train_on_batch(prediction.pack(model, inputs), targets_of(model, targets),
    {return_dict = true}))
end

--- The loss and the metrics over all rows; results as of `train`.
function training.evaluate(model, inputs, targets)
  check(model, "evaluate")
  return in_order(model:evaluate(prediction.pack(model, inputs), targets_of(model, targets),
    {verbose = 0, return_dict = true}))
end

--- Trains.
-- @tparam Model model
-- @tparam {tensor,...} inputs
-- @tparam {tensor,...} targets
-- @tparam string text JSON with arguments of `fit`: `epochs`, `batch_size`, `shuffle`,
-- `validation_split`, ...
-- @tparam function on_epoch (epoch, names, values) after each, from 1; returns whether to stop
-- @return as of `train`, for the last epoch
function training.fit(model, inputs, targets, text, on_epoch)
  check(model, "fit")
  local LambdaCallback = require("cusp.callbacks").LambdaCallback
  local options, last = decode(text, "fit"), {}
  options.verbose = 0
  options.callbacks = {LambdaCallback{on_epoch_end = function(epoch, logs)
    last = logs
    if on_epoch(epoch, in_order(logs)) then model.stop_training = true end
  end}}
  model:fit(prediction.pack(model, inputs), targets_of(model, targets), options)
  return in_order(last)
end

return training
