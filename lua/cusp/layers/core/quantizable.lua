--- What classes of layers that can be quantized have; its code is loaded when a layer is quantized.
-- @module cusp.layers.core.quantizable
local quantizable = {}

--- Gives a class the methods of a module.
-- @tparam table class
-- @tparam string module
-- @tparam string weight "kernel" or "embeddings"
-- @tparam table modes as the class's `quantizes`
function quantizable.add(class, module, weight, modes)
  class.quantizes = modes
  for _, name in ipairs{"quantized_values", "quantized_build", "quantized_entries",
    "unpacked_" .. weight} do
    class[name] = function(...) return require(module)[name](...) end
  end
end

return quantizable
