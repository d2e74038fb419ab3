--- `model:profile{...}`: where the time of a few steps goes.
-- @module cusp.models.profile
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local profiler = require "cusp.profiler"

local bind = arguments.named_binder("profile", {
  {"x", "any"}, {"y", "any", optional = true},
  {"batch_size", "integer", default = 32, min = 1}, {"steps", "integer", default = 10, min = 1},
  {"sample_weight", "any", optional = true},
  {"method", "string", optional = true}, {"logdir", "string", optional = true},
}, false)

local runners = {}

function runners.fit(self, args, steps)
  self:fit{x = args.x, y = args.y, sample_weight = args.sample_weight, verbose = 0,
    batch_size = args.batch_size, steps_per_epoch = steps, shuffle = false}
end

function runners.evaluate(self, args, steps)
  self:evaluate{x = args.x, y = args.y, sample_weight = args.sample_weight, verbose = 0,
    batch_size = args.batch_size, steps = steps}
end

function runners.predict(self, args, steps)
  self:predict{x = args.x, verbose = 0, batch_size = args.batch_size, steps = steps}
end

local function runner_of(self, args)
  local method = args.method or (args.y ~= nil and self.compiled and "fit" or "predict")
  if not runners[method] then
    errors.raise("profile: argument 'method' should be \"fit\", \"evaluate\" or \"predict\", "
      .. "got %s", errors.describe(method))
  end
  return runners[method], method
end

-- As many steps as there are batches, at most: an epoch that ends early is a warning.
local function count_steps(args)
  local rows = engine.is_tensor(args.x) and args.x.shape[1]
  return rows and math.max(math.min(args.steps, rows // args.batch_size), 1) or args.steps
end

-- All variables with their values: those of the model, the optimizer and the metrics.
local function take_state(self)
  local variables, values, seen = {}, {}, {}
  local optimizer = self.optimizer
  local lists = {self.variables, optimizer and optimizer.variables or {},
    self.compiled and self.metrics_variables or {}}
  for _, list in ipairs(lists) do
    for _, variable in ipairs(list) do
      if not seen[variable] then
        seen[variable] = true
        variables[#variables + 1], values[#values + 1] = variable, variable.value
      end
    end
  end
  return variables, values
end

-- Makes weights and the optimizer's state, which stay.
local function build(self, method, args)
  if not self.built then runners.predict(self, args, 1) end
  if method == "fit" and self.optimizer then
    self.optimizer:ensure_built(self.trainable_variables)
  end
end

-- The first step makes the plan, which belongs to no later one.
local function run_profiled(self, args, run)
  local steps = count_steps(args)
  run(self, args, 1)
  return profiler.trace(args.logdir, run, self, args, steps)
end

--- Runs a few steps and says where their time goes: by operation, by layer (forward and backward),
-- by kernel, each beside what this machine can do, and the memory over a step. The first step,
-- which makes the plan, is not counted. Weights, the optimizer's state, metrics and the history are
-- afterwards as they were.
-- @function Model:profile
-- @param x inputs, as for `fit`
-- @param[opt] y targets
-- @tparam[opt=32] integer batch_size
-- @tparam[opt=10] integer steps at most
-- @param[opt] sample_weight
-- @tparam[opt] string method "fit", "evaluate" or "predict"; by default "fit" of a compiled model
-- with targets
-- @tparam[opt] string logdir of TensorBoard, where the profile is written for its profile page
-- @treturn Report `print` shows its tables, `save_trace` writes a Chrome trace
-- @usage print(model:profile{x, y, batch_size = 64})
return function(self, ...)
  local args = bind(...)
  local run, method = runner_of(self, args)
  build(self, method, args)
  local variables, values = take_state(self)
  local history = self.history
  local ok, report = engine.attempt(run_profiled, self, args, run)
  engine.assign_all(variables, values)
  self.history = history
  if not ok then error(report, 0) end
  return report
end
