--- How weights and activations are quantized: what `quantize` takes as `config`.
-- @module cusp.quantizers.quantization_config
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local null = require "cusp.base.null"
local nulls = require "cusp.base.nulls"
local AbsMaxQuantizer = require("cusp.quantizers.abs_max_quantizer").AbsMaxQuantizer
local ordered = require "cusp.base.ordered"
local registry = require "cusp.base.registry"

--- The base of configurations of quantization.
-- @type QuantizationConfig
local QuantizationConfig = Object:extend("QuantizationConfig", {
  __module = "keras.quantizers",
  config = {
    {"weight_quantizer", "any", optional = true}, {"activation_quantizer", "any", optional = true},
  },
})

local function quantizer_of(value)
  if value == nil or nulls.is(value) then return nil end
  return require("cusp.quantizers").get(value)
end

function QuantizationConfig:init(args)
  self:configure(args, QuantizationConfig)
  self.weight_quantizer = quantizer_of(self.weight_quantizer)
  self.activation_quantizer = quantizer_of(self.activation_quantizer)
end

--- The mode that it configures: "int8", "int4" or "float8".
-- @field mode
function QuantizationConfig.__getters.mode(self)
  errors.raise("%s: this configuration says no mode; use Int8QuantizationConfig, "
    .. "Int4QuantizationConfig or Float8QuantizationConfig", self.__name)
end

--- A configuration's quantizer of weights, or a default where it has none.
function QuantizationConfig.weight_quantizer_or_default(config, default)
  return config and config.weight_quantizer or default
end

--- A configuration's quantizer of activations, nil where it has none; a default without one.
function QuantizationConfig.activation_quantizer_or_default(config, default)
  if config then return config.activation_quantizer end
  return default
end

function QuantizationConfig:get_config()
  return ordered.object({
    weight_quantizer = registry.serialize(self.weight_quantizer),
    activation_quantizer = registry.serialize(self.activation_quantizer),
  }, {"weight_quantizer", "activation_quantizer"})
end

local default_rows = {
  {"weight_quantizer", "any", optional = true},
  {"activation_quantizer", "any", optional = true, default = "default"},
}

--- int8 weights; activations too, unless their quantizer is `cusp.null`.
-- @type Int8QuantizationConfig
-- @param[opt] weight_quantizer by default `AbsMaxQuantizer` over the axes that are summed
-- @param[opt="default"] activation_quantizer
local Int8 = QuantizationConfig:extend("Int8QuantizationConfig", {config = default_rows})

local function read(self, args, class)
  self:configure(args, class)
  self.weight_quantizer = quantizer_of(self.weight_quantizer)
  local activation = self.activation_quantizer
  self.activation_quantizer = activation ~= "default" and quantizer_of(activation) or nil
  return activation == "default"
end

local function check_dtype(self)
  local weight = self.weight_quantizer
  if weight and weight.output_dtype ~= "int8" then
    errors.raise("%s: the weight_quantizer should have output_dtype = \"int8\", got %s",
      self.__name, errors.describe(weight.output_dtype))
  end
end

function Int8:init(args)
  if read(self, args, Int8) then self.activation_quantizer = AbsMaxQuantizer() end
  check_dtype(self)
end

function Int8.__getters.mode() return "int8" end
Int8.get_config = QuantizationConfig.get_config

--- Weights of 4 bits, two in a byte; activations stay as they are by default.
-- @type Int4QuantizationConfig
-- @param[opt] weight_quantizer
-- @param[opt="default"] activation_quantizer
-- @tparam[opt=128] integer block_size rows that share a scale; `cusp.null` or -1: all of them
local Int4 = QuantizationConfig:extend("Int4QuantizationConfig", {
  config = {
    default_rows[1], default_rows[2], {"block_size", "integer", optional = true, default = 128},
  },
})

local function check_blocks(self)
  local size = self.block_size
  if size and size < 1 and size ~= -1 then
    errors.raise("Int4QuantizationConfig: block_size should be cusp.null, -1 or positive, got %d",
      size)
  end
  if size and size > 0 and (self.weight_quantizer or self.activation_quantizer) then
    errors.raise("Int4QuantizationConfig: blocks take no quantizers of one's own; set block_size "
      .. "to -1, got %d", size)
  end
end

function Int4:init(args)
  read(self, args, Int4)
  check_blocks(self)
  local range = self.weight_quantizer and self.weight_quantizer.value_range
  if range and (range[1] ~= -8 or range[2] ~= 7) then
    errors.raise("Int4QuantizationConfig: the weight_quantizer should have value_range = {-8, 7}, "
      .. "got {%s, %s}", range[1], range[2])
  end
  check_dtype(self)
end

function Int4.__getters.mode() return "int4" end

function Int4:get_config()
  local config = QuantizationConfig.get_config(self)
  ordered.set(config, "block_size", self.block_size or null)
  return config
end

--- Files from before there were blocks have none.
function Int4.from_config(class, config)
  return class{weight_quantizer = config.weight_quantizer or null,
    activation_quantizer = config.activation_quantizer or null,
    block_size = config.block_size or null}
end

--- Training with products rounded to numbers of 8 bits.
-- @type Float8QuantizationConfig
local Float8 = QuantizationConfig:extend("Float8QuantizationConfig", {config = {}})

function Float8:init(args) self:configure(args, Float8) end
function Float8.__getters.mode() return "float8" end
function Float8:get_config() return ordered.object({}, {}) end

return {
  QuantizationConfig = QuantizationConfig, Int8QuantizationConfig = Int8,
  Int4QuantizationConfig = Int4, Float8QuantizationConfig = Float8,
}
