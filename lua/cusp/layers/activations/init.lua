--- Activations as layers. The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.activations
return {
  activation = "Activation", prelu = "PReLU",
  rectifiers = "ReLU LeakyReLU ThresholdedReLU ELU Softmax",
}
