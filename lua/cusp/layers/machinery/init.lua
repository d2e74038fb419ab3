--- What all layers share.
-- The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.machinery
return {
  layer = "Layer", input_specification = "InputSpec", wrapper = "Wrapper",
}
