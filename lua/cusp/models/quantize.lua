--- `model:quantize(...)`: all layers that can be.
-- @module cusp.models.quantize
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local quantizing = require "cusp.layers.machinery.quantizing"
local warnings = require "cusp.base.warnings"
local whole = require "cusp.base.whole"

local bind = arguments.binder("quantize", {
  {"mode", "any", optional = true}, {"config", "any", optional = true},
  {"filters", "any", optional = true}, {"type_check", "boolean", default = true},
}, false)

local function matches(patterns, name)
  for _, pattern in ipairs(patterns) do
    local ok, found = engine.attempt(string.find, name, pattern)
    if not ok then
      errors.raise("quantize: %s is no pattern of Lua: %s", errors.describe(pattern), found)
    end
    if found then return true end
  end
  return false
end

-- Whether a layer is wanted, as a function of it.
local function filter_of(filters)
  if filters == nil then return function() return true end end
  if type(filters) == "function" then return filters end
  local patterns = type(filters) == "string" and {filters} or filters
  local is_list = kinds.is_plain(patterns)
  for _, pattern in ipairs(is_list and patterns or {}) do
    is_list = is_list and type(pattern) == "string"
  end
  if not is_list then
    errors.raise("quantize: argument 'filters' should be a pattern of names, a list of patterns or "
      .. "a function of a layer, got %s", errors.describe(filters))
  end
  return function(layer) return matches(patterns, layer.name) end
end

-- The layers that have no others in them, each once.
local function add_leaves(layer, seen, out)
  if seen[layer] then return end
  seen[layer] = true
  local below = layer:sublayers()
  if #below == 0 then out[#out + 1] = layer end
  for _, sublayer in ipairs(below) do add_leaves(sublayer, seen, out) end
end

-- Layers by their classes, and how many there are of each.
local function describe(layers)
  local names, counts = {}, {}
  for _, layer in ipairs(layers) do
    local name = getmetatable(layer).__name
    if not counts[name] then names[#names + 1] = name end
    counts[name] = (counts[name] or 0) + 1
  end
  for i, name in ipairs(names) do names[i] = ("%d %s"):format(counts[name], name) end
  return table.concat(names, ", ")
end

local function quantize_all(leaves, wanted, mode, config, type_check)
  local left = {}
  for _, layer in ipairs(leaves) do
    if wanted(layer) and quantizing.is_possible(layer, mode, type_check) then
      quantizing.run(layer, mode, config, type_check)
    elseif wanted(layer) and #layer.weights > 0 then
      left[#left + 1] = layer
    end
  end
  return left
end

--- Quantizes the layers of a model: integers and scales take the place of the weights of Dense,
-- EinsumDense, Embedding and ReversibleEmbedding, also within other layers. Weights of others stay
-- as they are. A model has to be compiled anew to be trained afterwards.
-- @function Model:quantize
-- @tparam ?string mode "int8", "int4" or "float8"; nil: the configuration's
-- @tparam[opt] QuantizationConfig config how weights and inputs are rounded
-- @param[opt] filters a Lua pattern that names of layers should match, a list of patterns, or a
-- function of a layer; by default all layers
-- @tparam[opt=true] boolean type_check leave out layers of classes derived from those
-- @raise where a layer has no weights yet or is quantized already; nothing is changed then
-- @usage model:quantize("int8")
return function(self, ...)
  local mode, config, filters, type_check = bind(...)
  mode, config = quantizing.resolve("quantize", mode, config)
  if not self.built then
    errors.raise("%s (%s): quantize: the model has no weights yet; build it, or call it, first",
      self.name, getmetatable(self).__name)
  end
  local leaves, wanted = {}, filter_of(filters)
  add_leaves(self, {}, leaves)
  local left = whole.with({self}, quantize_all, leaves, wanted, mode, config, type_check)
  if #left > 0 then
    warnings.warn("quantize: these layers keep their weights, as their classes cannot be "
      .. "quantized to %q: %s", mode, describe(left))
  end
end
