--- What models can do once they are compiled: fit, evaluate, predict, and the steps that these are made of.
-- The functions here become methods of `cusp.Model`. A model of one's own may override `train_step`, `test_step`, `predict_step`,
-- `compute_loss` and `compute_metrics`; each runs compiled like the built-in ones, unless `run_eagerly` is true.
-- @classmod cusp.training.Trainer
local CallbackList = require "cusp.callbacks.callback_list"
local CompileLoss = require "cusp.training.compile_loss"
local CompileMetrics = require "cusp.training.compile_metrics"
local Layer = require "cusp.layers.layer"
local Object = require "cusp.class"
local Step = require "cusp.training.step"
local arguments = require "cusp.arguments"
local data = require "cusp.training.data"
local engine = require "cusp.engine"
local errors = require "cusp.errors"
local gradients = require "cusp.gradients"
local loop = require "cusp.training.loop"
local metrics = require "cusp.metrics"
local ops = require "cusp.ops"
local optimizers = require "cusp.optimizers"
local sources = require "cusp.training.source"
local structure = require "cusp.models.structure"

local Trainer = {}

local function class_name(self) return getmetatable(self).__name end

---------------------------------------------------------------- compiling

local bind_compile = arguments.binder("compile", {
  { "optimizer", "any", default = "rmsprop" }, { "loss", "any", optional = true }, { "loss_weights", "any", optional = true },
  { "metrics", "any", optional = true }, { "weighted_metrics", "any", optional = true }, { "run_eagerly", "boolean", default = false },
  { "steps_per_execution", "integer", default = 1, min = 1 }, { "jit_compile", "any", default = "auto" },
  { "auto_scale_loss", "boolean", default = true },
}, false)

local function optimizer_of(self, given, auto_scale)
  local optimizer = optimizers.get(given)
  if not Object.is_instance(optimizer, optimizers.Optimizer) then
    errors.raise("compile: optimizer should be a name or an Optimizer, got %s", errors.describe(given))
  end
  if auto_scale and self.dtype_policy == "mixed_float16" and not Object.is_instance(optimizer, optimizers.LossScaleOptimizer) then
    return optimizers.LossScaleOptimizer { optimizer, name = "loss_scale_optimizer" }
  end
  return optimizer
end

--- Says how the model is trained.
-- @param[opt="rmsprop"] optimizer a name or an Optimizer
-- @param[opt] loss a name, a function of (y_true, y_pred), or a Loss; for several outputs a list, or a table by output name
-- @param[opt] loss_weights numbers in the same form
-- @param[opt] metrics a list of names, functions or Metrics; for several outputs a list of lists, or a table by output name
-- @param[opt] weighted_metrics metrics that sample weights apply to, in the same form
-- @tparam[opt=false] boolean run_eagerly whether steps run as plain Lua, so that values can be looked at
-- @tparam[opt=1] integer steps_per_execution steps between two calls of the hooks around batches
-- @param[opt] jit_compile taken and kept for Keras's sake: steps are always compiled here unless run_eagerly
-- @tparam[opt=true] boolean auto_scale_loss whether the loss is scaled under the policy "mixed_float16"
function Trainer:compile(...)
  local optimizer, loss, loss_weights, wanted, weighted, run_eagerly, steps_per_execution, jit_compile, auto_scale = bind_compile(...)
  self.optimizer = optimizer_of(self, optimizer, auto_scale)
  -- These are not parts of the model whose variables it would have to save.
  rawset(self, "_compile_loss", loss ~= nil and CompileLoss.new(self, loss, loss_weights) or nil)
  rawset(self, "_compile_metrics", (wanted or weighted) and CompileMetrics.new(self, wanted or {}, weighted or {}) or nil)
  rawset(self, "_loss_tracker", metrics.Mean { name = "loss" })
  rawset(self, "_steps", {})
  rawset(self, "loss", loss)
  rawset(self, "_compile_config", {
    optimizer = self.optimizer, loss = loss, loss_weights = loss_weights, metrics = wanted, weighted_metrics = weighted,
    run_eagerly = run_eagerly, steps_per_execution = steps_per_execution,
    jit_compile = jit_compile == "auto" and not run_eagerly or jit_compile == true,
  })
  self.run_eagerly, self.steps_per_execution, self.jit_compile = run_eagerly, steps_per_execution, jit_compile
  self.stop_training, self.compiled = false, true
  local loading = rawget(self, "_when_compiled") -- the optimizer's state, in a checkpoint that was loaded before
  if loading then
    rawset(self, "_when_compiled", nil)
    loading()
  end
end

local function check_compiled(self, method)
  if not rawget(self, "compiled") then
    errors.raise("%s: the model '%s' has to be compiled first: model:compile { optimizer = ..., loss = ... }", method, self.name)
  end
end

--- The arguments of `compile` in their serialised form; empty where it was not called.
function Trainer:get_compile_config()
  return require("cusp.saving.training_config").keras3(self)
end

--- Compiles as a serialised form says.
function Trainer:compile_from_config(config)
  require("cusp.saving.training_config").compile(self, config)
end

---------------------------------------------------------------- metrics

-- Calls f(name, metric) for each metric in the order in which results are reported.
local function each_metric(self, f)
  local tracker, loss, compiled = rawget(self, "_loss_tracker"), rawget(self, "_compile_loss"), rawget(self, "_compile_metrics")
  if tracker then f("loss", tracker) end
  for _, metric in ipairs(loss and loss.trackers or {}) do f(metric.name, metric) end
  if compiled then compiled:each(f) end
  for _, metric in ipairs(Layer.__getters.metrics(self)) do f(metric.name, metric) end
end

--- The loss's metric, those of the outputs' losses, those given to `compile`, and those among the model's fields and layers.
function Trainer:list_metrics()
  local list = {}
  each_metric(self, function(_, metric) list[#list + 1] = metric end)
  return list
end

--- The results of all metrics by name.
-- @treturn table of scalar tensors
function Trainer:get_metrics_result()
  local results = {}
  each_metric(self, function(name, metric)
    local result = metric:result()
    if structure.is_container(result) then
      for key, value in pairs(result) do results[key] = value end
    else
      results[name] = result
    end
  end)
  return results
end

--- The names of all metrics in the order in which results are reported.
function Trainer:metric_result_names()
  local names = {}
  each_metric(self, function(name) names[#names + 1] = name end)
  return names
end

--- Sets all metrics back to their beginning.
function Trainer:reset_metrics()
  each_metric(self, function(_, metric) metric:reset_state() end)
end

---------------------------------------------------------------- what a step is made of

--- The total loss of a batch: that given to `compile`, and what layers add.
-- @param x inputs
-- @param y targets
-- @param y_pred outputs
-- @param[opt] sample_weight
-- @treturn tensor scalar
function Trainer:compute_loss(_, y, y_pred, sample_weight)
  local compiled = rawget(self, "_compile_loss")
  local total = compiled and compiled:call(y, y_pred, sample_weight) or nil
  for _, loss in ipairs(self.losses) do
    if loss.ndim > 0 then loss = ops.sum(loss) end
    total = total == nil and loss or total + loss
  end
  if total == nil then
    errors.raise("%s (%s): there is no loss to minimise; give compile a loss, or add one in a layer with add_loss", self.name,
      class_name(self))
  end
  return total
end

--- Updates the metrics with a batch.
-- @return the results of all metrics by name
function Trainer:compute_metrics(_, y, y_pred, sample_weight)
  local compiled = rawget(self, "_compile_metrics")
  if compiled then compiled:update_state(y, y_pred, sample_weight) end
  return self:get_metrics_result()
end

local function batch_size_of(x) return structure.flatten(x)[1].shape[1] end

--- One step of training.
-- @tparam table batch `{x, y, sample_weight}`
-- @treturn table what to report, by name
function Trainer:train_step(batch)
  local x, y, sample_weight = data.unpack(batch)
  local tape <close> = gradients.GradientTape()
  local y_pred = self(x, { training = true })
  local loss = self:compute_loss(x, y, y_pred, sample_weight, true)
  local variables = self.trainable_variables
  if #variables == 0 then
    errors.raise("%s (%s): there is nothing to train: the model has no trainable weights", self.name, class_name(self))
  end
  local found = tape:gradient(self.optimizer:scale_loss(loss), variables)
  self.optimizer:apply(found, variables)
  CompileLoss.track(self._loss_tracker, loss, batch_size_of(x))
  return self:compute_metrics(x, y, y_pred, sample_weight)
end

--- One step of evaluation.
-- @tparam table batch `{x, y, sample_weight}`
-- @treturn table what to report, by name
function Trainer:test_step(batch)
  local x, y, sample_weight = data.unpack(batch)
  local y_pred = self(x, { training = false })
  local loss = self:compute_loss(x, y, y_pred, sample_weight, false)
  CompileLoss.track(self._loss_tracker, loss, batch_size_of(x))
  return self:compute_metrics(x, y, y_pred, sample_weight)
end

--- One step of prediction.
-- @tparam table batch `{x}`
-- @return the outputs
function Trainer:predict_step(batch)
  return self((data.unpack(batch)), { training = false })
end

--- Whether a method is the library's own.
function Trainer:uses_default(method) return self[method] == Trainer[method] end

-- The compiled step of a method. A learning rate of another kind makes the plans of training old.
local function step_of(self, method)
  local steps = rawget(self, "_steps")
  if not steps then
    steps = {}
    rawset(self, "_steps", steps)
  end
  local rate = method == "train_step" and self.optimizer and rawget(self.optimizer, "_learning_rate") or nil
  if not steps[method] or steps[method].rate ~= rate then
    steps[method] = Step.new(self, method)
    steps[method].rate = rate
  end
  return steps[method]
end

--- Forgets the compiled steps, so that they are traced anew.
function Trainer:make_train_function(force)
  if force and rawget(self, "_steps") then self._steps.train_step = nil end
  return step_of(self, "train_step")
end

--- Likewise.
function Trainer:make_test_function(force)
  if force and rawget(self, "_steps") then self._steps.test_step = nil end
  return step_of(self, "test_step")
end

--- Likewise.
function Trainer:make_predict_function(force)
  if force and rawget(self, "_steps") then self._steps.predict_step = nil end
  return step_of(self, "predict_step")
end

---------------------------------------------------------------- runs

local function verbosity(owner, verbose)
  if verbose == "auto" or verbose == true then return 1 end
  if verbose == false then return 0 end
  if verbose ~= 0 and verbose ~= 1 and verbose ~= 2 then
    errors.raise("%s: verbose should be \"auto\", 0, 1 or 2, got %s", owner, errors.describe(verbose))
  end
  return verbose
end

local function callback_list(self, given, options)
  if Object.is_instance(given, CallbackList) then return given end
  local list = CallbackList {
    callbacks = given, add_history = options.history, add_progbar = options.verbose ~= 0, model = self,
    params = { verbose = options.verbose, epochs = options.epochs or 1, steps = options.steps },
  }
  if list.progbar then list.progbar.order = function() return options.step:log_names() end end
  return list
end

-- Ends a progress line left in the middle when an error passes.
local function line_guard(callbacks)
  return setmetatable({}, {
    __close = function(_, message)
      if message ~= nil and callbacks.progbar then callbacks.progbar:abandon() end
    end,
  })
end

-- A function that looks for labels out of range in a batch, or in a source of whole arrays.
local function label_check(self, owner)
  return function(batch)
    local loss = rawget(self, "_compile_loss")
    if loss then loss:check_labels(owner, data.pack(batch.form, batch.tensors)[2]) end
  end
end

-- Traces the step for a source of arrays, and looks at its labels, before anything is changed.
local function prepare(self, owner, step, source)
  if source.batches or self.run_eagerly then return end
  step:plan(source.form, source.key, source:types(math.min(source.batch_size, source.samples)))
  if not source.checked then
    label_check(self, owner)(source)
    source.checked = true
  end
end

local function warn_short(owner, done, limit)
  if limit and done < limit then
    local text = "warning: %s: the input ran out of data after %d of %d steps; make sure that the data set or function gives at least "
      .. "steps * epochs batches (dataset:repeat_() goes on without end)\n"
    io.stderr:write(text:format(owner, done, limit))
  end
end

local function check_some(owner, done)
  if done == 0 then errors.raise("%s: the data is empty: there was no batch", owner) end
end

-- Runs the test step over a source, within a fit or by itself.
local function evaluate_source(self, owner, source, callbacks, limit)
  local step = step_of(self, "test_step")
  callbacks:on_test_begin {}
  self:reset_metrics()
  prepare(self, owner, step, source)
  source:rewind()
  local done = loop.run {
    model = self, step = step, source = source, callbacks = callbacks, phase = "test", limit = limit, reports = true,
    check = source.batches and label_check(self, owner) or nil,
  }
  check_some(owner, done)
  warn_short(owner, done, limit)
  local logs = step:logs()
  callbacks:on_test_end(logs)
  return logs, step:log_names()
end

local function values_in_order(names, logs)
  local values = {}
  for i, name in ipairs(names) do values[i] = logs[name] end
  return table.unpack(values, 1, #names)
end

---------------------------------------------------------------- fit

local bind_fit = arguments.binder("fit", {
  { "x", "any", optional = true }, { "y", "any", optional = true }, { "batch_size", "integer", optional = true, min = 1 },
  { "epochs", "integer", default = 1, min = 0 }, { "verbose", "any", default = "auto" }, { "callbacks", "any", optional = true },
  { "validation_split", "number", default = 0, min = 0, below = 1 }, { "validation_data", "any", optional = true },
  { "shuffle", "any", default = true }, { "class_weight", "any", optional = true }, { "sample_weight", "any", optional = true },
  { "initial_epoch", "integer", default = 0, min = 0 }, { "steps_per_epoch", "integer", optional = true, min = 1 },
  { "validation_steps", "integer", optional = true, min = 1 }, { "validation_batch_size", "integer", optional = true, min = 1 },
  { "validation_freq", "any", default = 1 },
}, false)

local function with_class_weight(owner, given, class_weight)
  if class_weight == nil then return given end
  if given.sample_weight ~= nil then errors.raise("%s: class_weight and sample_weight cannot be given together", owner) end
  return { x = given.x, y = given.y, sample_weight = data.class_weights(owner, given.y, class_weight) }
end

local function validation_source(given, batch_size, steps)
  if given == nil then return nil end
  if type(given) == "table" and structure.is_container(given) then
    if given.x == nil and #given < 2 then
      errors.raise("fit: validation_data should be {x, y} or {x, y, sample_weight}, got %s", errors.describe(given))
    end
    given = given.x ~= nil and given or { x = given[1], y = given[2], sample_weight = given[3] }
  else
    given = { x = given }
  end
  return sources.of("fit: validation_data", given, { batch_size = batch_size, shuffle = false, limit = steps })
end

local function validates_at(epoch, frequency)
  if type(frequency) == "table" then
    for _, wanted in ipairs(frequency) do
      if wanted == epoch then return true end
    end
    return false
  end
  if math.type(frequency) ~= "integer" or frequency < 1 then
    errors.raise("fit: validation_freq should be a positive integer or a list of epochs, got %s", errors.describe(frequency))
  end
  return epoch % frequency == 0
end

local function check_shuffle(shuffle)
  if type(shuffle) ~= "boolean" and shuffle ~= "batch" then
    errors.raise("fit: shuffle should be true, false or \"batch\", got %s", errors.describe(shuffle))
  end
end

-- One epoch. Returns what it reports.
local function run_epoch(self, run, epoch)
  self:reset_metrics()
  run.callbacks:on_epoch_begin(epoch, {})
  if not (run.continues and epoch > run.first_epoch) then run.source:rewind() end
  local done = loop.run(run)
  check_some("fit", done)
  warn_short("fit", done, run.limit)
  if not run.callbacks.params.steps then run.callbacks.params.steps = done end
  local logs = run.step:logs()
  local validation = run.validation
  if validation and validates_at(epoch, run.validation_freq) then
    for name, value in pairs((evaluate_source(self, "fit: validation_data", validation, run.callbacks, run.validation_steps))) do
      logs["val_" .. name] = value
    end
  end
  run.callbacks:on_epoch_end(epoch, logs)
  return logs
end

--- Trains the model.
-- @param x inputs: a tensor, nested tables of numbers, a list or table by name of those; or a function that gives batches `x, y, weight`
--   (or `{x, y, weight}`), and nil at the end of an epoch
-- @param[opt] y targets, in the form of the outputs
-- @tparam[opt=32] integer batch_size
-- @tparam[opt=1] integer epochs number of the last epoch
-- @param[opt="auto"] verbose 0: nothing, 1: a bar, 2: a line an epoch; "auto" is 1
-- @tparam[opt] table callbacks a list of Callbacks, or of tables with hooks such as `on_epoch_end`
-- @tparam[opt=0] number validation_split share of the data, from its end, to validate with
-- @param[opt] validation_data `{x, y}`, `{x, y, sample_weight}` or a function that gives batches
-- @param[opt=true] shuffle whether samples are taken in random order; "batch": batches
-- @tparam[opt] table class_weight weights of samples by class id (from 0)
-- @param[opt] sample_weight a weight for each sample
-- @tparam[opt=0] integer initial_epoch epochs that are done already
-- @tparam[opt] integer steps_per_epoch batches in an epoch; the data goes on from epoch to epoch then
-- @tparam[opt] integer validation_steps
-- @tparam[opt] integer validation_batch_size
-- @param[opt=1] validation_freq every how many epochs to validate, or a list of epochs
-- @treturn History `history.history.loss` is the list of losses
-- @raise where the data does not fit the model; "interrupted!" after Ctrl-C, with the model as after its last whole step
function Trainer:fit(...)
  local x, y, batch_size, epochs, verbose, callbacks, split, validation, shuffle, class_weight, sample_weight, initial_epoch,
    steps_per_epoch, validation_steps, validation_batch_size, validation_freq = bind_fit(...)
  check_compiled(self, "fit")
  check_shuffle(shuffle)
  local given = { x = x, y = y, sample_weight = sample_weight }
  if split > 0 and validation == nil then given, validation = data.split("fit", given, split) end
  local source = sources.of("fit", given, {
    batch_size = batch_size, shuffle = shuffle, batch_size_given = batch_size ~= nil, class_weight = class_weight, limit = steps_per_epoch,
  })
  local step = step_of(self, "train_step")
  local run = {
    model = self, step = step, source = source, phase = "train", limit = steps_per_epoch, reports = true, again = true,
    continues = steps_per_epoch ~= nil, first_epoch = initial_epoch + 1,
    check = source.batches and label_check(self, "fit") or nil,
    validation = validation_source(validation, validation_batch_size or batch_size, validation_steps),
    validation_steps = validation_steps,
    validation_freq = validation_freq,
  }
  run.callbacks = callback_list(self, callbacks, {
    history = true, verbose = verbosity("fit", verbose), epochs = epochs, steps = steps_per_epoch or source.steps, step = step,
  })
  prepare(self, "fit", step, source)
  local _ <close> = line_guard(run.callbacks)
  local _ <close> = sources.guard(source, run.validation)
  self.stop_training = false
  run.callbacks:on_train_begin {}
  local logs = {}
  for epoch = initial_epoch + 1, epochs do
    logs = run_epoch(self, run, epoch)
    if self.stop_training then break end
  end
  if initial_epoch < epochs then self.optimizer:finalize_variable_values(self.trainable_variables) end
  run.callbacks:on_train_end(logs)
  return self.history
end

---------------------------------------------------------------- evaluate

local bind_evaluate = arguments.binder("evaluate", {
  { "x", "any", optional = true }, { "y", "any", optional = true }, { "batch_size", "integer", optional = true, min = 1 },
  { "verbose", "any", default = "auto" }, { "sample_weight", "any", optional = true }, { "steps", "integer", optional = true, min = 1 },
  { "callbacks", "any", optional = true }, { "return_dict", "boolean", default = false },
}, false)

--- The loss and the metrics on data.
-- @param x inputs, as for `fit`
-- @param[opt] y targets
-- @tparam[opt=32] integer batch_size
-- @param[opt="auto"] verbose
-- @param[opt] sample_weight
-- @tparam[opt] integer steps
-- @tparam[opt] table callbacks
-- @tparam[opt=false] boolean return_dict
-- @treturn number... the loss, then the metrics in order; or with `return_dict` one table by name
function Trainer:evaluate(...)
  local x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict = bind_evaluate(...)
  check_compiled(self, "evaluate")
  local source = sources.of("evaluate", { x = x, y = y, sample_weight = sample_weight },
    { batch_size = batch_size, shuffle = false, batch_size_given = batch_size ~= nil, limit = steps })
  local list = callback_list(self, callbacks, {
    verbose = verbosity("evaluate", verbose), steps = steps or source.steps, step = step_of(self, "test_step"),
  })
  local _ <close> = line_guard(list)
  local _ <close> = sources.guard(source)
  local logs, names = evaluate_source(self, "evaluate", source, list, steps)
  if return_dict then return logs end
  return values_in_order(names, logs)
end

---------------------------------------------------------------- predict

local bind_predict = arguments.binder("predict", {
  { "x", "any", optional = true }, { "batch_size", "integer", optional = true, min = 1 }, { "verbose", "any", default = "auto" },
  { "steps", "integer", optional = true, min = 1 }, { "callbacks", "any", optional = true },
}, false)

-- Room for the outputs of all whole batches; nil where the outputs are not one entry for each sample.
local function room_for(plan, source, limit)
  local batches = source:whole()
  if limit then batches = math.min(batches, limit) end
  local results = {}
  for i, type in ipairs(plan.types) do
    if type.shape[1] ~= source.batch_size then return nil end
    local shape = table.move(type.shape, 1, #type.shape, 1, {})
    shape[1] = batches * source.batch_size
    results[i] = engine.empty(shape, type.dtype)
  end
  return results
end

local function joined(pieces, form)
  local outputs = {}
  for i = 1, #pieces[1] do
    local parts = {}
    for k, piece in ipairs(pieces) do parts[k] = piece[i] end
    outputs[i] = #parts == 1 and parts[1] or ops.concatenate(parts, 1)
  end
  engine.evaluate(outputs)
  return structure.pack(form, outputs)
end

--- The model's outputs for data.
-- @param x inputs, as for `fit`
-- @tparam[opt=32] integer batch_size
-- @param[opt="auto"] verbose
-- @tparam[opt] integer steps
-- @tparam[opt] table callbacks
-- @return a tensor `[samples, ...]`, or several in the structure of the model's outputs
function Trainer:predict(...)
  local x, batch_size, verbose, steps, callbacks = bind_predict(...)
  local source = sources.of("predict", { x = x }, {
    batch_size = batch_size, shuffle = false, batch_size_given = batch_size ~= nil, inputs_only = true, limit = steps,
  })
  local step = step_of(self, "predict_step")
  local list = callback_list(self, callbacks, { verbose = verbosity("predict", verbose), steps = steps or source.steps, step = step })
  local _ <close> = line_guard(list)
  local _ <close> = sources.guard(source)
  local pieces, form = {}, nil
  local run = {
    model = self, step = step, source = source, callbacks = list, phase = "predict", limit = steps,
    collect = function(outputs, outputs_form) pieces[#pieces + 1], form = outputs, outputs_form end,
  }
  source:rewind()
  if source:whole() > 0 and not self.run_eagerly and not list:has_batch_hooks "predict" then
    local plan = step:plan(source.form, source.key, source:types(source.batch_size))
    run.results = room_for(plan, source, steps)
    run.one_by_one = run.results == nil
    if run.results then pieces[1], form = run.results, plan.form end
  end
  list:on_predict_begin {}
  local done = loop.run(run)
  check_some("predict", done)
  list:on_predict_end {}
  return joined(pieces, form)
end

---------------------------------------------------------------- single batches

-- One batch of data as a source gives it.
local function single_batch(owner, given)
  local flat = data.flatten(owner, given)
  flat.rows = data.count_samples(owner, flat)
  return flat
end

local function run_single(self, owner, method, batch, return_dict)
  check_compiled(self, owner)
  self:reset_metrics()
  local step = step_of(self, method)
  step:prepare(batch)
  if not self.run_eagerly then label_check(self, owner)(batch) end
  step:run(batch)
  local logs = step:logs()
  if return_dict then return logs end
  return values_in_order(step:log_names(), logs)
end

local bind_train_on_batch = arguments.binder("train_on_batch", {
  { "x", "any" }, { "y", "any", optional = true }, { "sample_weight", "any", optional = true },
  { "class_weight", "any", optional = true }, { "return_dict", "boolean", default = false },
}, false)

--- One step of training on one batch.
-- @param x inputs
-- @param[opt] y targets
-- @param[opt] sample_weight
-- @tparam[opt] table class_weight
-- @tparam[opt=false] boolean return_dict
-- @treturn number... the loss, then the metrics in order; or with `return_dict` one table by name
function Trainer:train_on_batch(...)
  local x, y, sample_weight, class_weight, return_dict = bind_train_on_batch(...)
  local given = with_class_weight("train_on_batch", { x = x, y = y, sample_weight = sample_weight }, class_weight)
  return run_single(self, "train_on_batch", "train_step", single_batch("train_on_batch", given), return_dict)
end

local bind_test_on_batch = arguments.binder("test_on_batch", {
  { "x", "any" }, { "y", "any", optional = true }, { "sample_weight", "any", optional = true },
  { "return_dict", "boolean", default = false },
}, false)

--- The loss and the metrics of one batch.
-- @treturn number... as `train_on_batch`
function Trainer:test_on_batch(...)
  local x, y, sample_weight, return_dict = bind_test_on_batch(...)
  local batch = single_batch("test_on_batch", { x = x, y = y, sample_weight = sample_weight })
  return run_single(self, "test_on_batch", "test_step", batch, return_dict)
end

local bind_predict_on_batch = arguments.binder("predict_on_batch", { { "x", "any" } }, false)

--- The outputs of one batch.
function Trainer:predict_on_batch(...)
  local x = bind_predict_on_batch(...)
  local outputs, form = step_of(self, "predict_step"):run(single_batch("predict_on_batch", { x = x }))
  return structure.pack(form, outputs)
end

return Trainer
