--- Normalisation.
-- The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.normalization
return {
  batch_normalization = "BatchNormalization", spectral_normalization = "SpectralNormalization",
  normalizations = "LayerNormalization GroupNormalization RMSNormalization UnitNormalization",
}
