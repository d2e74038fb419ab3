--- `cusp evaluate`: the loss and the metrics of a model on data.
-- @module cusp.commands.evaluate
local errors = require "cusp.base.errors"
local files = require "cusp.commands.machinery.files"
local inputs = require "cusp.commands.machinery.inputs"
local ordered = require "cusp.base.ordered"
local plain = require "cusp.base.plain"
local preprocessing = require "cusp.commands.machinery.preprocessing"

local function compile(model, given)
  if given.loss then
    model:compile{loss = given.loss, metrics = given.metric or {}}
  elseif not model.compiled then
    errors.raise("%s: the model is not compiled: --loss NAME says what is computed, and --metric "
      .. "NAME", given.FILE)
  elseif given.metric then
    errors.raise "--metric needs --loss NAME"
  end
end

local function one(list) return #list == 1 and list[1] or list end

-- Targets have the names of outputs, but a shape that the loss decides.
local function targets_of(model)
  local result = {}
  for i, name in ipairs(model.output_names or {}) do
    result[i] = {name = name, names = {name}}
  end
  return result
end

local function run(given)
  if not given.input then errors.raise "--input is missing: the files that the model is given" end
  if not given.target then errors.raise "--target is missing: what it should predict" end
  files.run_scripts(given.require)
  local model = files.model_with_weights(given.FILE, given.weights)
  compile(model, given)
  local x = inputs.read_all(given.input, inputs.of_model(model), given)
  preprocessing.apply(x, given.preprocess)
  local y = inputs.read_all(given.target, targets_of(model), given)
  for i, value in ipairs(y) do
    if value.shape[1] ~= x[1].shape[1] then
      errors.raise("--target: %s holds %s samples, --input %d", given.target[i] or given.target[1],
        plain.tostring(value.shape[1]), x[1].shape[1])
    end
  end
  local logs = model:evaluate{inputs.arrange(model, x), one(y), verbose = 0, return_dict = true,
    batch_size = given["batch-size"] or 32}
  if given.output then return require("cusp.saving.tensors").save(given.output, logs) end
  print(("loss: %s"):format(plain.format("%.6g", logs.loss)))
  for _, name in ipairs(ordered.keys(logs)) do
    if name ~= "loss" then print(("%s: %s"):format(name, plain.format("%.6g", logs[name]))) end
  end
end

return {
  name = "evaluate", run = run,
  usage = "evaluate FILE --input x --target y [--loss NAME] [--metric NAME ...]",
  about = "Prints the loss and the metrics of a model on data.",
  operands = {"FILE"},
  options = {
    {"input", "texts", value = "FILE ...", about = "as of cusp predict"},
    {"target", "texts", value = "FILE ...", about = "what the outputs should be"},
    {"loss", "text", value = "NAME", about = "instead of what the model was compiled with"},
    {"metric", "texts", value = "NAME ...", about = "metrics to go with --loss"},
    {"output", "text", value = "FILE", about = "save the numbers as .json or .yaml"},
    preprocessing.option,
    preprocessing.interpolation,
    {"weights", "text", value = "FILE", about = "weights for the model of FILE"},
    {"batch-size", "integer", value = "N", min = 1, about = "samples computed at once (32)"},
    files.require_option,
  },
}
