--- A student's outputs after a teacher's, both divided by a temperature. Hinton, Vinyals, Dean,
-- "Distilling the Knowledge in a Neural Network" (2015).
-- @classmod cusp.distillation.LogitsDistillation
-- @tparam[opt=3] number temperature
-- @param[opt="kl_divergence"] loss a loss, its name, or a table of them in the structure of the
-- outputs, with `cusp.null` for outputs that do not count. With a `KLDivergence` object the outputs
-- are logits: probabilities are made of them, and the loss is scaled by the temperature's square
-- @usage distillation.LogitsDistillation{temperature = 4}
local DistillationLoss = require "cusp.distillation.distillation_loss"
local Object = require "cusp.base.class"
local losses = require "cusp.losses"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local structure = require "cusp.base.structure"
local structured = require "cusp.distillation.structured"

local LogitsDistillation = DistillationLoss:extend("LogitsDistillation", {
  config = {{"temperature", "number", default = 3.0, above = 0},
    {"loss", "any", default = "kl_divergence"}},
})

function LogitsDistillation:init(args)
  Object.configure(self, args, LogitsDistillation)
  self.loss = structured.losses("LogitsDistillation", self.loss)
end

function LogitsDistillation:compute_loss(teacher_outputs, student_outputs)
  local temperature = self.temperature
  local function cooled(outputs)
    return structure.map(outputs, function(x) return ops.divide(x, temperature) end)
  end
  return structured.sum(self.loss, cooled(teacher_outputs), cooled(student_outputs),
    function(loss, teacher, student)
    if not Object.is_instance(loss, losses.KLDivergence) then
      return ops.mean(loss(teacher, student))
    end
    return ops.mean(loss(ops.softmax(teacher, -1), ops.softmax(student, -1))) * temperature ^ 2
  end)
end

function LogitsDistillation:get_config()
  return ordered.object({temperature = self.temperature, loss = structured.to_config(self.loss)},
    {"temperature", "loss"})
end

return LogitsDistillation
