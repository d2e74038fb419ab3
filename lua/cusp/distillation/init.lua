--- Distillation: a student learns from targets and from a teacher.
-- @module cusp.distillation
local namespace = require "cusp.base.namespace"

return namespace.new("cusp.distillation", {
  DistillationLoss = "distillation_loss", Distiller = "distiller",
  FeatureDistillation = "feature_distillation", LogitsDistillation = "logits_distillation",
})
