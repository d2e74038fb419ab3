--- What models can do once they are compiled: fit, evaluate, predict, and the steps that these are
-- made of. The functions here become methods of `cusp.Model`. A model of one's own may override
-- `train_step`, `test_step`, `predict_step`, `compute_loss` and `compute_metrics`; each runs
-- compiled like the built-in ones, unless `run_eagerly` is true.
-- @classmod cusp.training.Trainer
local CompileLoss = require "cusp.training.compile_loss"
local CompileMetrics = require "cusp.training.compile_metrics"
local Layer = require "cusp.layers.machinery.layer"
local Object = require "cusp.base.class"
local rooms = require "cusp.base.rooms"
local Step = require "cusp.training.step"
local arguments = require "cusp.base.arguments"
local checks = require "cusp.training.checks"
local context = require "cusp.base.context"
local data = require "cusp.training.data"
local errors = require "cusp.base.errors"
local gradients = require "cusp.tensors.gradients"
local methods = require "cusp.base.methods"
local metrics = require "cusp.metrics"
local ops = require "cusp.ops"
local places = require "cusp.layers.machinery.places"
local optimizers = require "cusp.optimizers"
local structure = require "cusp.base.structure"
local warnings = require "cusp.base.warnings"
local whole = require "cusp.base.whole"

local Trainer = {}

local function class_name(self) return getmetatable(self).__name end

---------------------------------------------------------------- compiling

local bind_compile = arguments.named_binder("compile", {
  {"optimizer", "any", default = "rmsprop"}, {"loss", "any", optional = true},
  {"loss_weights", "any", optional = true},
  {"metrics", "any", optional = true}, {"weighted_metrics", "any", optional = true},
  {"run_eagerly", "boolean", default = false},
  {"steps_per_execution", "integer", default = 1, min = 1},
  {"jit_compile", "any", default = "auto"},
  {"auto_scale_loss", "boolean", default = true},
}, false)

local function optimizer_of(self, given, auto_scale)
  local optimizer = optimizers.get(given)
  if not Object.is_instance(optimizer, optimizers.Optimizer) then
    errors.raise("compile: optimizer should be a name or an Optimizer, got %s",
      errors.describe(given))
  end
  if auto_scale and self.dtype_policy == "mixed_float16"
    and not Object.is_instance(optimizer, optimizers.LossScaleOptimizer) then
    return optimizers.LossScaleOptimizer{optimizer, name = "loss_scale_optimizer"}
  end
  return optimizer
end

-- What `compile` was given, with the optimizer that was made of it.
local function compile_config(self, args)
  local config = {optimizer = self.optimizer,
    jit_compile = args.jit_compile == "auto" and not args.run_eagerly or args.jit_compile == true}
  for _, name in ipairs{"loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly",
    "steps_per_execution"} do
    config[name] = args[name]
  end
  return config
end

local function compile(self, ...)
  local args = bind_compile(...)
  local loss, wanted, weighted = args.loss, args.metrics, args.weighted_metrics
  self.optimizer = optimizer_of(self, args.optimizer, args.auto_scale_loss)
  local own = self.__own
  own.compile_loss = loss ~= nil and CompileLoss.new(self, loss, args.loss_weights) or nil
  own.compile_metrics = (wanted or weighted)
    and CompileMetrics.new(self, wanted or {}, weighted or {}) or nil
  own.loss_tracker, own.steps = metrics.Mean{name = "loss"}, {}
  own.compile_config = compile_config(self, args)
  rawset(self, "loss", loss) -- raw: nothing in it is saved with the model
  for _, name in ipairs{"run_eagerly", "steps_per_execution", "jit_compile"} do
    self[name] = args[name]
  end
  self.stop_training, self.compiled = false, true
  -- the optimizer's state, in a checkpoint that was loaded before
  local loading = self.__own.when_compiled
  if loading then
    self.__own.when_compiled = nil
    loading()
  end
end

-- The model alone, not its layers; an optimizer whose values wait takes variables of theirs.
local function changed_by_compile(self)
  if self.__own.when_compiled then return {self} end
  return {alone = {self, self.__order, self.__own}}
end

--- Says how the model is trained.
-- @param[opt="rmsprop"] optimizer a name or an Optimizer
-- @param[opt] loss a name, a function of (y_true, y_pred), or a Loss; for several outputs a list,
-- or a table by output name
-- @param[opt] loss_weights numbers in the same form
-- @param[opt] metrics a list of names, functions or Metrics; for several outputs a list of lists,
-- or a table by output name
-- @param[opt] weighted_metrics metrics that sample weights apply to, in the same form
-- @tparam[opt=false] boolean run_eagerly whether steps run as plain Lua, so that values can be
-- looked at
-- @tparam[opt=1] integer steps_per_execution steps between two calls of the hooks around batches
-- @param[opt] jit_compile taken and kept for Keras's sake: steps are always compiled here unless
-- run_eagerly
-- @tparam[opt=true] boolean auto_scale_loss whether the loss is scaled under the policy
-- "mixed_float16"
function Trainer:compile(...)
  checks.receiver(self, "compile")
  whole.with(changed_by_compile(self), compile, self, ...)
end

--- The arguments of `compile` in their serialised form; empty where it was not called.
function Trainer:get_compile_config()
  return rooms.get("saving.configuration.training").keras3(self)
end

--- Compiles as a serialised form says.
function Trainer:compile_from_config(config)
  rooms.get("saving.configuration.training").compile(self, config)
end

---------------------------------------------------------------- metrics

-- Calls f(name, metric) for each metric in the order in which results are reported.
local function each_metric(self, f)
  local own = self.__own
  local tracker, loss, compiled = own.loss_tracker, own.compile_loss, own.compile_metrics
  if tracker then f("loss", tracker) end
  for _, metric in ipairs(loss and loss.trackers or {}) do f(metric.name, metric) end
  if compiled then compiled:each(f) end
  for _, metric in ipairs(Layer.__getters.metrics(self)) do f(metric.name, metric) end
end

--- The loss's metric, those of the outputs' losses, those given to `compile`, and those among the
-- model's fields and layers.
-- @local
function Trainer:list_metrics()
  local list = {}
  each_metric(self, function(_, metric) list[#list + 1] = metric end)
  return list
end

--- The loss's metric, one that stands for those given to `compile`, those of the outputs' losses,
-- and those among the model's fields and layers.
-- @local
function Trainer:public_metrics()
  local own, list = self.__own, {}
  list[#list + 1] = own.loss_tracker
  list[#list + 1] = own.compile_metrics
  local trackers = own.compile_loss and own.compile_loss.trackers or {}
  table.move(trackers, 1, #trackers, #list + 1, list)
  local further = Layer.__getters.metrics(self)
  return table.move(further, 1, #further, #list + 1, list)
end

--- The results of all metrics by name.
-- @treturn table of scalar tensors
function Trainer:get_metrics_result()
  local results = {}
  each_metric(self, function(name, metric)
    local result = methods.single(metric.name .. ": result", metric:result())
    if structure.is_container(result) then
      for key, value in pairs(result) do results[key] = value end
    else
      results[name] = result
    end
  end)
  return results
end

--- The names of all metrics in the order in which results are reported.
-- @local
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

-- Calls f for a part of a step that profiles know by name.
local function within(name, f, ...)
  return context.within({place = places.named(name)}, f, ...)
end

local batch_keys = {x = true, y = true, y_pred = true, sample_weight = true, training = true}

--- The arguments of `compute_loss` and `compute_metrics`: in order, or in one table by name.
local function batch_arguments(x, y, y_pred, sample_weight)
  if y ~= nil or y_pred ~= nil or not structure.is_container(x) or x.y_pred == nil then
    return y, y_pred, sample_weight
  end
  for key in pairs(x) do
    if not batch_keys[key] then return y, y_pred, sample_weight end
  end
  return x.y, x.y_pred, x.sample_weight
end

--- The total loss of a batch: that given to `compile`, and what layers add.
-- @param x inputs
-- @param y targets
-- @param y_pred outputs
-- @param[opt] sample_weight
-- @treturn tensor scalar
function Trainer:compute_loss(x, y, y_pred, sample_weight)
  y, y_pred, sample_weight = batch_arguments(x, y, y_pred, sample_weight)
  local compiled = self.__own.compile_loss
  local total = compiled and within("loss", compiled.call, compiled, y, y_pred, sample_weight)
    or nil
  for _, loss in ipairs(self.losses) do
    if loss.ndim > 0 then loss = ops.sum(loss) end
    total = total == nil and loss or total + loss
  end
  if total == nil then
    errors.raise(
      "%s (%s): there is no loss to minimise; give compile a loss, or add one in a layer with "
      .. "add_loss", self.name,
      class_name(self))
  end
  return total
end

--- Updates the metrics with a batch.
-- @return the results of all metrics by name
function Trainer:compute_metrics(x, y, y_pred, sample_weight)
  y, y_pred, sample_weight = batch_arguments(x, y, y_pred, sample_weight)
  local compiled = self.__own.compile_metrics
  if compiled then within("metrics", compiled.update_state, compiled, y, y_pred, sample_weight) end
  return self:get_metrics_result()
end

local function batch_size_of(x) return structure.flatten(x)[1].shape[1] end

--- One step of training.
-- @tparam table batch `{x, y, sample_weight}`
-- @treturn table what to report, by name
function Trainer:train_step(batch)
  local x, y, sample_weight = data.unpack(batch)
  local tape <close> = gradients.GradientTape()
  local y_pred = self(x, {training = true})
  local loss = self:compute_loss(x, y, y_pred, sample_weight, true)
  local variables = self.trainable_variables
  if #variables > 0 then
    self.optimizer:ensure_built(variables) -- the scale of the loss is part of its state
    local found = tape:gradient(self.optimizer:scale_loss(loss), variables)
    within("optimizer", self.optimizer.apply, self.optimizer, found, variables)
  else
    warnings.warn("%s (%s): the model has no trainable weights: there is nothing to train",
      self.name, class_name(self))
  end
  CompileLoss.track(self.__own.loss_tracker, loss, batch_size_of(x))
  return self:compute_metrics(x, y, y_pred, sample_weight)
end

--- One step of evaluation.
-- @tparam table batch `{x, y, sample_weight}`
-- @treturn table what to report, by name
function Trainer:test_step(batch)
  local x, y, sample_weight = data.unpack(batch)
  local y_pred = self(x, {training = false})
  local loss = self:compute_loss(x, y, y_pred, sample_weight, false)
  CompileLoss.track(self.__own.loss_tracker, loss, batch_size_of(x))
  return self:compute_metrics(x, y, y_pred, sample_weight)
end

--- One step of prediction.
-- @tparam table batch `{x}`
-- @return the outputs
function Trainer:predict_step(batch)
  return self((data.unpack(batch)), {training = false})
end

--- Whether a method is the library's own.
-- @local
function Trainer:uses_default(method) return self[method] == Trainer[method] end

--- The compiled step of training.
-- @tparam[opt=false] boolean force whether it is forgotten and traced anew
function Trainer:make_train_function(force)
  if force and self.__own.steps then self.__own.steps.train_step = nil end
  return Step.of(self, "train_step")
end

--- The compiled step of testing; `force` as for `make_train_function`.
function Trainer:make_test_function(force)
  if force and self.__own.steps then self.__own.steps.test_step = nil end
  return Step.of(self, "test_step")
end

--- The compiled step of prediction; `force` as for `make_train_function`.
function Trainer:make_predict_function(force)
  if force and self.__own.steps then self.__own.steps.predict_step = nil end
  return Step.of(self, "predict_step")
end

-- Running on data, and single batches, have files of their own.
for _, file in ipairs{"runs", "single"} do
  for name, method in pairs(require("cusp.training." .. file)) do Trainer[name] = method end
end

return Trainer
