--- Intersection over union of two classes; predictions are probabilities of class 1.
-- @classmod cusp.metrics.BinaryIoU
-- @tparam[opt={0,1}] table target_class_ids
-- @tparam[opt=0.5] number threshold
local IoU = require "cusp.metrics.iou"
local arguments = require "cusp.base.arguments"
local define = require "cusp.metrics.iou_define"
local ops = require "cusp.ops"
local reduction = require "cusp.metrics.reduction"

local BinaryIoU = define("BinaryIoU", {
  {"target_class_ids", "integers", default = {0, 1}}, {"threshold", "number", default = 0.5},
  {"name", "string", optional = true}, {"dtype", "dtype", optional = true},
}, {num_classes = 2})

local bind = arguments.binder("update_state", {
  {"y_true", "tensor"}, {"y_pred", "tensor"}, {"sample_weight", "tensor", optional = true},
})

--- Adds a batch.
function BinaryIoU:update_state(...)
  local y_true, y_pred, weight = bind(...)
  local decided = ops.cast(ops.greater_equal(reduction.to_tensor(y_pred, "float32"),
    self.threshold), "int32")
  IoU.update_state(self, y_true, decided, weight)
end

return BinaryIoU
