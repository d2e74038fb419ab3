--- The loop over batches of an epoch, of evaluate and of predict.
-- Where no callback wants to be called around batches, whole batches run in the engine, and Lua
-- sees them only to draw the progress.
-- @module cusp.training.loop
local engine = require "cusp.engine"
local progress = require "cusp.base.progress"
local resuming = require "cusp.callbacks.resuming"

local loop = {}

local function show(run, done)
  local bar = run.callbacks.progbar
  if bar then
    bar:update(done, function()
      return run.step:log_names()
    end, run.reports and function() return run.step:logs() end or {})
  end
end

local function deadline(run)
  if not run.callbacks.progbar then return 0 end
  return engine.monotonic() + progress.interval
end

-- The clock of the progress line starts when nothing is left to be traced.
local function start_clock(run, done)
  if run.clock then return end
  run.clock = true
  if run.callbacks.progbar then run.callbacks.progbar:restart(done) end
end

-- Whole batches without Lua. Returns how many steps are done.
local function run_whole(run, done, limit)
  local source = run.source
  local count = source:whole()
  if limit then count = math.min(count, limit - done) end
  if count == 0 then return done end
  local plan = run.step:plan(source.form, source.key, source:types(source.batch_size))
  start_clock(run, done)
  local last, loss = done + count, run.check and rawget(run.model, "_compile_loss")
  while done < last do
    local ran = source:run(plan.run, last - done, deadline(run), run.results,
      loss and loss.label_checks)
    if ran == 0 then break end
    done = done + ran
    resuming.advance(run, ran)
    show(run, done)
  end
  return done
end

local function run_one(run, done)
  local batch = run.source:batch()
  resuming.advance(run, 1)
  if not batch then return nil end
  run.step:prepare(batch)
  if run.check and not run.model.run_eagerly then run.check(batch) end
  local outputs, form = run.step:run(batch)
  if run.collect then run.collect(outputs, form, batch.rows) end
  return done + 1
end

-- A group of batches between two calls of the hooks. Returns how many steps are done; nil where
-- there was no batch left.
local function run_group(run, done, limit)
  local hooks, phase = run.callbacks, run.phase
  if run.hooks then hooks:call_batch(phase, "begin", done + 1, {}) end
  local before = done
  for _ = 1, math.min(run.group, limit and limit - done or math.huge) do
    local next_done = run_one(run, done)
    if not next_done then break end
    done = next_done
    start_clock(run, done)
  end
  if done == before then return nil end
  if run.hooks then hooks:call_batch(phase, "end", done, run.reports and run.step:logs() or {}) end
  show(run, done)
  return done
end

local stops = {train = "stop_training", test = "stop_evaluating", predict = "stop_predicting"}

-- Whether there is, or may be, a batch. A pass that had ended before this run of steps began gives
-- way to the next.
local function has_more(run, done)
  if not run.source:finished() then return true end
  if done > 0 or run.rewound then return false end
  run.rewound = true
  resuming.rewind(run)
  return not run.source:finished()
end

--- Runs steps.
-- @tparam table run `model`, `step`, `source`, `callbacks`, `phase` ("train", "test", "predict"),
-- `limit` (steps to run, nil: to the end
--   of the data), `reports` (whether steps report values), `check` (called with each batch that
--   comes alone), `collect` (called with outputs of batches that come alone), `results` (what those
--   of whole batches are written to), `one_by_one`, `done` (steps that were done earlier),
--   `keeps_place` (whether where it stands in the data is noted)
-- @treturn integer steps done
function loop.run(run)
  local model, source, stop = run.model, run.source, stops[run.phase]
  run.hooks = run.callbacks:has_batch_hooks(run.phase)
  run.group = model.steps_per_execution or 1
  run.clock, run.rewound = false, false
  local one_by_one = run.hooks or model.run_eagerly or run.one_by_one
  local done, limit = run.done or 0, run.limit
  while (not limit or done < limit) and has_more(run, done) do
    if not one_by_one then done = run_whole(run, done, limit) end
    if (not limit or done < limit) and not source:finished() then
      local next_done = run_group(run, done, limit)
      if not next_done and not source:finished() then break end
      done = next_done or done
    end
    if model[stop] then break end
  end
  run.done = nil
  resuming.end_pass(run)
  return done
end

return loop
