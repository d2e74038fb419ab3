--- Layers that change shapes alone.
-- The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.reshaping
return {
  flatten = "Flatten", reshape = "Reshape", permute = "Permute", repeat_vector = "RepeatVector",
  borders = "Cropping1D Cropping2D Cropping3D ZeroPadding1D ZeroPadding2D ZeroPadding3D",
  up_sampling = "UpSampling1D UpSampling2D UpSampling3D",
}
