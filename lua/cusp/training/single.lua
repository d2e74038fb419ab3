--- Steps on single batches: train_on_batch, test_on_batch, predict_on_batch. These become methods
-- of `cusp.Model`.
-- @module cusp.training.single
local Step = require "cusp.training.step"
local arguments = require "cusp.base.arguments"
local checks = require "cusp.training.checks"
local data = require "cusp.training.data"
local replicas = require "cusp.base.replicas"
local shards = require "cusp.training.shards"
local structure = require "cusp.base.structure"

local single = {}

local function run_single(self, owner, method, batch, return_dict)
  checks.compiled(self, owner)
  if replicas.active then batch = shards.part(batch) end
  local step = Step.of(self, method)
  local plan = step:prepare(batch)
  step:reset_metrics()
  if plan then checks.batch_labels(self, owner, batch) end
  step:run(batch, plan)
  if replicas.active then replicas.set_share() end
  if return_dict then return step:logs() end
  return step:values()
end

local bind_train_on_batch = arguments.binder("train_on_batch", {
  {"x", "any"}, {"y", "any", optional = true}, {"sample_weight", "any", optional = true},
  {"class_weight", "any", optional = true}, {"return_dict", "boolean", default = false},
}, false)

--- One step of training on one batch.
-- @param x inputs
-- @param[opt] y targets
-- @param[opt] sample_weight
-- @tparam[opt] table class_weight
-- @tparam[opt=false] boolean return_dict
-- @treturn number... the loss, then the metrics in order; or with `return_dict` one table by name
function single:train_on_batch(...)
  local x, y, sample_weight, class_weight, return_dict = bind_train_on_batch(...)
  x, y = data.for_model(self, x, y)
  local given = data.with_class_weight("train_on_batch",
    {x = x, y = y, sample_weight = sample_weight}, class_weight)
  return run_single(self, "train_on_batch", "train_step", data.single("train_on_batch", given),
    return_dict)
end

local bind_test_on_batch = arguments.binder("test_on_batch", {
  {"x", "any"}, {"y", "any", optional = true}, {"sample_weight", "any", optional = true},
  {"return_dict", "boolean", default = false},
}, false)

--- The loss and the metrics of one batch.
-- @treturn number... as `train_on_batch`
function single:test_on_batch(...)
  local x, y, sample_weight, return_dict = bind_test_on_batch(...)
  x, y = data.for_model(self, x, y)
  local batch = data.single("test_on_batch", {x = x, y = y, sample_weight = sample_weight})
  return run_single(self, "test_on_batch", "test_step", batch, return_dict)
end

local bind_predict_on_batch = arguments.binder("predict_on_batch", {{"x", "any"}}, false)

--- The outputs of one batch.
function single:predict_on_batch(...)
  local x = data.for_model(self, (bind_predict_on_batch(...)))
  local outputs, form = Step.of(self, "predict_step"):run(data.single("predict_on_batch", {x = x}))
  return structure.pack(form, outputs)
end

return single
