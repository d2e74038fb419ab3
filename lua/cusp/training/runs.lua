--- Running a model on data: fit, evaluate, predict. These become methods of `cusp.Model`.
-- @module cusp.training.runs
local Run = require "cusp.training.run"
local arguments = require "cusp.base.arguments"
local checks = require "cusp.training.checks"
local data = require "cusp.training.data"
local errors = require "cusp.base.errors"
local sources = require "cusp.training.source"
local structure = require "cusp.base.structure"

local runs = {}

---------------------------------------------------------------- fit

local bind_fit = arguments.named_binder("fit", {
  {"x", "any", optional = true}, {"y", "any", optional = true},
  {"batch_size", "integer", optional = true, min = 1},
  {"epochs", "integer", default = 1, min = 0}, {"verbose", "any", default = "auto"},
  {"callbacks", "any", optional = true},
  {"validation_split", "number", default = 0, min = 0, below = 1},
  {"validation_data", "any", optional = true},
  {"shuffle", "any", default = true}, {"class_weight", "any", optional = true},
  {"sample_weight", "any", optional = true},
  {"initial_epoch", "integer", default = 0, min = 0},
  {"steps_per_epoch", "integer", optional = true, min = 1},
  {"validation_steps", "integer", optional = true, min = 1},
  {"validation_batch_size", "integer", optional = true, min = 1},
  {"validation_freq", "any", default = 1},
}, false)

local function validation_source(self, given, batch_size, steps)
  if given == nil then return nil end
  local batched = false
  if type(given) == "table" and structure.is_container(given) then
    if given.x == nil and #given < 2 then
      errors.raise("fit: validation_data should be {x, y} or {x, y, sample_weight}, got %s",
        errors.describe(given))
    end
    given = given.x ~= nil and given or {x = given[1], y = given[2], sample_weight = given[3]}
    local x, y = data.for_model(self, given.x, given.y)
    given = {x = x, y = y, sample_weight = given.sample_weight}
  else
    given, batched = {x = given}, true
  end
  local owner = "fit: validation_data"
  return Run.new{
    model = self, phase = "test", owner = owner, limit = steps,
    source = sources.of(owner, given,
      {batch_size = not batched and batch_size or nil, shuffle = false, limit = steps}),
  }
end

-- The data of a fit, and those that it validates with.
local function training_data(args)
  local given = {x = args.x, y = args.y, sample_weight = args.sample_weight}
  if args.validation_split == 0 or args.validation_data ~= nil then
    return given, args.validation_data
  end
  return data.split("fit", given, args.validation_split)
end

-- Begins the pass over the data that an epoch makes, unless an earlier epoch's goes on in it.
local function begin_pass(run, epoch)
  if run.continues and epoch > run.first_epoch then return end
  resuming.rewind(run)
end

local function validate(self, run, epoch, logs)
  local validation = run.validation
  if not validation or not validates_at(epoch, run.validation_freq) then return end
  for name, value in pairs((evaluate_source(self, "fit: validation_data", validation, run.callbacks,
    run.validation_steps))) do
    logs["val_" .. name] = value
  end
end

-- One epoch, or what is left of it where `batches` are done. Returns what it reports; nil where a
-- function that gives batches had none left.
local function run_epoch(self, run, epoch, batches)
  if not batches then self:reset_metrics() end
  run.callbacks:on_epoch_begin(epoch, {})
  run.step = Step.of(self, "train_step") -- callbacks may have changed what a step computes
  if epoch == run.first_epoch or run.has_own then checks.trainable(self, run.step) end
  if not batches then begin_pass(run, epoch) end
  run.done = batches
  local done = loop.run(run)
  if done == 0 and run.source.next_batch and epoch > run.first_epoch then
    checks.ran_out(epoch - 1, run.epochs)
    self.stop_training = true
    return nil
  elseif not self.stop_training then
    checks.steps("fit", done, run.limit, run.limit and run.limit * run.epochs)
  end
  local params = run.callbacks.params
  if not params.steps then params.steps = done end
  local logs = run.step:logs()
  validate(self, run, epoch, logs)
  run.callbacks:on_epoch_end(epoch, logs)
  return logs
end

-- The epochs that are to be run. Returns what the last one reported.
local function run_epochs(self, run)
  local resumed = run.resumed or {}
  local logs, first = resumed.logs or {}, run.first_epoch
  if resumed.batches then
    logs = run_epoch(self, run, resumed.epoch, resumed.batches)
  elseif resumed.stop then
    self.stop_training = true
  end
  if resumed.epoch then first = resumed.epoch + 1 end
  for epoch = first, run.epochs do
    if self.stop_training then break end
    logs = run_epoch(self, run, epoch) or logs
  end
  return logs
end

-- The optimizer gives the model its averages, if it keeps any.
local function settle(self, run)
  for _, callback in ipairs(run.callbacks.callbacks) do
    if callback.settle then callback:settle() end
  end
  self.optimizer:finalize_variable_values(self.trainable_variables)
end

--- Trains the model.
-- @param x inputs: a tensor, nested tables of numbers, a list or table by name of those; a
-- `cusp.data.Dataset` or a `Sequence`; or a
--   function that gives batches `x, y, weight` (or `{x, y, weight}`), and nil at the end of an
--   epoch
-- @param[opt] y targets, in the form of the outputs
-- @tparam[opt=32] integer batch_size
-- @tparam[opt=1] integer epochs number of the last epoch
-- @param[opt="auto"] verbose 0: nothing, 1: a bar, 2: a line an epoch; "auto" is 1
-- @tparam[opt] table callbacks a list of Callbacks, or of tables with hooks such as `on_epoch_end`
-- @tparam[opt=0] number validation_split share of the data, from its end, to validate with
-- @param[opt] validation_data `{x, y}`, `{x, y, sample_weight}`, a data set or a function that
-- gives batches
-- @param[opt=true] shuffle whether samples are taken in random order; "batch": batches
-- @tparam[opt] table class_weight weights of samples by class id (from 0)
-- @param[opt] sample_weight a weight for each sample
-- @tparam[opt=0] integer initial_epoch epochs that are done already
-- @tparam[opt] integer steps_per_epoch batches in an epoch; an epoch goes on in the data where the
-- one before it ended. Where the data
--   end, so does the epoch, with a warning, and the next begins with the first batch
-- @tparam[opt] integer validation_steps
-- @tparam[opt] integer validation_batch_size
-- @param[opt=1] validation_freq every how many epochs to validate, or a list of epochs
-- @treturn History `history.history.loss` is the list of losses
-- @raise where the data does not fit the model; what a callback raises, with its class and hook;
-- "interrupted!" after Ctrl-C. The model
--   is as after its last whole step then, and can be trained on
function runs:fit(...)
  local args = bind_fit(...)
  checks.compiled(self, "fit")
  x, y = data.for_model(self, x, y)
  checks.shuffle(shuffle)
  checks.frequency(validation_freq)
  local given = {x = x, y = y, sample_weight = sample_weight}
  if split > 0 and validation == nil then given, validation = data.split("fit", given, split) end
  local source = sources.of("fit", given, {
    batch_size = batch_size, shuffle = shuffle, batch_size_given = batch_size ~= nil,
    class_weight = class_weight, limit = steps_per_epoch,
  })
  local run = {
    model = self, step = Step.of(self, "train_step"), source = source, phase = "train",
    limit = steps_per_epoch, reports = true,
    continues = steps_per_epoch ~= nil, first_epoch = initial_epoch + 1, epochs = epochs,
    check = source.batches and checks.labels(self, "fit") or nil,
    validation = validation_source(self, validation, validation_batch_size or batch_size,
      validation_steps), validation_steps = validation_steps,
    validation_freq = validation_freq,
  }
  run.callbacks = callback_list(self, callbacks, run, {
    history = true, verbose = checks.verbosity("fit", verbose), epochs = epochs,
    steps = steps_per_epoch or source.steps,
  })
  run.keeps_place, run.has_own = run.callbacks:keeps_place(), run.callbacks:has_own()
  local _ <close> = guard(run)
  prepare(self, "fit", run.step, source)
  self.stop_training = false
  run.callbacks:resume(run)
  run.callbacks:on_train_begin{}
  local logs = run_epochs(self, run)
  if initial_epoch < epochs then settle(self, run) end
  run.callbacks:on_train_end(logs)
  return self.history
end

---------------------------------------------------------------- evaluate

local bind_evaluate = arguments.named_binder("evaluate", {
  {"x", "any", optional = true}, {"y", "any", optional = true},
  {"batch_size", "integer", optional = true, min = 1},
  {"verbose", "any", default = "auto"}, {"sample_weight", "any", optional = true},
  {"steps", "integer", optional = true, min = 1},
  {"callbacks", "any", optional = true}, {"return_dict", "boolean", default = false},
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
function runs:evaluate(...)
  local x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict = bind_evaluate(...)
  x, y = data.for_model(self, x, y)
  checks.compiled(self, "evaluate")
  local given = {x = args.x, y = args.y, sample_weight = args.sample_weight}
  local run <close> = Run.new{
    model = self, phase = "test", owner = "evaluate", limit = args.steps,
    source = sources.of("evaluate", given, {
      batch_size = args.batch_size, shuffle = false, batch_size_given = args.batch_size ~= nil,
      limit = args.steps,
    }),
  }
  run:set_callbacks(args.callbacks, {verbose = checks.verbosity("evaluate", args.verbose)})
  local logs = run:test()
  if args.return_dict then return logs end
  return run.step:values(logs)
end

---------------------------------------------------------------- predict

local bind_predict = arguments.binder("predict", {
  {"x", "any", optional = true}, {"batch_size", "integer", optional = true, min = 1},
  {"verbose", "any", default = "auto"},
  {"steps", "integer", optional = true, min = 1}, {"callbacks", "any", optional = true},
}, false)

--- The model's outputs for data.
-- @param x inputs, as for `fit`
-- @tparam[opt=32] integer batch_size
-- @param[opt="auto"] verbose
-- @tparam[opt] integer steps
-- @tparam[opt] table callbacks
-- @return a tensor `[samples, ...]`, or several in the structure of the model's outputs
function runs:predict(...)
  checks.receiver(self, "predict")
  local x, batch_size, verbose, steps, callbacks = bind_predict(...)
  x = data.for_model(self, x)
  local source = sources.of("predict", {x = x},
    {batch_size = batch_size, shuffle = false, batch_size_given = batch_size ~= nil,
      inputs_only = true, limit = steps})
  local step = Step.of(self, "predict_step")
  local pieces, form = {}, nil
  local run = {
    model = self, step = step, source = source, phase = "predict", limit = steps,
    collect = function(outputs, outputs_form) pieces[#pieces + 1], form = outputs, outputs_form end,
  }
  run:set_callbacks(callbacks, {verbose = checks.verbosity("predict", verbose)})
  return run:predict()
end

return runs
