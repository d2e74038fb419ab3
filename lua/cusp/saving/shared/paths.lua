--- Keras 3's paths for the parts of a model in a weights file: `layers/dense_1/vars`,
-- `encoder/lstm/cell/vars`, `optimizer/vars`.
--
-- A path consists of field names, sorted, private ones last. In lists, and for the layers of
-- functional and sequential models, it uses class names in snake case with a number. A part that
-- can be reached twice has the first path.
-- @module cusp.saving.shared.paths

local Object = require "cusp.base.class"
local names = require "cusp.base.names"
local ordered = require "cusp.base.ordered"
local plain = require "cusp.base.plain"
local optimizer_state = require "cusp.saving.shared.optimizer_state"
local tracking = require "cusp.base.tracking"

local keras3_paths = {}

-- Fields with other names in Keras, by class.
local attention_fields = {softmax = "_softmax", dropout_layer = "_dropout_layer"}
local grouped_fields = {
  query_dense = "_query_dense", key_dense = "_key_dense", value_dense = "_value_dense",
  output_dense = "_output_dense",
  gate_dense = "_gate_dense", softmax = "_softmax", dropout_layer = "_dropout_layer",
}
local renamed = {MultiHeadAttention = attention_fields, GroupQueryAttention = grouped_fields}
local class_names = {GroupQueryAttention = "grouped_query_attention"}

local function snake_case(object)
  local name = object.__name
  return object.__library and class_names[name] or names.snake_case(name)
end

-- Private names come last: Keras sorts "_x" as "~x".
local function sort_key(name) return name:sub(1, 1) == "_" and "~" .. name or name end

local function is_generator(value)
  return Object.is_instance(value, require("cusp.tensors.random").SeedGenerator)
end

local function kind_of(value)
  local kind = tracking.kind(value)
  if kind == "layer" or kind == "metric" then return kind end
  if type(value) ~= "table" then return nil end
  if is_generator(value) then return "generator" end
  if optimizer_state.is_optimizer(value) then return "optimizer" end
  return nil
end

local function keeps_layers(object)
  return object.__own.graph ~= nil
    or Object.is_instance(object, require "cusp.models.sequential")
end

---------------------------------------------------------------- tables by name

--- The keys of a container in Keras's order: by name, a dict's items are in the order in which they
-- came, which for layers is the order in which they were made.
local function ordered_keys(container)
  local keys = ordered.is_object(container) and ordered.keys(container) or tracking.keys(container)
  if ordered.is_object(container) or #container > 0 then return keys end
  local made = {}
  for i, key in ipairs(keys) do
    local item = container[key]
    made[key] = {kind_of(item) == "layer" and item.__own.serial or math.huge, i}
  end
  table.sort(keys, function(a, b)
    a, b = made[a], made[b]
    if a[1] == b[1] then return a[2] < b[2] end
    return a[1] < b[1]
  end)
  return keys
end

local function key_below(place, key)
  return type(key) == "string" and ("%s/%s"):format(place, key) or nil
end

---------------------------------------------------------------- fields

local function collect_layers(value, place, out, seen)
  if kind_of(value) == "layer" then
    if not seen[value] then out[#out + 1] = {value, place} end
    seen[value] = true
  elseif not seen[value] and tracking.keys(value) then
    seen[value] = true
    for _, key in ipairs(ordered_keys(value)) do
      collect_layers(rawget(value, key), key_below(place, key) or place, out, seen)
    end
  end
end

-- Stands for the `layers` of a model of one's own, which Keras finds among its fields.
local Layers = {}

--- The layers directly below a model of one's own, in the order of assignment, as
-- `{layer, place}`: of those in tables by name, the place says where they are.
local function assigned_layers(model)
  local result, seen = {}, {}
  for _, field in ipairs(model.__order) do
    local value = rawget(model, field)
    if type(value) == "table" then collect_layers(value, field, result, seen) end
  end
  return result
end

--- Where each variable of a model stands in Keras's order, in which a table by name counts as it
-- was made.
-- @tparam Layer layer
-- @tparam[opt] table ranks
-- @treturn {[Variable]=integer} with the count as `n`
function keras3_paths.ranks(layer, ranks)
  ranks = ranks or {n = 0}
  for _, variable in ipairs(layer:own_variables()) do
    if not ranks[variable] then
      ranks.n = ranks.n + 1
      ranks[variable] = ranks.n
    end
  end
  local keeps = keeps_layers(layer)
  for _, entry in ipairs(keeps and layer:sublayers() or assigned_layers(layer)) do
    keras3_paths.ranks(keeps and entry or entry[1], ranks)
  end
  return ranks
end

local function has_layers(object, walk)
  return object.__is_model and not keeps_layers(object) and walk.rules.layers
end

--- The fields of an object as `{name, value}`, in Keras's order.
local function fields(object, walk)
  local map = object.__library and renamed[object.__name] or {}
  local result = {}
  for _, field in ipairs(object.__order) do
    local value = rawget(object, field)
    if type(value) == "table" then
      local name = is_generator(value) and field == "generator" and "seed_generator" or map[field]
        or field
      result[#result + 1] = {name, value}
    end
  end
  if has_layers(object, walk) then result[#result + 1] = {"layers", Layers} end
  plain.sort(result, function(a, b) return sort_key(a[1]) < sort_key(b[1]) end)
  return result
end

local function join(path, name) return path == "" and name or path .. "/" .. name end

local visit

local function number(used, name)
  local count = used[name]
  used[name] = (count or -1) + 1
  return count and ("%s_%d"):format(name, count + 1) or name
end

--- Where an item of a table by name is: where the file has it under its key, or where it comes by
-- its number.
local function place_of_item(walk, path, item, key, used)
  local numbered = join(path, number(used, snake_case(item)))
  return key and walk.by_key[path .. ":" .. key] or numbered
end

local function visit_container(walk, container, path)
  if walk.containers[container] then return end
  walk.containers[container] = true
  local used, field = {}, path:match "[^/]*$"
  for _, key in ipairs(ordered_keys(container)) do
    local item = rawget(container, key)
    if kind_of(item) then
      local name = key_below(field, key)
      visit(walk, item, place_of_item(walk, path, item, name, used), name)
    elseif walk.rules.nested and tracking.keys(item) then
      visit_container(walk, item, join(path, number(used, "container")))
    end
  end
end

local function visit_assigned(walk, model, path)
  local used = {}
  for _, entry in ipairs(assigned_layers(model)) do
    local key = entry[2]:find("/", 1, true) and entry[2] or nil
    visit(walk, entry[1], place_of_item(walk, path, entry[1], key, used), key)
  end
end

local function visit_value(walk, value, path, owner)
  if value == Layers then
    visit_assigned(walk, owner, path)
  elseif kind_of(value) then
    visit(walk, value, path)
  elseif tracking.keys(value) then
    visit_container(walk, value, path)
  end
end

local variables_of = {
  layer = function(layer) return layer:own_variables() end,
  metric = function(metric) return metric.variables end,
  optimizer = function(optimizer, walk)
    local inner = optimizer_state.inner(optimizer)
    walk.wrapped[inner] = walk.wrapped[inner] or inner ~= optimizer
    return optimizer_state.keras3_variables(optimizer, walk.wrapped[optimizer])
  end,
  generator = function(generator) return {generator.state} end,
}

--- What Keras leaves out is kept in a place of its own.
local function add_product(walk, optimizer, path)
  local product = optimizer_state.momentum_product(optimizer)
  if not product then return end
  walk.parts[#walk.parts + 1] = {path = join(path, "momentum_product"), kind = "extra",
    object = optimizer, variables = {product}}
end

function visit(walk, object, path, key)
  if walk.seen[object] then return end
  walk.seen[object] = true
  local kind = kind_of(object)
  walk.parts[#walk.parts + 1] = {
    path = path, kind = kind, object = object, key = key,
    variables = variables_of[kind](object, walk),
    name = kind ~= "generator" and type(object.name) == "string" and object.name or nil,
  }
  if kind == "generator" or kind == "metric" then return end
  if walk.wrapped[object] then add_product(walk, object, path) end
  if kind == "layer" and keeps_layers(object) then
    visit_container(walk, object.layers, join(path, "layers"))
  end
  for _, field in ipairs(fields(object, walk)) do
    visit_value(walk, field[2], join(path, field[1]), object)
  end
end

--- What files have been written by, the present rules first: Keras 3 finds the `layers` of every
-- model and goes into lists within lists. Earlier versions did not go into those, and this library
-- did not look for `layers`.
keras3_paths.rules = {
  {layers = true, nested = true}, {layers = true, nested = false}, {layers = false, nested = true},
}

--- The parts of a model.
-- @tparam Model model
-- @tparam[opt=true] boolean with_optimizer whether the optimizer is among them
-- @tparam[opt] table options `rules`: one of `keras3_paths.rules`; `by_key`: the places that a file
-- has for items of tables by name, by "path:key"
-- @treturn {table,...} `path`, `kind` ("layer", "metric", "optimizer"; "generator" and "extra" for
-- what Keras does not save), `object`, `variables`, `name`; `key` of what is in a table by name
function keras3_paths.of(model, with_optimizer, options)
  local walk = {parts = {}, seen = {}, containers = {}, wrapped = {},
    rules = options and options.rules or keras3_paths.rules[1],
    by_key = options and options.by_key or {}}
  if with_optimizer == false then
    for _, field in ipairs(model.__order) do
      local value = rawget(model, field)
      if kind_of(value) == "optimizer" then walk.seen[value] = true end
    end
  end
  visit(walk, model, "")
  return walk.parts
end

return keras3_paths
