--- The metrics given to `compile`, for all outputs together. It stands among `model.metrics` as one
-- metric, so that a step of the user's can update them (Keras's CompileMetrics).
-- @module cusp.training.compile_metrics
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local lists = require "cusp.base.lists"
local outputs = require "cusp.training.outputs"
local resolve = require "cusp.training.resolve"
local structure = require "cusp.base.structure"

local CompileMetrics = {name = "compile_metrics"}

local getters = {}

function CompileMetrics:__index(name)
  local getter = getters[name]
  if getter then return getter(self) end
  return CompileMetrics[name]
end

-- Made from what was given; cusp.captures looks at the rest.
CompileMetrics.__volatile = {entries = true, model = true}

local function is_list(value)
  return structure.is_container(value) and structure.is_list(value) and value.class_name == nil
end

local function each(given, f)
  if given == nil or given == false then return end
  if structure.is_container(given) and given.class_name == nil then
    if structure.is_list(given) then
      for i = 1, #given do each(given[i], f) end
    else
      for _, key in ipairs(structure.keys(given)) do each(given[key], f) end
    end
  else
    f(given)
  end
end

--- @tparam Model model
-- @param metrics a list; or, for several outputs, a list of lists or a table by output name
-- @param weighted likewise, for metrics that sample weights apply to
function CompileMetrics.new(model, metrics, weighted)
  metrics, weighted = resolve.plain(metrics), resolve.plain(weighted)
  for name, given in pairs{metrics = metrics, weighted_metrics = weighted} do
    if not structure.is_container(given) then
      local text =
        "compile: %s should be a list of metrics, or a table of them by output name, got %s; a "
        .. "single one goes in a list: {%s}"
      errors.raise(text, name,
        errors.describe(given), type(given) == "string" and ("%q"):format(given) or "...")
    end
    each(given, resolve.check_metric)
  end
  return setmetatable({model = model, given = metrics, weighted = weighted}, CompileMetrics)
end

-- The metrics of each output as lists.
local function by_output(what, given, list)
  local result = {}
  if next(given) == nil then return result end
  if #list == 1 then
    each(given, function(metric) result[#result + 1] = metric end)
    return {result}
  end
  if outputs.is_structure(given, list) then return outputs.match(what, given, list) end
  if is_list(given) and #given ~= #list then
    errors.raise(
      "%s: the model has %d outputs; expected a table by output name, or a list of %d lists, got "
      .. "a list of %d", what, #list,
      #list, #given)
  end
  if is_list(given) then
    for i = 1, #list do result[i] = given[i] or nil end
    return result
  end
  return outputs.match(what, given, list)
end

local function add_entries(self, what, given, list, targets, weighted)
  local wanted_of = by_output(what, given, list)
  for i, output in ipairs(list) do
    local wanted = wanted_of[i]
    if wanted ~= nil and not is_list(wanted) then wanted = {wanted} end
    for _, identifier in ipairs(wanted or {}) do
      if targets[i] == nil then
        errors.raise("%s: the output '%s' has metrics but no targets in y", what, output.name)
      end
      local metric = resolve.metric(identifier, targets[i], output.value)
      self.entries[#self.entries + 1] = {
        metric = metric, output = i, weighted = weighted,
        prefix = #list > 1 and output.name .. "_" or "",
      }
    end
  end
end

-- The name under which each result is reported, made unique as Keras does.
local function name_entries(entries)
  local counts = {}
  for _, entry in ipairs(entries) do
    local name = entry.prefix .. entry.metric.name
    if counts[name] and entry.weighted then
      name = ("%sweighted_%s"):format(entry.prefix, entry.metric.name)
    end
    if counts[name] then
      entry.name = ("%s_%d"):format(name, counts[name])
      counts[name] = counts[name] + 1
    else
      entry.name, counts[name] = name, 1
    end
  end
end

local function build(self, list, targets)
  self.entries = {}
  add_entries(self, "metrics", self.given, list, targets, false)
  add_entries(self, "weighted_metrics", self.weighted, list, targets, true)
  name_entries(self.entries)
end

-- The weights where they are given by keyword, as any other metric takes them.
local function positional(sample_weight)
  if kinds.is_plain(sample_weight) and sample_weight.sample_weight ~= nil then
    return sample_weight.sample_weight
  end
  return sample_weight
end

--- Updates all metrics with a batch.
function CompileMetrics:update_state(y_true, y_pred, sample_weight)
  sample_weight = positional(sample_weight)
  local list = outputs.list(y_pred, self.model.output_names)
  local loss = self.model.__own.compile_loss
  local targets = loss and outputs.targets(y_true, list, loss:with_loss(list))
    or outputs.match("y", y_true, list)
  local weights = outputs.sample_weights(sample_weight, list)
  if not self.entries then build(self, list, targets) end
  for _, entry in ipairs(self.entries) do
    local y, prediction = targets[entry.output], list[entry.output].value
    if entry.weighted then
      entry.metric:update_state(y, prediction, weights[entry.output])
    else
      entry.metric:update_state(y, prediction)
    end
  end
end

--- The metrics in order; none before the first batch, since names such as "accuracy" depend on the
-- outputs.
function getters.metrics(self)
  local list = {}
  for i, entry in ipairs(rawget(self, "entries") or {}) do list[i] = entry.metric end
  return list
end

--- Their variables.
function getters.variables(self) return lists.gather(self.metrics, "variables") end

--- What each of them measured, by name.
function CompileMetrics:result()
  local results = {}
  self:each(function(name, metric) results[name] = metric:result() end)
  return results
end

--- Sets all of them back to their beginning.
function CompileMetrics:reset_state()
  self:each(function(_, metric) metric:reset_state() end)
end

--- Calls `f(name, metric)` for each.
function CompileMetrics:each(f)
  for _, entry in ipairs(self.entries or {}) do f(entry.name, entry.metric) end
end

return CompileMetrics
