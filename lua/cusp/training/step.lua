--- One step of training, testing or predicting, traced once for each form of data and then run as a
-- plan.
--
-- A plan computes everything through variables: the model's, the optimizer's, the metrics'. What a
-- step reports is read from the metrics when it is wanted; a step of the user's own that reports
-- other values leaves them in variables made for that.
-- @module cusp.training.step
local captures = require "cusp.captures"
local data = require "cusp.training.data"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local Metric = require "cusp.metrics.metric"
local ops = require "cusp.ops"
local PlanCache = require "cusp.tensors.plan_cache"
local structure = require "cusp.base.structure"
local whole = require "cusp.base.whole"

local Step = {}
Step.__index = Step

--- @tparam Model model
-- @tparam string method "train_step", "test_step" or "predict_step"
function Step.new(model, method)
  local training = not model:uses_default(method) and "all" or method ~= "predict_step" and model
    or nil
  local step = setmetatable({
    model = model, method = method, report = {names = {}, last = {}, log_variables = {}},
    captures = captures.new(("%s.%s"):format(getmetatable(model).__name, method),
      {root = model, training = training}),
  }, Step)
  step.plans = PlanCache.new(("%s of the model '%s'"):format(method, model.name), function(index)
    return index == 1 and "what it captured of Lua" or data.name(step.form, index - 1)
  end)
  return step
end

--- The compiled step of a method of a model, with plans for what the model is now.
-- @tparam Model model
-- @tparam string method
function Step.of(model, method)
  local steps = model.__own.steps
  if not steps then
    steps = {}
    model.__own.steps = steps
  end
  steps[method] = steps[method] or Step.new(model, method)
  steps[method]:refresh()
  return steps[method]
end

-- Whether a layer, or one below it, gives what only the values of its inputs tell.
local function has_eager_layer(layer)
  if layer.runs_eagerly and layer:runs_eagerly() then return true end
  for _, sublayer in ipairs(layer:sublayers()) do
    if has_eager_layer(sublayer) then return true end
  end
  return false
end

--- Compares what plans captured of Lua with what it is now: plans of another state of the model are
-- not run.
function Step:refresh()
  local state = self.captures:state()
  if state ~= self.state or self.eager == nil then
    self.eager = self.model.run_eagerly or has_eager_layer(self.model)
  end
  self.state = state
end

local described = setmetatable({}, {__mode = "k"}) -- types → their texts

-- Texts of types, in a list and in one as `engine.types_text` has it.
local function describe_types(types)
  local texts = described[types]
  if texts then return texts end
  local parts = {}
  for i, type in ipairs(types) do parts[i] = type.dtype .. errors.shape(type.shape) end
  texts = {parts = parts, all = table.concat(parts, ";")}
  described[types] = texts
  return texts
end

local function sorted_names(model, logs)
  local names, known = {}, {}
  for _, name in ipairs(model:metric_result_names()) do
    if logs[name] ~= nil then names[#names + 1], known[name] = name, true end
  end
  for _, name in ipairs(structure.keys(logs)) do
    if not known[name] then names[#names + 1] = name end
  end
  return names
end

local function same_keys(a, b)
  for key in pairs(a) do
    if b[key] == nil then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

-- Whether what the step reports is just what the model's metrics say, which can be asked of them at
-- any time.
local function reports_metrics(self, logs)
  return self.model:uses_default(self.method) and self.model:uses_default "compute_metrics"
    and same_keys(logs, self.model:get_metrics_result())
end

-- What a step returns, by name. Values that are tables by name themselves, as `compile_metrics` has
-- them, take part with their own names.
local function flat_logs(self, logs)
  if type(logs) ~= "table" then
    errors.raise("%s.%s: should return a table of values by name, got %s",
      getmetatable(self.model).__name, self.method,
      errors.describe(logs))
  end
  local flat = {}
  for name, value in pairs(logs) do
    if structure.is_container(value) and type(next(value)) == "string" then
      for inner, item in pairs(flat_logs(self, value)) do flat[inner] = item end
    else
      flat[name] = value
    end
  end
  return flat
end

-- The variable that a reported tensor goes to, so that it can be read after any step.
local function log_variable(self, name, value)
  local variable = self.report.log_variables[name]
  if variable and errors.shape(variable.shape) == errors.shape(value.shape) then return variable end
  return engine.untraced(function()
    return engine.variable(ops.zeros(value.shape, {dtype = value.dtype}),
      {dtype = value.dtype, trainable = false})
  end)
end

-- What a step reports: `names` in order; `last`, plain values; `log_variables`, which its plan
-- assigns.
local function keep_logs(self, logs)
  logs = flat_logs(self, logs)
  local report = {names = sorted_names(self.model, logs),
    from_metrics = reports_metrics(self, logs), last = {}, log_variables = {}}
  for name, value in pairs(report.from_metrics and {} or logs) do
    if type(value) ~= "userdata" then
      report.last[name] = value
    else
      report.log_variables[name] = log_variable(self, name, value)
      report.log_variables[name]:assign(value)
    end
  end
  return report
end

local function placeholders(trace, types)
  local tensors = {}
  for i, type in ipairs(types) do tensors[i] = trace:placeholder(type.shape, type.dtype) end
  return tensors
end

-- What a predict_step returned, which may be the program's, as a list.
local function outputs_of(result)
  local outputs = structure.flatten(result)
  for _, output in ipairs(outputs) do
    if type(output) ~= "userdata" then
      errors.raise("predict_step: it should return tensors, got %s", errors.describe(output))
    end
  end
  return outputs
end

local function trace_step(trace, self, form, types)
  local batch = data.pack(form, placeholders(trace, types))
  local result = self.model[self.method](self.model, batch)
  if self.method ~= "predict_step" then
    local report = keep_logs(self, result)
    self.captures:warn_of_truths(trace:unused_truths{})
    return {run = trace:compile{}, report = report}
  end
  local outputs = outputs_of(result)
  local plan = {form = structure.map(result, function() return true end), types = {}}
  for i, output in ipairs(outputs) do
    plan.types[i] = {shape = output.shape, dtype = output.dtype}
  end
  self.captures:warn_of_truths(trace:unused_truths(outputs))
  plan.run = trace:compile(outputs)
  return plan
end

local function make_plan(self, form, key, parts, types)
  local plan = self.captures:trace(engine.traced, trace_step, self, form, types)
  self.form = form
  self.plans:keep(key, plan, parts)
  if self.method == "train_step" and not self.trained then
    self.trained = self.model.trainable_variables
  end
  return plan
end

-- What is reported from now on is what this plan computes.
local function use(self, plan)
  if plan.report then self.report, self.reported = plan.report, self.state end
  return plan
end

-- Makes a plan, unless a callback has changed what is traced now and there is one for that.
local function make_missing(self, form, key, types)
  self:refresh()
  local parts = describe_types(types).parts
  parts = table.move(parts, 1, #parts, 2, {tostring(self.state)})
  key = self.state .. "|" .. key
  return self.plans:find(key)
    or whole.with({self.model, self}, make_plan, self, form, key, parts, types)
end

--- The plan for batches of a form; traced if there is none yet.
-- @tparam table form places of tensors
-- @tparam string key text of the form
-- @tparam {table,...} types shape and dtype of each tensor
function Step:plan(form, key, types)
  self.signature = self.signature or {form = form, key = key, types = types}
  key = key .. "|" .. describe_types(types).all
  local plan = self.plans:find(self.state .. "|" .. key) or make_missing(self, form, key, types)
  return use(self, plan)
end

local function types_of(tensors)
  local types = {}
  for i, tensor in ipairs(tensors) do types[i] = {shape = tensor.shape, dtype = tensor.dtype} end
  return types
end

local function run_step(self, batch)
  self.signature = self.signature
    or {form = batch.form, key = batch.key, types = types_of(batch.tensors)}
  local result = self.model[self.method](self.model, data.pack(batch.form, batch.tensors))
  if self.method == "predict_step" then
    local flat = outputs_of(result)
    engine.evaluate(flat)
    return flat, structure.map(result, function() return true end)
  end
  result = flat_logs(self, result)
  local report = {names = sorted_names(self.model, result), last = {}, log_variables = {}}
  self.report = report
  local tensors = {}
  for name, value in pairs(result) do
    report.last[name] = value
    if type(value) == "userdata" then tensors[#tensors + 1] = value end
  end
  engine.evaluate(tensors)
end

-- The first batch shows what the model and its metrics are made of.
local function run_eagerly(self, batch)
  if self.signature then return engine.whole({}, run_step, self, batch) end
  return whole.with({self.model, self}, run_step, self, batch)
end

-- The text by which the plan for a batch is kept; batches mostly are as the one before.
local function plan_key(self, batch)
  local last, types = self.last_key, batch.types or engine.types_text(batch.tensors)
  if not last or last.state ~= self.state or last.form ~= batch.key or last.types ~= types then
    last = {state = self.state, form = batch.key, types = types,
      text = ("%s|%s|%s"):format(self.state, batch.key, types)}
    self.last_key = last
  end
  return last.text
end

local function plan_of(self, batch)
  local plan = self.plans:find(plan_key(self, batch))
  return plan and use(self, plan) or self:plan(batch.form, batch.key, types_of(batch.tensors))
end

--- Traces the step for a batch, so that what the model is made of is known before it runs.
-- @treturn ?table the plan, for `run`
function Step:prepare(batch)
  if not self.eager then return plan_of(self, batch) end
end

--- Runs one batch.
-- @tparam table batch as a source gives it
-- @tparam[opt] table plan of this batch
-- @return of predict_step: the outputs in one list, and their form
function Step:run(batch, plan)
  if self.eager then return run_eagerly(self, batch) end
  plan = plan or plan_of(self, batch)
  local outputs = {plan.run(table.unpack(batch.tensors))}
  if self.method == "predict_step" then return outputs, plan.form end
end

---------------------------------------------------------------- what it reports

-- Metrics whose state is zeros at the beginning, all in one; others are asked themselves.
local function find_resets(self)
  local resets = {variables = {}, zeros = {}, others = {}}
  for _, metric in ipairs(self.model:list_metrics()) do
    if metric.reset_state ~= Metric.reset_state then
      table.insert(resets.others, metric)
    else
      for _, variable in ipairs(metric.variables) do
        table.insert(resets.variables, variable)
        table.insert(resets.zeros, ops.zeros(variable.shape, {dtype = variable.dtype}))
      end
    end
  end
  engine.evaluate(resets.zeros)
  return resets
end

--- Sets the metrics back to their beginning. Those of the plan used last are known; which they are
-- changes with what was captured.
function Step:reset_metrics()
  local report = self.report
  if not report.from_metrics or self.reported ~= self.state
    or not self.model:uses_default "reset_metrics" then
    return self.model:reset_metrics()
  end
  report.resets = report.resets or find_resets(self)
  engine.assign_all(report.resets.variables, report.resets.zeros)
  for _, metric in ipairs(report.resets.others) do metric:reset_state() end
end

-- A plan that computes what the metrics say.
local function trace_reading(trace, self)
  local reading, tensors = {places = {}, fixed = {}}, {}
  for name, value in pairs(self.model:get_metrics_result()) do
    if type(value) == "userdata" then
      table.insert(tensors, value)
      reading.places[name] = #tensors
    else
      reading.fixed[name] = value
    end
  end
  reading.run = trace:compile(tensors)
  return reading
end

local function to_lua(value)
  if type(value) ~= "userdata" then return value end
  if engine.is_variable(value) then value = value.value end
  if value.ndim == 0 then return value:item() end
  return value:tolist()
end

-- Its results, and what they are.
local function read_metrics(self)
  local report = self.report
  report.reading = report.reading or engine.traced(trace_reading, self)
  return {report.reading.run()}, report.reading
end

local function metric_logs(self)
  local values, reading = read_metrics(self)
  local logs = {}
  for name, value in next, reading.fixed do logs[name] = value end
  for name, place in next, reading.places do logs[name] = to_lua(values[place]) end
  return logs
end

--- What the steps so far report: numbers by name (tables of numbers where a metric has several).
-- @treturn table
function Step:logs()
  local report, logs = self.report, {}
  if report.from_metrics then return metric_logs(self) end
  for _, name in ipairs(report.names) do
    local value = report.last[name]
    if value == nil then value = report.log_variables[name] end
    logs[name] = to_lua(value)
  end
  return logs
end

--- The names of what the steps report, in order.
function Step:log_names() return self.report.names end

-- Without a table by name between.
local function metric_values(self)
  local tensors, reading = read_metrics(self)
  local names, values = self.report.names, {}
  for i, name in ipairs(names) do
    local place = reading.places[name]
    if place then values[i] = to_lua(tensors[place]) else values[i] = reading.fixed[name] end
  end
  return table.unpack(values, 1, #names)
end

--- What the steps report, as values in that order.
-- @tparam[opt] table logs what `logs` gave
function Step:values(logs)
  if not logs and self.report.from_metrics then return metric_values(self) end
  logs = logs or self:logs()
  local names, values = self:log_names(), {}
  for i, name in ipairs(names) do values[i] = logs[name] end
  return table.unpack(values, 1, #names)
end

return Step
