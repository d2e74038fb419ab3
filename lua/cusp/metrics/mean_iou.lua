--- Intersection over union, mean over all classes.
-- @classmod cusp.metrics.MeanIoU
-- @tparam integer num_classes
return require "cusp.metrics.iou_define" ("MeanIoU", {
  {"num_classes", "integer", min = 1}, {"name", "string", optional = true},
  {"dtype", "dtype", optional = true},
  {"ignore_class", "integer", optional = true}, {"sparse_y_true", "boolean", default = true},
  {"sparse_y_pred", "boolean", default = true}, {"axis", "axis", default = -1},
})
