--- Hyperparameters for TensorBoard's page that compares runs.
-- @module cusp.summary.hparams
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local plain = require "cusp.base.plain"
local protobuf = require "cusp.formats.protobuf"

local hparams = {}

-- A metric or parameter is identified by its tag; the tensor besides the description is empty.
local function summary(tag, data)
  return {
    value = {
      {
        tag = tag,
        metadata = {plugin_data = {plugin_name = "hparams",
          content = protobuf.encode("tensorboard.hparams.HParamsPluginData", data)}},
        tensor = {dtype = "DT_FLOAT", tensor_shape = {dim = {{size = 0}}}},
      },
    },
  }
end

local function value_of(name, value)
  local kind = type(value)
  if kind == "boolean" then return {bool_value = value} end
  if kind == "number" then return {number_value = value} end
  if kind == "string" then return {string_value = value} end
  errors.raise("summary.hparams: '%s' should be a number, a string or a boolean, got %s", name,
    errors.describe(value))
end

local function sorted_names(values)
  for name in pairs(values) do
    if type(name) ~= "string" then
      errors.raise("summary.hparams: expected values by name, got the key %s",
        errors.describe(name))
    end
  end
  return lists.keys(values)
end

-- Equal parameters give the same name (FNV-1a, 64 bits), so that their runs appear as one trial.
local function trial_of(values, names)
  local hash = 0xcbf29ce484222325
  for _, name in ipairs(names) do
    for _, byte in ipairs{("%s=%s;"):format(name, plain.tostring(values[name])):byte(1, -1)} do
      hash = (hash ~ byte) * 0x100000001b3
    end
  end
  return ("%016x"):format(hash)
end

--- The summary with the values of a run.
-- @tparam table values name → number, string or boolean
-- @tparam[opt] string trial_id
-- @tparam number start seconds since 1970
-- @treturn table
function hparams.session_start(values, trial_id, start)
  local names, entries = sorted_names(values), {}
  for i, name in ipairs(names) do
    entries[i] = {key = name, value = value_of(name, values[name])}
  end
  return summary("_hparams_/session_start_info", {
    session_start_info = {hparams = entries, group_name = trial_id or trial_of(values, names),
      start_time_secs = start},
  })
end

local statuses = {success = "STATUS_SUCCESS", failure = "STATUS_FAILURE",
  running = "STATUS_RUNNING"}

--- The summary with the end of a run: "success", "failure" or "running".
function hparams.session_end(status, time)
  return summary("_hparams_/session_end_info",
    {session_end_info = {status = statuses[status], end_time_secs = time}})
end

local kinds = {string = "DATA_TYPE_STRING", boolean = "DATA_TYPE_BOOL",
  number = "DATA_TYPE_FLOAT64"}

local function parameter_info(parameter)
  if type(parameter) == "string" then parameter = {name = parameter} end
  local info = {
    name = parameter.name or parameter[1], display_name = parameter.display_name,
    description = parameter.description,
  }
  if parameter.values then
    local values = {}
    for i, value in ipairs(parameter.values) do values[i] = value_of(info.name, value) end
    info.domain_discrete, info.type = {values = values}, kinds[type(parameter.values[1])]
  elseif parameter.min and parameter.max then
    info.domain_interval,
      info.type = {min_value = parameter.min, max_value = parameter.max}, "DATA_TYPE_FLOAT64"
  end
  return info
end

local datasets = {training = "DATASET_TRAINING", validation = "DATASET_VALIDATION"}

local function metric_info(metric)
  if type(metric) == "string" then metric = {tag = metric} end
  return {
    name = {group = metric.group, tag = metric.tag or metric[1]},
    display_name = metric.display_name,
    description = metric.description, dataset_type = datasets[metric.dataset_type],
  }
end

--- The summary with the parameters and metrics of an experiment.
-- @tparam table parameters list of names, or of `{name =, values = {...}}`, `{name =, min =, max
-- =}`, with `display_name`, `description`
-- @tparam table metrics list of tags, or of `{tag =, group = (folder of the run), display_name =,
-- description =, dataset_type =}`
-- @tparam number created seconds since 1970
-- @treturn table
function hparams.experiment(parameters, metrics, created)
  return summary("_hparams_/experiment", {
    experiment = {
      hparam_infos = lists.map(parameters, parameter_info),
      metric_infos = lists.map(metrics, metric_info),
      time_created_secs = created,
    },
  })
end

return hparams
