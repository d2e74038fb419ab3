--- Dense layers, embeddings and inputs.
-- The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.core
return {
  input_layer = "InputLayer", dense = "Dense", einsum_dense = "EinsumDense",
  embedding = "Embedding", reversible_embedding = "ReversibleEmbedding", identity = "Identity",
  masking = "Masking", lambda = "Lambda", layer_scale = "LayerScale",
}
