--- A student's layer after a teacher's.
-- @classmod cusp.distillation.FeatureDistillation
-- @param[opt="mse"] loss a loss, its name, or a table of them in the structure of the layers'
-- outputs, with `cusp.null` for those that do not count
-- @tparam[opt] string teacher_layer_name the final outputs by default
-- @tparam[opt] string student_layer_name
-- @usage distillation.FeatureDistillation{"mse", "dense_1", "dense_1"}
local DistillationLoss = require "cusp.distillation.distillation_loss"
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local null = require "cusp.base.null"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local structured = require "cusp.distillation.structured"

local FeatureDistillation = DistillationLoss:extend("FeatureDistillation", {
  first_is_list = false,
  config = {{"loss", "any", default = "mse"}, {"teacher_layer_name", "string", optional = true},
    {"student_layer_name", "string", optional = true}},
})

function FeatureDistillation:init(args)
  Object.configure(self, args, FeatureDistillation)
  self.loss = structured.losses("FeatureDistillation", self.loss)
end

local function check_layer(what, model, name)
  if not name then return end
  if not model.inputs then
    errors.raise("FeatureDistillation: layers by name are found in functional and sequential "
      .. "models, but the %s '%s' is a class of its own; leave the names out for the final outputs",
      what, model.name)
  end
  model:get_layer(name)
end

function FeatureDistillation:validate_model_compatibility(teacher, student)
  check_layer("teacher", teacher, self.teacher_layer_name)
  check_layer("student", student, self.student_layer_name)
end

function FeatureDistillation:validate_outputs(teacher_outputs, student_outputs)
  DistillationLoss.validate_outputs(self, teacher_outputs, student_outputs)
  structured.check_same("FeatureDistillation", "losses and outputs", self.loss, teacher_outputs)
end

function FeatureDistillation:compute_loss(teacher_outputs, student_outputs)
  return structured.sum(self.loss, teacher_outputs, student_outputs,
    function(loss, teacher, student) return ops.mean(loss(teacher, student)) end)
end

function FeatureDistillation:get_config()
  return ordered.object({
    loss = structured.to_config(self.loss), teacher_layer_name = self.teacher_layer_name or null,
    student_layer_name = self.student_layer_name or null,
  }, {"loss", "teacher_layer_name", "student_layer_name"})
end

return FeatureDistillation
