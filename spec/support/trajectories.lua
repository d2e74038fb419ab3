--- Runs of fit whose losses and weights Keras 3 computed: spec/fixtures/training/train_*.json.gz.
local cases = require "spec.support.cases"
local cusp = require "cusp"
local golden_models = require "spec.support.golden_models"

local trajectories = {}

--- The names of all runs.
function trajectories.names()
  local names = {}
  local pipe = assert(io.popen "ls spec/fixtures/training")
  for file in pipe:lines() do names[#names + 1] = file:match "^train_(.*)%.json%.gz$" end
  pipe:close()
  return names
end

local function only(list) return #list == 1 and list[1] or list end

local function given_data(data, prefix)
  local x = only(cases.convert(data[prefix .. "x"]))
  local y = cases.convert(data[prefix .. "y"])
  return x, #y > 0 and only(y) or y
end

local function class_weights(weights)
  if cases.is_null(weights) then return nil end
  local result = {}
  for id, weight in pairs(weights) do result[math.tointeger(tonumber(id))] = weight end
  return result
end

local function plain(value)
  if cases.is_null(value) then return nil end
  return value
end

-- Normalisations over the batch of all processes, where there are several.
local function synchronize(config)
  if type(config) ~= "table" or cases.is_null(config) then return end
  if config.class_name == "BatchNormalization" then config.config.synchronized = true end
  for _, value in pairs(config) do synchronize(value) end
end

local function make_model(case, x)
  local model = cusp.models.model_from_config(case.model, golden_models.custom_objects())
  -- a model without an Input makes its weights now
  model:predict{x, verbose = 0, steps = 1, batch_size = 2}
  local weights = {}
  for i, weight in ipairs(case.initial_weights) do weights[i] = cases.tensor(weight) end
  model:set_weights(weights)
  local compile = case.compile
  model:compile{
    optimizer = cusp.optimizers.deserialize(case.optimizer), loss = compile.loss,
    metrics = plain(compile.metrics),
    weighted_metrics = plain(compile.weighted_metrics), loss_weights = plain(compile.loss_weights),
  }
  return model
end

--- Does a run.
-- @tparam string name
-- @tparam[opt] boolean synchronized whether normalisations are over all processes
-- @treturn Model trained
-- @treturn table its history
-- @treturn table the case, with `x` and `y`
function trajectories.run(name, synchronized)
  local case = cases.read("training/train_" .. name .. ".json.gz")
  if synchronized then synchronize(case.model) end
  case.x, case.y = given_data(case.data, "")
  local model = make_model(case, case.x)
  local validation
  if case.data.val_x then validation = {given_data(case.data, "val_")} end
  local history = model:fit{
    case.x, case.y, epochs = case.fit.epochs, batch_size = case.fit.batch_size, shuffle = false,
    verbose = 0, validation_data = validation,
    class_weight = class_weights(case.data.class_weight),
    sample_weight = cases.convert(case.data.sample_weight),
  }
  return model, history.history, case
end

return trajectories
