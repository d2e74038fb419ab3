--- Intersection over union for one-hot targets, mean over the given classes.
-- @classmod cusp.metrics.OneHotIoU
-- @tparam integer num_classes
-- @tparam table target_class_ids
return require "cusp.metrics.iou_define" ("OneHotIoU", {
  {"num_classes", "integer", min = 1}, {"target_class_ids", "integers"},
  {"name", "string", optional = true},
  {"dtype", "dtype", optional = true}, {"ignore_class", "integer", optional = true},
  {"sparse_y_pred", "boolean", default = false}, {"axis", "axis", default = -1},
}, {sparse_y_true = false})
