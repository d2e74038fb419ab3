--- Pooling.
-- The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.pooling
return {
  pooling = "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D "
    .. "AveragePooling3D",
  global_pooling = "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
    .. "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D",
  adaptive_pooling = "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D "
    .. "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D",
}
