--- Intersection over union for one-hot targets, mean over all classes.
-- @classmod cusp.metrics.OneHotMeanIoU
-- @tparam integer num_classes
return require "cusp.metrics.iou_define" ("OneHotMeanIoU", {
  {"num_classes", "integer", min = 1}, {"name", "string", optional = true},
  {"dtype", "dtype", optional = true},
  {"ignore_class", "integer", optional = true}, {"sparse_y_pred", "boolean", default = false},
  {"axis", "axis", default = -1},
}, {sparse_y_true = false})
