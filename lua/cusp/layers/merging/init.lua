--- Layers that join their inputs.
-- The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.merging
return {
  merging = "Add Subtract Multiply Average Maximum Minimum add subtract multiply average "
    .. "maximum minimum",
  concatenate = "Concatenate concatenate",
  dot = "Dot dot", custom_scale_layer = "CustomScaleLayer",
}
