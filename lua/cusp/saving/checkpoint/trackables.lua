--- The children of a model's objects, under the names that tf.keras uses in checkpoints.
--
-- A child is a layer, a model, a metric, an optimizer, a variable, a list or table of these, or a
-- leaf. A leaf is a table for a variable stored in another dtype, or for a value without a
-- variable.
-- @module cusp.saving.checkpoint.trackables

local engine = require "cusp.engine"
local class_names = require "cusp.base.names"
local tracking = require "cusp.base.tracking"

local trackables = {}

local Leaf = {}

--- A value of a checkpoint that is not simply a variable's.
-- @tparam table fields `variable` (nil: the file's value is not used), `value` (a tensor, if there
-- is no variable), `dtype` as stored, `full_name`
function trackables.leaf(fields) return setmetatable(fields, Leaf) end

--- An object as a leaf; nil if it holds others.
function trackables.as_leaf(object)
  if engine.is_variable(object) then
    return {variable = object, value = object, dtype = object.dtype,
      full_name = object.path or object.name}
  end
  if type(object) == "table" and getmetatable(object) == Leaf then
    local stored = object.variable or object.value
    return {
      variable = object.variable, value = stored, dtype = object.dtype or stored and stored.dtype,
      full_name = object.full_name,
    }
  end
end

---------------------------------------------------------------- names

-- Fields of our layers that have other names in tf.keras.
local field_names = {
  MultiHeadAttention = {
    query_dense = "_query_dense", key_dense = "_key_dense", value_dense = "_value_dense",
    output_dense = "_output_dense",
    softmax = "_softmax", dropout_layer = "_dropout_layer",
  },
  DepthwiseConv1D = {kernel = "depthwise_kernel"},
  DepthwiseConv2D = {kernel = "depthwise_kernel"},
}

local function names_of(layer) return class_names.by_class(layer, field_names) or {} end

---------------------------------------------------------------- what is tracked

--- Whether an object is an optimizer.
function trackables.is_optimizer(object)
  return type(object) == "table" and getmetatable(object) ~= nil
    and require("cusp.saving.shared.optimizer_state").is_optimizer(object)
end

local function holds_trackables(value, seen)
  if tracking.kind(value) or getmetatable(value) == Leaf or trackables.is_optimizer(value) then
    return true
  end
  local keys = tracking.keys(value)
  if not keys or seen[value] then return false end
  seen[value] = true
  for _, key in ipairs(keys) do
    if holds_trackables(rawget(value, key), seen) then return true end
  end
  return false
end

--- A list to which children are appended, the first of each name.
local function collector()
  local list, taken = {}, {}
  return list, function(name, object)
    if taken[name] then return false end
    taken[name] = true
    list[#list + 1] = {name = name, object = object}
    return true
  end
end

local function container_children(value)
  local list, add = collector()
  for _, key in ipairs(tracking.keys(value) or {}) do
    local item = rawget(value, key)
    if holds_trackables(item, {}) then
      add(type(key) == "string" and key or tostring(key - 1), item)
    end
  end
  return list
end

--- The layers of a model by position, and those with weights by position among these. Operations
-- of a graph are layers in tf.keras, and count.
local function add_stack(layers, add)
  local with_weights = 0
  for i, layer in ipairs(layers) do
    if layer.__is_layer then
      if #layer.weights > 0 then
        add("layer_with_weights-" .. with_weights, layer)
        with_weights = with_weights + 1
      end
      add("layer-" .. i - 1, layer)
    end
  end
end

--- The names passed to `add_weight`, by variable.
local function given_names(layer)
  local names = {}
  for _, entry in ipairs(layer.__own.weights or {}) do
    names[entry.variable] = entry.variable.name
  end
  return names
end

--- Weights that no field holds; duplicate names are made unique.
local function add_unheld(layer, held, renamed, add)
  for _, entry in ipairs(layer.__own.weights or {}) do
    local variable = entry.variable
    local name, number = renamed[variable.name] or variable.name, 0
    while not held[variable] and not add(number == 0 and name or name .. "_" .. number, variable) do
      number = number + 1
    end
  end
end

local function add_fields(layer, add)
  local renamed, given, held = names_of(layer), given_names(layer), {}
  for _, field in ipairs(layer.__order) do
    local value = rawget(layer, field)
    if holds_trackables(value, {}) then
      local own = engine.is_variable(value) and given[value]
      if own and own ~= field and own ~= "variable" then add(renamed[own] or own, value) end
      add(renamed[field] or field, value)
      held[value] = true
    end
  end
  add_unheld(layer, held, renamed, add)
end

local function layer_children(layer)
  local list, add = collector()
  local graph = not layer.__own.stack and layer.__own.graph
  if graph then add_stack(graph.operations, add)
  elseif layer.__own.stack then add_stack(layer.layers, add) end
  add_fields(layer, add)
  local optimizer = rawget(layer, "optimizer")
  if type(optimizer) == "table" then add("optimizer", optimizer) end
  return list
end

local function metric_children(metric)
  local list, add = collector()
  for _, variable in ipairs(metric.variables) do add(variable.name, variable) end
  add_fields(metric, add)
  return list
end

--- The children of an object, in the order of tf.keras.
-- @param object not a leaf
-- @treturn {table,...} `name`, `object`
function trackables.children(object)
  local kind = tracking.kind(object)
  if kind == "layer" then return layer_children(object) end
  if kind == "metric" then return metric_children(object) end
  if trackables.is_optimizer(object) then
    return require("cusp.saving.checkpoint.optimizer_children").list(object)
  end
  return container_children(object)
end

--- Calls `visit(leaf, path, layer)` for each value in a model: `path` is a list of names, `layer`
-- the layer that owns it.
function trackables.each_leaf(root, visit)
  local queue, seen = {{object = root, path = {}}}, {[root] = true}
  local position = 1
  while queue[position] do
    local item = queue[position]
    for _, child in ipairs(trackables.children(item.object)) do
      local leaf = trackables.as_leaf(child.object)
      if not seen[leaf and leaf.variable or child.object] then
        seen[leaf and leaf.variable or child.object] = true
        local path = table.move(item.path, 1, #item.path, 1, {})
        path[#path + 1] = child.name
        local layer = tracking.kind(item.object) == "layer" and item.object or item.layer
        if leaf then
          visit(leaf, path, layer)
        else
          queue[#queue + 1] = {object = child.object, path = path, layer = layer}
        end
      end
    end
    position = position + 1
  end
end

return trackables
