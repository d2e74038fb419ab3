--- Applies an activation function. Input and output: any shape.
-- @classmod cusp.layers.Activation
-- @param activation a name, a function of a tensor, or a layer
-- @usage local layer = layers.Activation "relu"
local calling = require "cusp.layers.machinery.calling"
local Layer = require "cusp.layers.machinery.layer"

return Layer:extend("Activation", {
  supports_masking = true,
  config = {{"activation", "activation"}},
  call = function(self, inputs)
    return self.activation(inputs)
  end,

  --- An activation may halve an axis (glu). As in Keras, the shape alone does not show that;
  -- symbolic calls use the shape of the result.
  compute_output_shape = function(_, input_shape) return input_shape end,
  known_output_types = function(self, inputs) return calling.infer(self, inputs, {n = 0}, {}) end,
})
