--- Dropout and noise.
-- The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.regularization
return {
  dropout = "Dropout", stochastic_depth = "StochasticDepth",
  noise = "GaussianNoise GaussianDropout AlphaDropout SpatialDropout1D SpatialDropout2D "
    .. "SpatialDropout3D ActivityRegularization",
}
