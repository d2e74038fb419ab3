--- One run of a model over data, in training, testing or prediction: what it runs, where it stands,
-- and what is done with it.
--
-- Where no callback wants to be called around batches, whole batches run in the engine, and Lua
-- sees them only to draw the progress.
-- @classmod cusp.training.Run
local CallbackList = require "cusp.callbacks.callback_list"
local Object = require "cusp.base.class"
local Step = require "cusp.training.step"
local checks = require "cusp.training.checks"
local config = require "cusp.base.config"
local engine = require "cusp.engine"
local ops = require "cusp.ops"
local progress = require "cusp.base.progress"
local random = require "cusp.tensors.random"
local replicas = require "cusp.base.replicas"
local shards = require "cusp.training.shards"
local structure = require "cusp.base.structure"
local together = require "cusp.training.together"

-- What each phase runs, and the model's flag that ends it.
local phases = {
  train = {method = "train_step", stop = "stop_training"},
  test = {method = "test_step", stop = "stop_evaluating"},
  predict = {method = "predict_step", stop = "stop_predicting"},
}

-- All fields of a run; writing or reading another one is an error.
local declared = {
  -- What is run
  model = true,
  phase = true,           -- "train", "test" or "predict"
  owner = true,           -- what the user called, for messages
  source = true,          -- where batches come from
  limit = true,           -- steps to run; nil: to the end of the data
  callbacks = true,       -- a CallbackList
  step = true,            -- the compiled step, as of the last time it was asked for
  reports = true,         -- whether steps report values
  hooked = true,          -- whether a callback of any process wants to be called around batches
  check = true,           -- called with each batch that comes alone, before it runs
  -- Where it stands
  epoch = true,           -- the epoch that it is in
  done = true,            -- steps done of this epoch
  place = true,           -- what leads back to where it stands in the data, see `keep_place`
  rewound = true,         -- whether these steps began a second pass over the data
  clocked = true,         -- whether the progress line's clock runs: nothing is left to be traced
  -- Of training alone
  first_epoch = true,
  epochs = true,          -- number of the last one
  continues = true,       -- whether an epoch goes on in the data where the one before it ended
  start = true,           -- where an earlier process ended, see `start_from`
  validation = true,      -- the Run over the validation data
  lost = true,            -- whether the loss has become nan
  validation_freq = true, -- every how many epochs, or at which
  has_own = true,         -- whether code of the user's runs in callbacks
  -- Of prediction alone
  results = true,         -- tensors that the outputs of whole batches are written to
  pieces = true,          -- outputs of all batches: lists of tensors to be joined
  form = true,            -- the structure of the outputs
  counted = true,         -- of several processes: whether the outputs of this one count
}

local Run = {}

local meta = {__name = "cusp.training.Run", __index = Run}

function meta.__newindex(run, name, value)
  if not declared[name] then error("a run has no field " .. tostring(name), 2) end
  rawset(run, name, value)
end

-- However a run ends, its sources let go of what they hold; where an error ends it, the callbacks
-- hear of it.
function meta.__close(run, message)
  if message ~= nil and run.callbacks then run.callbacks:abandon() end
  run:close()
end

setmetatable(Run, {
  __index = function(_, name)
    if not declared[name] then error("a run has no field " .. tostring(name), 2) end
  end,
})

---------------------------------------------------------------- making one

-- Fewer steps, where `cusp.config` allows fewer than there would be.
local function limit_steps(run)
  local most, planned = config.max_steps_per_epoch(), run.limit or run.source.steps
  if not most or planned and planned <= most then return end
  run.limit, run.continues = most, run.phase == "train" or nil
end

-- Of several processes, each takes its part of the data.
local function take_part(run)
  if run.phase ~= "predict" then
    run.source = shards.of(run.source)
  elseif not run.source.batches then
    run.source, run.counted = shards.for_predict(run.source, run.limit)
    run.limit = nil
  end
end

--- A run; close it, or hold it in a variable `<close>`.
-- @tparam table given `model`, `phase`, `owner`, `source`, and further fields as declared above
-- @treturn Run
function Run.new(given)
  local run = setmetatable({done = 0}, meta)
  for name, value in pairs(given) do run[name] = value end
  limit_steps(run)
  if replicas.active then take_part(run) end
  if run.phase ~= "predict" then
    run.reports = true
    run.check = run.source.batches and checks.labels(run.model, run.owner) or nil
  end
  return run
end

local silent -- the list of no callbacks, which runs share

--- Gives the run its callbacks.
-- @param given as the user gave them: a list, a CallbackList, or nil
-- @tparam table options `verbose`; `epochs`; `history`: whether a History is added
function Run:set_callbacks(given, options)
  local list = given
  if replicas.active then options.verbose = together.verbosity(options.verbose) end
  if given == nil and options.verbose == 0 and not options.history then
    silent = silent or CallbackList()
    list = silent
  elseif not Object.is_instance(given, CallbackList) then
    list = CallbackList{
      callbacks = given, add_history = options.history, add_progbar = options.verbose ~= 0,
      model = self.model,
      params = {verbose = options.verbose, epochs = options.epochs or 1,
        steps = self.limit or self.source.steps},
    }
  end
  if list.progbar then list.progbar.order = function() return self.step:log_names() end end
  self.callbacks, self.has_own = list, list:has_own()
  if self.validation then self.validation.callbacks = list end
end

--- Has the sources let go of threads and files.
function Run:close()
  if self.source.close then self.source:close() end
  if self.validation then self.validation:close() end
  if replicas.active then replicas.set_share() end
end

--- Takes the step as the model is now: callbacks may have changed what it computes.
function Run:take_step() self.step = Step.of(self.model, phases[self.phase].method) end

--- Traces the step for a source of arrays, and looks at its labels, before anything is changed.
function Run:prepare()
  local source = self.source
  if source.batches or self.step.eager then return end
  self.step:plan(source.form, source.key,
    source:types(math.min(source.batch_size, source.samples)))
  if not source.checked then
    checks.labels(self.model, self.owner)(source)
    source.checked = true
  end
end

--- Lets the model's flag go that ends runs of this phase.
function Run:unstop() self.model[phases[self.phase].stop] = false end

--- Whether a callback has asked for its end.
function Run:is_stopped() return self.model[phases[self.phase].stop] end

--- Ends it, as a callback would.
function Run:stop() self.model[phases[self.phase].stop] = true end

---------------------------------------------------------------- the place in the data

--- Notes from now on what leads back to where the run stands. To be asked for before its first
-- pass.
function Run:keep_place() self.place = {taken = 0, calls = 0, passes = 0, ends = {}} end

--- Begins a pass over the data.
function Run:rewind()
  local place = self.place
  if place then
    place.random, place.taken, place.passes = random.get_state(), 0, place.passes + 1
  end
  self.source:rewind()
end

-- Ends a pass; what the source does then may draw random numbers.
local function end_pass(self)
  if not self.source.epoch_end then return end
  if self.place then table.insert(self.place.ends, random.get_state()) end
  self.source:epoch_end()
end

-- Notes that batches were taken.
local function advance(self, count)
  local place = self.place
  if place then place.taken, place.calls = place.taken + count, place.calls + count end
end

--- Where in the data the run stands: from which random numbers its pass was drawn (`random`), the
-- batches taken of it (`taken`) and of all passes (`calls`), the number of passes, the random
-- numbers at the end of each (`ends`), and whether a function has no more (`ended`).
-- @treturn ?table plain data and tensors; nil where it was not kept
function Run:get_place()
  local place = self.place
  if place then place.ended = self.source.ended end
  return place
end

local function skip(source, count)
  if source.skip then return source:skip(count) end
  for _ = 1, count do
    if not source:batch() then return end
  end
end

-- A function cannot go back: it is asked for all batches that it gave, from its first.
local function replay(source, place)
  for _ = 1, place.calls do source:batch() end
  source.ended = place.ended
end

--- Puts the run where another one stood. The states of generators are others afterwards.
-- What a source counts or changes with each pass, it counts and changes again for all of them.
-- @tparam table place
-- @tparam boolean within whether the run goes on within the pass
-- @tparam function before_last called before the last of the passes begins
function Run:set_place(place, within, before_last)
  local source = self.source
  self.place = {
    random = place.random, taken = place.taken, calls = place.calls, passes = place.passes,
    ends = table.move(place.ends, 1, #place.ends, 1, {}),
  }
  if source.next_batch then return replay(source, place) end
  for pass = 1, place.passes do
    if pass == place.passes then
      before_last()
      random.set_state(place.random)
    end
    source:rewind()
    if pass == place.passes and within then skip(source, place.taken) end
    if place.ends[pass] then
      random.set_state(place.ends[pass])
      source:epoch_end()
    end
  end
end

---------------------------------------------------------------- steps

local function show(self)
  local bar = self.callbacks.progbar
  if not bar then return end
  bar:update(self.done, function() return self.step:log_names() end,
    self.reports and function() return self.step:logs() end or {})
end

local function deadline(self)
  if not self.callbacks.progbar then return 0 end
  return engine.monotonic() + progress.interval
end

-- The clock of the progress line starts when nothing is left to be traced.
local function start_clock(self)
  if self.clocked then return end
  self.clocked = true
  if self.callbacks.progbar then self.callbacks.progbar:restart(self.done) end
end

-- The steps that are left before the limit.
local function left(self) return self.limit and self.limit - self.done or math.huge end

-- Up to `most` whole batches without Lua. Returns whether there was one.
local function run_whole(self, most)
  local source = self.source
  local count = math.min(source:whole(), most)
  if count == 0 then return false end
  local plan = self.step:plan(source.form, source.key, source:types(source.batch_size))
  start_clock(self)
  local before, loss = self.done, self.check and self.model.__own.compile_loss
  local last = before + count
  while self.done < last do
    local ran = source:run(plan.run, last - self.done, deadline(self), self.results,
      loss and loss.label_checks)
    if ran == 0 then break end
    self.done = self.done + ran
    advance(self, ran)
    show(self)
  end
  return self.done > before
end

-- Returns whether there was a batch.
local function run_one(self)
  local batch = self.source:batch()
  advance(self, 1)
  if not batch then return false end
  local plan = self.step:prepare(batch)
  if plan and self.check then self.check(batch) end
  local outputs, form = self.step:run(batch, plan)
  if self.pieces then self.pieces[#self.pieces + 1], self.form = outputs, form end
  self.done = self.done + 1
  return true
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

-- What hooks get after a group of batches: the values that steps report, or the outputs.
local function batch_logs(self, batches)
  local pieces = self.pieces
  if pieces then
    local last = table.move(pieces, #pieces - batches + 1, #pieces, 1, {})
    return {outputs = joined(last, self.form)}
  end
  return self.reports and self.step:logs() or {}
end

-- A group of batches between two calls of the hooks. Returns whether there was a batch.
local function run_group(self, begins, ends, by_lua)
  local callbacks, before = self.callbacks, self.done
  if begins then callbacks:call_batch(self.phase, "begin", before + 1, {}) end
  local last = before + math.min(self.model.steps_per_execution or 1, left(self))
  while self.done < last do
    if by_lua or not run_whole(self, last - self.done) then
      if not run_one(self) then break end
      start_clock(self)
    end
  end
  if self.done == before then return false end
  if ends then
    callbacks:call_batch(self.phase, "end", self.done, batch_logs(self, self.done - before))
  end
  show(self)
  return true
end

-- Whether there is, or may be, a batch. A pass that had ended before these steps began gives way to
-- the next.
local function has_more(self)
  if not self.source:finished() then return true end
  if self.done > 0 or self.rewound then return false end
  self.rewound = true
  self:rewind()
  return not self.source:finished()
end

--- Runs steps to the limit or the end of the data.
-- @tparam[opt=0] integer done steps of them that were done earlier
-- @treturn integer steps done
function Run:run_steps(done)
  self.done, self.clocked, self.rewound = done or 0, false, false
  local source, callbacks = self.source, self.callbacks
  local begins = callbacks:has_batch_hooks(self.phase, "begin")
  local ends = callbacks:has_batch_hooks(self.phase, "end")
  local by_lua = self.step.eager or self.phase == "predict" and not self.results
  local shared = self.hooked -- by callbacks of any process
  local one_by_one = begins or ends or by_lua or shared
  while left(self) > 0 and has_more(self) do
    if not one_by_one then run_whole(self, left(self)) end
    if left(self) > 0 and not source:finished() then
      if not run_group(self, begins, ends, by_lua) and not source:finished() then break end
    end
    if shared then together.agree_to_stop(self) end
    if self:is_stopped() then break end
  end
  end_pass(self)
  return self.done
end

---------------------------------------------------------------- testing

--- Runs the test step over the data, within a fit or by itself.
-- @treturn table what the steps report, by name
function Run:test()
  self:take_step()
  self:unstop()
  self.callbacks:on_test_begin{}
  self:prepare()
  if replicas.active and self.owner == "evaluate" then together.begin(self) end
  self.step:reset_metrics()
  self.source:rewind()
  local done = self:run_steps()
  if not self:is_stopped() then checks.steps(self.owner, done, self.limit) end
  local logs = self.step:logs()
  self.callbacks:on_test_end(logs)
  return logs
end

---------------------------------------------------------------- training

local function validates_at(epoch, frequency)
  if type(frequency) ~= "table" then return epoch % frequency == 0 end
  for _, wanted in ipairs(frequency) do
    if wanted == epoch then return true end
  end
  return false
end

local function validate(self, logs)
  if not self.validation or not validates_at(self.epoch, self.validation_freq) then return end
  for name, value in pairs(self.validation:test()) do logs["val_" .. name] = value end
end

-- One epoch, or what is left of it where `batches` are done. Returns what it reports; nil if a
-- function that gives batches had none left.
local function run_epoch(self, epoch, batches)
  local model, callbacks, is_first = self.model, self.callbacks, epoch == self.first_epoch
  self.epoch, self.done = epoch, batches or 0
  if not batches then
    self:take_step()
    self.step:reset_metrics()
  end
  callbacks:on_epoch_begin(epoch, {})
  if batches or not callbacks:only_watches() then self:take_step() end
  if is_first or self.has_own then checks.trainable(model, self.step) end
  if not batches and (is_first or not self.continues) then self:rewind() end
  local done = self:run_steps(batches)
  if done == 0 and self.source.next_batch and not is_first then
    checks.ran_out(epoch - 1, self.epochs)
    model.stop_training = true
    return nil
  elseif not self:is_stopped() then
    checks.steps("fit", done, self.limit, self.limit and self.limit * self.epochs)
  end
  local params = callbacks.params
  if not params.steps then params.steps = done end
  local logs = self.step:logs()
  self.lost = self.lost or checks.lost(epoch, logs)
  validate(self, logs)
  callbacks:on_epoch_end(epoch, logs)
  if replicas.active then together.agree_to_stop(self) end
  return logs
end

--- Has the epochs begin where those of an earlier process ended.
-- @tparam table start `epoch`; `batches`, the steps done of it (nil: all); `logs`, what it
-- reported; `stop`, whether a callback had asked for the end
function Run:start_from(start) self.start = start end

--- Runs the epochs.
-- @treturn table what the last one reported
function Run:run_epochs()
  local start, first = self.start or {}, self.first_epoch
  local logs = start.logs or {}
  if start.batches then
    logs = run_epoch(self, start.epoch, start.batches)
  elseif start.stop then
    self.model.stop_training = true
  end
  if start.epoch then first = start.epoch + 1 end
  for epoch = first, self.epochs do
    if self:is_stopped() then break end
    logs = run_epoch(self, epoch) or logs
  end
  return logs
end

--- Trains.
function Run:train()
  self:take_step()
  self:prepare()
  self:unstop()
  if replicas.active then together.begin(self) end
  self.callbacks:resume(self)
  self.callbacks:on_train_begin{}
  local logs = self:run_epochs()
  if self.first_epoch <= self.epochs then self:settle() end
  self.callbacks:on_train_end(logs)
end

--- Has the optimizer give the model its averages, if it keeps any.
function Run:settle()
  for _, callback in ipairs(self.callbacks.callbacks) do
    if callback.settle then callback:settle() end
  end
  self.model.optimizer:finalize_variable_values(self.model.trainable_variables)
end

---------------------------------------------------------------- prediction

-- Room for the outputs of all whole batches; nil where the outputs are not one entry for each
-- sample.
local function room_for(plan, source, limit)
  local batches = math.min(source:whole(), limit or math.huge)
  local results = {}
  for i, type in ipairs(plan.types) do
    if type.shape[1] ~= source.batch_size then return nil end
    local shape = table.move(type.shape, 1, #type.shape, 1, {})
    shape[1] = batches * source.batch_size
    results[i] = engine.empty(shape, type.dtype)
  end
  return results
end

-- Makes room beforehand where batches can run without Lua.
local function make_room(self)
  local source = self.source
  local by_lua = source:whole() == 0 or source.batches or self.step.eager
    or self.callbacks:has_batch_hooks "predict"
  if by_lua then return end
  local plan = self.step:plan(source.form, source.key, source:types(source.batch_size))
  self.results = room_for(plan, source, self.limit)
  if self.results then self.pieces[1], self.form = self.results, plan.form end
end

--- Predicts.
-- @return the outputs for all data in the structure of the model's
function Run:predict()
  self.pieces = {}
  self:take_step()
  self:unstop()
  if replicas.active then together.begin(self) end
  self.source:rewind()
  make_room(self)
  self.callbacks:on_predict_begin{}
  local done = self:run_steps()
  checks.steps("predict", done, not self:is_stopped() and self.limit or nil)
  self.callbacks:on_predict_end{}
  local outputs = joined(self.pieces, self.form)
  if self.counted == nil then return outputs end
  return structure.pack(self.form, shards.gather(structure.flatten(outputs), self.counted))
end

return Run
