--- The base of distillation losses: how far a student's outputs are from a teacher's.
-- A class of one's own has `compute_loss(self, teacher_outputs, student_outputs)`, which returns a
-- scalar.
-- @classmod cusp.distillation.DistillationLoss
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local structured = require "cusp.distillation.structured"

local DistillationLoss = Object:extend("DistillationLoss", {__module = "keras.distillation"})

--- The loss. Override it.
-- @param teacher_outputs a tensor, or a table of them
-- @param student_outputs
-- @treturn tensor scalar
function DistillationLoss:compute_loss()
  errors.raise("%s: a distillation loss needs compute_loss(self, teacher_outputs, student_outputs)",
    self.__name)
end

--- Raises where the outputs do not belong together.
function DistillationLoss:validate_outputs(teacher_outputs, student_outputs)
  structured.check_same(self.__name, "the outputs of teacher and student", teacher_outputs,
    student_outputs)
end

--- Raises where the models do not fit the loss.
function DistillationLoss.validate_model_compatibility() end

return DistillationLoss
