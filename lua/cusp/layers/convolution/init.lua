--- Convolutions.
-- The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.convolution
return {
  conv = "Conv1D Conv2D Conv3D",
  conv_transpose = "Conv1DTranspose Conv2DTranspose Conv3DTranspose",
  depthwise_conv = "DepthwiseConv1D DepthwiseConv2D",
  locally_connected = "LocallyConnected1D LocallyConnected2D",
  separable_conv = "SeparableConv1D SeparableConv2D",
}
