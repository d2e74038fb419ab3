-- Members without a case. The list may only shrink: a listed name that has a case is an error.
return {
  -- The base classes, and the input, which computes nothing.
  layers = "InputLayer Layer Wrapper",
  losses = "Loss LossFunctionWrapper",
  metrics = "MeanMetricWrapper Metric",
  optimizers = "Optimizer schedules",
  callbacks = "MonitorCallback ProgbarLogger",
  ops = "convert_to_numpy dtype einsum_operands is_tensor lu_places pick pool_max_pick "
    .. "tensordot_axes",
}
