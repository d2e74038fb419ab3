--- Quantizing a layer: its weights give way to integers and scales, whole or not at all.
-- A class that can be has `quantizes`, a table of modes; `quantized_values(mode, config)`, which
-- computes the new weights by name; `quantized_build(shape, mode, config)`, which makes the
-- variables; and `quantized_entries`, what a file keeps of them in order.
-- @module cusp.layers.machinery.quantizing
local DTypePolicy = require "cusp.base.dtype_policy"
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local DTypePolicyMap = require "cusp.base.dtype_policy_map"
local names = require "cusp.base.names"
local ordered = require "cusp.base.ordered"
local quantized_policies = require "cusp.base.quantized_policies"
local quantizers = require "cusp.quantizers"
local registry = require "cusp.base.registry"
local sharding = require "cusp.base.sharding"
local whole = require "cusp.base.whole"

local quantizing = {}

local configs = {
  int8 = "Int8QuantizationConfig", int4 = "Int4QuantizationConfig",
  float8 = "Float8QuantizationConfig",
}

local function is_config(value) return Object.is_instance(value, quantizers.QuantizationConfig) end

--- The mode and the configuration that arguments of `quantize` mean.
-- @tparam string name of the method, for messages
-- @param mode "int8", "int4" or "float8"; or a configuration
-- @param config one, or a mode
-- @treturn string
-- @treturn QuantizationConfig
function quantizing.resolve(name, mode, config)
  if type(config) == "string" then mode, config = config, nil end
  if is_config(mode) then mode, config = nil, mode end
  if mode == nil and config == nil then
    errors.raise("%s: expected a mode, such as \"int8\", or a configuration", name)
  end
  if mode ~= nil and not configs[mode] then
    errors.raise("%s: the mode should be \"int8\", \"int4\" or \"float8\", got %s", name,
      errors.describe(mode))
  end
  if config == nil then return mode, quantizers[configs[mode]]() end
  if not is_config(config) then
    errors.raise("%s: argument 'config' should be a configuration such as "
      .. "cusp.quantizers.Int8QuantizationConfig(), got %s", name, errors.describe(config))
  end
  if mode ~= nil and config.mode ~= mode then
    errors.raise("%s: the mode is %q, but the configuration's is %q", name, mode, config.mode)
  end
  return config.mode, config
end

--- Whether a layer is of a class that can be quantized in a mode.
-- @tparam table layer
-- @tparam string mode
-- @tparam boolean type_check whether classes derived from such a one are refused
function quantizing.is_possible(layer, mode, type_check)
  local modes = layer.quantizes
  if type_check then modes = rawget(getmetatable(layer), "quantizes") end
  return modes ~= nil and modes[mode] == true
end

local function refuse(layer, reason, ...)
  errors.raise("%s (%s): quantize: " .. reason, layer.name, getmetatable(layer).__name, ...)
end

local function check(layer, mode, type_check)
  if not layer.built then refuse(layer, "the layer has no weights yet; build it first") end
  if layer.__own.quantized then
    refuse(layer, "it is quantized already, with the policy %q", layer.dtype_policy)
  end
  if not quantizing.is_possible(layer, mode, type_check) then
    refuse(layer, "layers of this class cannot be quantized to %q", mode)
  end
end

-- Takes a weight out of the layer, under either of the names that it may have.
local function drop(layer, name)
  local variable = rawget(layer, name) or rawget(layer, "_" .. name)
  local entries = layer.__own.weights
  for i = #entries, 1, -1 do
    if entries[i].variable == variable then table.remove(entries, i) end
  end
  rawset(layer, name, nil)
  rawset(layer, "_" .. name, nil)
end

--- The policy of a layer in a mode, with the blocks of its configuration.
local function policy_of(layer, mode, config)
  local own = layer.__own.policy
  if own.mode then return own end
  local name = mode == "int4" and "int4/" .. (config.block_size or -1) or mode
  return DTypePolicy.quantized_parts(name, own.name, own.history)
end

local function replace(layer, mode, config)
  local values = layer:quantized_values(mode, config)
  for name, value in pairs(values) do
    engine.evaluate{value}
    drop(layer, name)
  end
  layer.quantization_config = config
  layer.__own.policy = policy_of(layer, mode, config)
  layer:quantized_build(layer.__own.full_shape, mode, config)
  for name, value in pairs(values) do
    (rawget(layer, name) or rawget(layer, "_" .. name)):assign(value)
  end
end

--- Quantizes a layer.
-- @tparam table layer
-- @tparam string mode
-- @tparam QuantizationConfig config
-- @tparam boolean type_check
function quantizing.run(layer, mode, config, type_check)
  check(layer, mode, type_check)
  sharding.check_whole("quantize", layer.weights,
    "save the model, and quantize it in one process")
  whole.with({layer}, engine.untraced, names.within, layer.path, replace, layer, mode, config)
end

local bind = arguments.binder("quantize", {
  {"mode", "any", optional = true}, {"type_check", "any", default = true},
  {"config", "any", optional = true},
}, false)

--- `layer:quantize(...)`; the configuration may also be the second argument.
function quantizing.quantize(layer, ...)
  local mode, type_check, config = bind(...)
  if type(type_check) ~= "boolean" then type_check, config = true, type_check end
  mode, config = quantizing.resolve("quantize", mode, config)
  quantizing.run(layer, mode, config, type_check)
end

--- Notes that a layer has its variables of a mode, and makes them.
-- @tparam table layer
-- @tparam table builders mode → function(layer, shape, config)
function quantizing.build(layer, builders, shape, mode, config)
  if not builders[mode] then
    errors.raise("%s (%s): layers of this class cannot be quantized to %q", layer.name,
      getmetatable(layer).__name, mode)
  end
  builders[mode](layer, shape, config)
  layer.__own.quantized = true
end

--- The rows that share a scale in the mode "int4"; nil: all.
function quantizing.block_size(layer, config)
  local size = layer.__own.policy.block_size
  if config and config.mode == "int4" then size = config.block_size end
  return size and size > 0 and size or nil
end

local function says_the_same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not says_the_same(value, b[key]) then return false end
  end
  return true
end

-- The configuration of a layer where its mode, and the size of its blocks, do not say all.
local function config_beyond_mode(layer)
  local config = layer.quantization_config
  if not config then return nil end
  local standard = quantizers[configs[config.mode]]()
  for _, name in ipairs{"weight_quantizer", "activation_quantizer"} do
    local a, b = registry.serialize(config[name]), registry.serialize(standard[name])
    if not (says_the_same(a, b) and says_the_same(b, a)) then return config end
  end
end

local function add_policies(layer, map)
  for _, sublayer in ipairs(layer:sublayers()) do
    local own = sublayer.__own.policy
    if own.mode then
      map:set(sublayer.path, quantized_policies.of_parts(own, config_beyond_mode(sublayer)))
    end
    add_policies(sublayer, map)
  end
end

--- Puts the policies of the layers in a layer, which its arguments do not make, into the
-- configuration: by their paths, where any of them is quantized.
-- @tparam table layer
-- @tparam table config
-- @treturn table
function quantizing.with_policies(layer, config)
  local own = layer.__own.policy
  local map = DTypePolicyMap{own.map and own.map.default_policy or own.name}
  add_policies(layer, map)
  if #map > 0 then ordered.set(config, "dtype", registry.serialize(map)) end
  return config
end

--- An int8 variable that is not trained, of which a file or `quantize` knows the values.
function quantizing.add_integers(layer, name, shape)
  return layer:add_weight{name = name, shape = shape, initializer = "zeros", dtype = "int8",
    trainable = false}
end

--- The scales beside it.
function quantizing.add_scale(layer, name, shape)
  return layer:add_weight{name = name, shape = shape, initializer = "ones", trainable = false}
end

--- The groups of positions, `{0, 0, ..., 1, 1, ...}`, that blocks of a size make.
function quantizing.add_groups(layer, count, block_size)
  local index = layer:add_weight{name = "g_idx", shape = {count}, initializer = "zeros",
    dtype = "float32", trainable = false}
  local positions = engine.ops.arange(count, {dtype = "float32"})
  index:assign(engine.ops.floor_divide(positions, block_size))
  return index
end

return quantizing
