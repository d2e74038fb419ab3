--- The base of layers that hold another one in `layer`.
-- @classmod cusp.layers.Wrapper
-- @tparam Layer layer
local Layer = require "cusp.layers.machinery.layer"

local Wrapper = Layer:extend("Wrapper", {config = {{"layer", "layer"}}})

function Wrapper:build(shape)
  if not self.layer.built then self.layer:build(shape) end
end

return Wrapper
