--- Dtype policies of quantized layers.
-- @module cusp.base.quantized_policies
local DTypePolicy = require "cusp.base.dtype_policy"
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local ordered = require "cusp.base.ordered"
local registry = require "cusp.base.registry"

-- Of a layer that no configuration of its own tells how weights are rounded.
local config_row = {"quantization_config", "any", optional = true, keyword_only = true}

--- The policy of a layer whose weights are quantized.
-- @type QuantizedDTypePolicy
-- @tparam string mode "int8", "int4" or "float8"
-- @tparam[opt] string source_name the policy that the layer had before; by default the global one
-- @tparam[opt] QuantizationConfig quantization_config of a layer within another, in a policy map
-- @usage local policy = cusp.dtype_policies.QuantizedDTypePolicy("int8", "float32")
local Quantized = DTypePolicy:extend("QuantizedDTypePolicy", {
  __module = "keras.dtype_policies",
  config = {{"mode", "string"}, {"source_name", "string", optional = true}, config_row},
})

local function adopt(self, parts, mode)
  self.__own.parts = parts
  self.quantization_config = registry.deserialize(self.quantization_config)
  parts.config = self.quantization_config
  self.mode, self.source_name = mode, parts.source
  self.name, self.compute_dtype, self.variable_dtype = parts.name, parts.compute, parts.variable
end

function Quantized:init(args)
  Object.configure(self, args, Quantized)
  if self.mode:find "/" then
    errors.raise("QuantizedDTypePolicy: the mode %q has a block size; use Int4DTypePolicy",
      self.mode)
  end
  adopt(self, DTypePolicy.quantized_parts(self.mode, self.source_name), self.mode)
end

--- What a layer keeps of it.
-- @local
function Quantized:to_parts() return self.__own.parts end

--- How weights are quantized.
-- @field quantization_mode
function Quantized.__getters.quantization_mode(self) return self.__own.parts.mode end

function Quantized:get_config()
  local config = ordered.object({mode = self.mode, source_name = self.source_name},
    {"mode", "source_name"})
  if self.quantization_config then
    ordered.set(config, "quantization_config", registry.serialize(self.quantization_config))
  end
  return config
end

--- The policy of a layer that trains with products of 8 bits.
-- @type QuantizedFloat8DTypePolicy
-- @tparam string mode "float8"
-- @tparam[opt] string source_name
-- @tparam[opt=1024] integer amax_history_length how many steps' greatest values are kept
local Float8 = Quantized:extend("QuantizedFloat8DTypePolicy", {
  config = {
    {"mode", "string"}, {"source_name", "string", optional = true},
    {"amax_history_length", "integer", default = 1024, min = 1},
  },
})

function Float8:init(args)
  Object.configure(self, args, Float8)
  adopt(self, DTypePolicy.quantized_parts(self.mode, self.source_name, self.amax_history_length),
    self.mode)
end

function Float8:get_config()
  local config = Quantized.get_config(self)
  ordered.set(config, "amax_history_length", self.amax_history_length)
  return config
end

--- The policy of a layer with weights of 4 bits, whose scales each stand for a block of rows.
-- @type Int4DTypePolicy
-- @tparam string mode "int4/128"; "int4/-1": one scale for all rows
-- @tparam[opt] string source_name
-- @tparam[opt] QuantizationConfig quantization_config
local Int4 = Quantized:extend("Int4DTypePolicy", {
  config = {{"mode", "string"}, {"source_name", "string", optional = true}, config_row},
})

function Int4:init(args)
  Object.configure(self, args, Int4)
  local parts = DTypePolicy.quantized_parts(self.mode, self.source_name)
  if not parts.block_size then
    errors.raise("Int4DTypePolicy: the mode should be \"int4/<block size>\", got %q", self.mode)
  end
  adopt(self, parts, self.mode)
  self.block_size = parts.block_size
end

Int4.get_config = Quantized.get_config

local policies = {
  QuantizedDTypePolicy = Quantized, QuantizedFloat8DTypePolicy = Float8, Int4DTypePolicy = Int4,
}

--- The policy of a quantized layer, from what the layer keeps of it.
-- @tparam table parts
-- @tparam ?QuantizationConfig config what the mode alone does not say
-- @treturn QuantizedDTypePolicy
-- @local
function policies.of_parts(parts, config)
  if parts.mode == "float8" then
    return Float8{"float8", parts.source, amax_history_length = parts.history}
  end
  if parts.block_size then
    return Int4{"int4/" .. parts.block_size, parts.source, quantization_config = config}
  end
  return Quantized{parts.mode, parts.source, quantization_config = config}
end

return policies
