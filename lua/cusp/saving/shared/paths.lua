--- Keras 3's paths for the parts of a model in a weights file: `layers/dense_1/vars`,
-- `encoder/lstm/cell/vars`, `optimizer/vars`.
--
-- A path consists of field names, sorted, private ones last. In lists, and for the layers of
-- functional and sequential models, it uses class names in snake case with a number. A part that
-- can be reached twice has the first path.
-- @module cusp.saving.shared.paths

local Object = require "cusp.base.class"
local names = require "cusp.base.names"
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

--- The fields of an object as `{name, value}`, in Keras's order.
local function fields(object)
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

local function visit_container(walk, container, path)
  if walk.containers[container] then return end
  walk.containers[container] = true
  local used = {}
  for _, key in ipairs(tracking.keys(container)) do
    local item = rawget(container, key)
    if kind_of(item) then
      visit(walk, item, join(path, number(used, snake_case(item))))
    elseif tracking.keys(item) then
      visit_container(walk, item, join(path, number(used, "container")))
    end
  end
end

local function visit_value(walk, value, path)
  if kind_of(value) then
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

local function keeps_layers(object)
  return rawget(object, "_graph") ~= nil
    or Object.is_instance(object, require "cusp.models.sequential")
end

--- State that Keras omits has its own path.
local function add_product(walk, optimizer, path)
  local product = optimizer_state.momentum_product(optimizer)
  if not product then return end
  walk.parts[#walk.parts + 1] = {path = join(path, "momentum_product"), kind = "extra",
    object = optimizer, variables = {product}}
end

function visit(walk, object, path)
  if walk.seen[object] then return end
  walk.seen[object] = true
  local kind = kind_of(object)
  walk.parts[#walk.parts + 1] = {
    path = path, kind = kind, object = object, variables = variables_of[kind](object, walk),
    name = kind ~= "generator" and type(object.name) == "string" and object.name or nil,
  }
  if kind == "generator" or kind == "metric" then return end
  if walk.wrapped[object] then add_product(walk, object, path) end
  if kind == "layer" and keeps_layers(object) then
    visit_container(walk, object.layers, join(path, "layers"))
  end
  for _, field in ipairs(fields(object)) do visit_value(walk, field[2], join(path, field[1])) end
end

--- The parts of a model.
-- @tparam Model model
-- @tparam[opt=true] boolean with_optimizer whether to include the optimizer
-- @treturn {table,...} `path`, `kind` ("layer", "metric", "optimizer"; "generator" and "extra" for
-- what Keras does not save), `object`, `variables`, `name`
function keras3_paths.of(model, with_optimizer)
  local walk = {parts = {}, seen = {}, containers = {}, wrapped = {}}
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
