--- Applies an activation function. Input and output: any shape.
-- @classmod cusp.layers.Activation
-- @param activation a name, a function of a tensor, or a layer
-- @usage local layer = layers.Activation "relu"
local Layer = require "cusp.layers.layer"

return Layer:extend("Activation", {
  supports_masking = true,
  config = {{"activation", "activation"}},
  call = function(self, inputs)
    return self.activation(inputs)
  end,
})
