--- `fit`, `evaluate` and `predict`, which make a run of their arguments: methods of `cusp.Model`.
-- @module cusp.training.runs
local Run = require "cusp.training.run"
local Step = require "cusp.training.step"
local arguments = require "cusp.base.arguments"
local checks = require "cusp.training.checks"
local config = require "cusp.base.config"
local data = require "cusp.training.data"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local replicas = require "cusp.base.replicas"
local sources = require "cusp.training.source"
local structure = require "cusp.base.structure"

local runs = {}

-- Several inputs, or targets, one by one: the second tensor stands where batch_size does.
local function several(value)
  return engine.is_tensor(value) and "; several inputs or targets go in one list, as in {a, b}, "
    .. "and weights by name: sample_weight = w" or ""
end

---------------------------------------------------------------- fit

local bind_fit = arguments.named_binder("fit", {
  {"x", "any", optional = true}, {"y", "any", optional = true},
  {"batch_size", "integer", optional = true, min = 1, advice = several},
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

-- The run over the validation data of a fit; nil where there is none.
local function validation_run(self, given, batch_size, steps)
  if given == nil then return nil end
  local batched, is_list = false, type(given) == "table" and structure.is_container(given)
  if type(given) == "userdata" and given.dtype or is_list and given.x == nil and #given < 2 then
    errors.raise("fit: validation_data should be {x, y} or {x, y, sample_weight}, got %s",
      errors.describe(given))
  end
  if is_list then
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
      {batch_size = not batched and batch_size or nil, shuffle = false, limit = steps,
        own_step = not self:uses_default "test_step"}),
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

local function training_run(self, args)
  local given, validation = training_data(args)
  local run = Run.new{
    model = self, phase = "train", owner = "fit", limit = args.steps_per_epoch,
    continues = args.steps_per_epoch ~= nil, first_epoch = args.initial_epoch + 1,
    epochs = args.epochs, validation_freq = args.validation_freq,
    source = sources.of("fit", given, {
      batch_size = args.batch_size, shuffle = args.shuffle,
      batch_size_given = args.batch_size ~= nil, class_weight = args.class_weight,
      limit = args.steps_per_epoch, own_step = not self:uses_default "train_step",
    }),
  }
  run.validation = validation_run(self, validation,
    args.validation_batch_size or args.batch_size, args.validation_steps)
  return run
end

--- Trains the model.
-- @param x inputs: a tensor, nested tables of numbers, or a list or table by name of these; a
-- `cusp.data.Dataset` or a `PyDataset`; or a function that returns the next batch at each call,
-- `x, y, weight`, and nil at the end of an epoch
-- @param[opt] y targets, in the form of the outputs; not with a dataset or a function
-- @tparam[opt=32] integer batch_size samples per step, 32 by default; not with a dataset or a
-- function, which give batches
-- @tparam[opt=1] integer epochs the epoch to stop after: with `initial_epoch = 3`, `epochs = 5`
-- trains for two
-- @param[opt="auto"] verbose 0: nothing, 1 or "auto": a progress bar, 2: one line per epoch
-- @tparam[opt] table callbacks a list of Callbacks, or of tables with hooks such as `on_epoch_end`
-- @tparam[opt=0] number validation_split share of the data to validate with, taken from its end
-- @param[opt] validation_data `{x, y}`, `{x, y, sample_weight}`, a dataset or a function that
-- returns batches
-- @param[opt=true] shuffle true: samples in random order, "batch": batches in random order
-- @tparam[opt] table class_weight the weight of each class's samples, by class id (from 0)
-- @param[opt] sample_weight a weight for each sample
-- @tparam[opt=0] integer initial_epoch the number of epochs already trained
-- @tparam[opt] integer steps_per_epoch batches per epoch; the next epoch goes on with the data that
-- follow. If the data end early, so does the epoch, with a warning, and the next one starts again
-- at the first batch
-- @tparam[opt] integer validation_steps batches to validate with; by default all
-- @tparam[opt] integer validation_batch_size by default the batch_size
-- @param[opt=1] validation_freq validate every so many epochs, or after the epochs of a list
-- @treturn History `history.history.loss` is the list of losses
-- @raise if the data do not fit the model; if a callback fails, with its class and hook;
-- "interrupted!" after Ctrl-C, with the model as it was after its last complete step
function runs:fit(...)
  local args = bind_fit(...)
  args.epochs = math.min(args.epochs, config.max_epochs() or args.epochs)
  checks.compiled(self, "fit")
  args.x, args.y = data.for_model(self, args.x, args.y)
  checks.shuffle(args.shuffle)
  checks.frequency(args.validation_freq)
  local run <close> = training_run(self, args)
  run:set_callbacks(args.callbacks, {
    history = true, verbose = checks.verbosity("fit", args.verbose), epochs = args.epochs,
  })
  run:train()
  return self.history
end

---------------------------------------------------------------- evaluate

local bind_evaluate = arguments.named_binder("evaluate", {
  {"x", "any", optional = true}, {"y", "any", optional = true},
  {"batch_size", "integer", optional = true, min = 1, advice = several},
  {"verbose", "any", default = "auto"}, {"sample_weight", "any", optional = true},
  {"steps", "integer", optional = true, min = 1},
  {"callbacks", "any", optional = true}, {"return_dict", "boolean", default = false},
}, false)

--- Computes the loss and the metrics on data.
-- @param x inputs, as for `fit`
-- @param[opt] y targets
-- @tparam[opt=32] integer batch_size samples per step, 32 by default
-- @param[opt="auto"] verbose 0: nothing, 1 or "auto": a progress bar, 2: one line
-- @param[opt] sample_weight a weight for each sample
-- @tparam[opt] integer steps batches to evaluate; by default all
-- @tparam[opt] table callbacks as for `fit`
-- @tparam[opt=false] boolean return_dict whether to return a table by name
-- @treturn number... the loss, then the metrics in order; or with `return_dict` one table by name
function runs:evaluate(...)
  local args = bind_evaluate(...)
  checks.compiled(self, "evaluate")
  local x, y = data.for_model(self, args.x, args.y)
  local given = {x = x, y = y, sample_weight = args.sample_weight}
  local run <close> = Run.new{
    model = self, phase = "test", owner = "evaluate", limit = args.steps,
    source = sources.of("evaluate", given, {
      batch_size = args.batch_size, shuffle = false, batch_size_given = args.batch_size ~= nil,
      limit = args.steps, own_step = not self:uses_default "test_step",
    }),
  }
  run:set_callbacks(args.callbacks, {verbose = checks.verbosity("evaluate", args.verbose)})
  local logs = run:test()
  if args.return_dict then return logs end
  return run.step:values(logs)
end

---------------------------------------------------------------- predict

local bind_predict = arguments.binder("predict", {
  {"x", "any", optional = true},
  {"batch_size", "integer", optional = true, min = 1, advice = function(value)
    return engine.is_tensor(value)
      and "; several inputs go in one list, predict({a, b}), and predict takes no targets" or ""
  end},
  {"verbose", "any", default = "auto"},
  {"steps", "integer", optional = true, min = 1}, {"callbacks", "any", optional = true},
}, false)

-- The outputs for a tensor of one batch that nobody watches: a run would take longer than some
-- models. Nil where it takes one.
local function predict_at_once(self, x, batch_size, verbose, steps, callbacks)
  if not engine.is_tensor(x) or verbose ~= 0 or steps or callbacks or replicas.active
    or config.max_steps_per_epoch() then
    return nil
  end
  local flat = data.single("predict", {x = x})
  if flat.rows > (batch_size or 32) then return nil end
  self.stop_predicting = false
  return Step.of(self, "predict_step"):run(flat)
end

--- Computes the model's outputs for data.
-- @param x inputs, as for `fit`
-- @tparam[opt=32] integer batch_size samples per step, 32 by default
-- @param[opt="auto"] verbose 0: nothing, 1 or "auto": a progress bar, 2: one line
-- @tparam[opt] integer steps batches to predict for; by default all
-- @tparam[opt] table callbacks as for `fit`
-- @return a tensor `[samples, ...]`, or several in the structure of the model's outputs
function runs:predict(...)
  checks.receiver(self, "predict")
  local x, batch_size, verbose, steps, callbacks = bind_predict(...)
  x = data.for_model(self, x)
  local outputs, form = predict_at_once(self, x, batch_size, verbose, steps, callbacks)
  if outputs then return structure.pack(form, outputs) end
  local run <close> = Run.new{
    model = self, phase = "predict", owner = "predict", limit = steps,
    source = sources.of("predict", {x = x}, {
      batch_size = batch_size, shuffle = false, batch_size_given = batch_size ~= nil,
      inputs_only = true, limit = steps,
    }),
  }
  run:set_callbacks(callbacks, {verbose = checks.verbosity("predict", verbose)})
  return run:predict()
end

return runs
