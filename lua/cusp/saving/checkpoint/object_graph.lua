--- The object graph of a checkpoint: its objects, the names of their children, and the keys of
-- their values. It is a message (tensorflow/core/protobuf/trackable_object_graph.proto) stored as
-- the string `_CHECKPOINTABLE_OBJECT_GRAPH`. Nodes are identified by their id, from 0; node 0 is
-- the root.
-- @module cusp.saving.checkpoint.object_graph

local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local protobuf = require "cusp.formats.protobuf"

local object_graph = {}

--- The key of the graph in a bundle.
object_graph.key = "_CHECKPOINTABLE_OBJECT_GRAPH"
--- TensorFlow's name for the single value of a variable.
object_graph.value_name = "VARIABLE_VALUE"

local message <const> = "tensorflow.TrackableObjectGraph"
local deepest_name <const> = 100 -- names of nodes are for people; a hostile graph may be deeper

local Graph = {}
Graph.__index = Graph

---------------------------------------------------------------- reading

local function check_id(where, node, id, what, count)
  if id < 0 or id >= count then
    errors.raise("%s: object graph: node %d has %s node %d, but there are only %d", where, node,
      what, id, count)
  end
  return id
end

local function read_children(where, id, proto, count)
  local children, order = {}, {}
  for i, child in ipairs(proto.children) do
    local name = child.local_name
    if children[name] then
      errors.raise("%s: object graph: node %d has two children named '%s'", where, id,
        name:sub(1, 100))
    end
    children[name], order[i] = check_id(where, id, child.node_id, "the child", count), name
  end
  return children, order
end

local function read_node(where, id, proto, count)
  local children, order = read_children(where, id, proto, count)
  local node = {id = id, children = children, order = order, attributes = {}, slots = {}}
  for i, attribute in ipairs(proto.attributes) do
    node.attributes[i] = {name = attribute.name, full_name = attribute.full_name,
      key = attribute.checkpoint_key}
  end
  for i, slot in ipairs(proto.slot_variables) do
    node.slots[i] = {
      name = slot.slot_name,
      of = check_id(where, id, slot.original_variable_node_id, "a slot of", count),
      node = check_id(where, id, slot.slot_variable_node_id, "a slot in", count),
    }
  end
  return node
end

--- Reads a graph.
-- @tparam string bytes
-- @tparam string where the file, for messages
-- @treturn Graph
-- @raise if the bytes are not such a message, an id is out of range, or two children of an object
-- have one name
function object_graph.decode(bytes, where)
  local ok, proto = engine.attempt(protobuf.decode, message, bytes)
  if not ok then
    errors.raise("%s: the object graph cannot be read: %s", where,
      (tostring(proto):gsub("^.-: ", "", 1)))
  end
  if #proto.nodes == 0 then errors.raise("%s: the object graph has no objects", where) end
  local nodes = {}
  for i, node in ipairs(proto.nodes) do
    nodes[i - 1] = read_node(where, i - 1, node, #proto.nodes)
  end
  return setmetatable({nodes = nodes, count = #proto.nodes}, Graph)
end

--- The node with an id.
function Graph:node(id) return self.nodes[id] end

--- The id of a node's child with a name, or nil.
function Graph:child(id, name) return self.nodes[id].children[name] end

--- The key of a node's value, or nil if it has none.
function Graph:value_key(id)
  for _, attribute in ipairs(self.nodes[id].attributes) do
    if attribute.name == object_graph.value_name then return attribute.key end
  end
end

--- The objects in TensorFlow's order: those nearest to the root first. Cycles are harmless.
-- @treturn {integer,...} ids
-- @treturn table for each id except the root's: `from`, `name`
local function breadth_first(self)
  local order, reached = {0}, {[0] = {}}
  local next_one = 1
  while order[next_one] do
    local id = order[next_one]
    for _, name in ipairs(self.nodes[id].order) do
      local child = self.nodes[id].children[name]
      if not reached[child] then
        reached[child] = {from = id, name = name}
        order[#order + 1] = child
      end
    end
    next_one = next_one + 1
  end
  return order, reached
end

local function add_slots(self, order, reached)
  for _, id in ipairs(order) do
    for _, slot in ipairs(self.nodes[id].slots) do
      if not reached[slot.node] then
        reached[slot.node] = {from = slot.of, slot = slot.name, owner = id}
      end
    end
  end
end

--- The display name of a node: "(root).layer-1.kernel"; for a slot, "(root).optimizer's state 'm'
-- for (root).layer-1.kernel".
-- @tparam integer id
-- @treturn string
function Graph:name(id)
  if not self.reached then
    local order, reached = breadth_first(self)
    add_slots(self, order, reached)
    self.reached = reached
  end
  local way, parts = self.reached[id], {}
  if way and way.slot then
    return ("%s's state '%s' for %s"):format(self:name(way.owner), way.slot, self:name(way.from))
  end
  if not way then return "node " .. id end
  while way.from and #parts < deepest_name do
    table.insert(parts, 1, way.name or "?")
    way = self.reached[way.from]
  end
  table.insert(parts, 1, way.from and "..." or "(root)")
  return table.concat(parts, ".")
end

---------------------------------------------------------------- writing

--- Escapes a name for a key: "/" would separate, and "." begins TensorFlow's own parts.
function object_graph.escape(name) return (name:gsub("%.", ".."):gsub("/", ".S")) end

--- The key of a variable with this path of names from the root.
-- @tparam {string,...} path
-- @treturn string "layer-1/kernel/.ATTRIBUTES/VARIABLE_VALUE"
function object_graph.variable_key(path)
  local parts = {}
  for i, name in ipairs(path) do parts[i] = object_graph.escape(name) end
  parts[#parts + 1] = ".ATTRIBUTES/" .. object_graph.value_name
  return table.concat(parts, "/")
end

local function has_values(nodes)
  local found = {}
  -- from children to parents, until nothing changes; in most graphs, parents come before their
  -- children
  repeat
    local changed = false
    for i = #nodes, 1, -1 do
      local node = nodes[i]
      local has = node.key ~= nil
      for _, child in ipairs(node.children) do has = has or found[child.id] end
      if has and not found[i - 1] then found[i - 1], changed = true, true end
    end
  until not changed
  return found
end

--- Writes a graph.
-- @tparam {table,...} nodes from the root: `children`, a list of `name`, `id`; for a variable also
-- `key` and `full_name`
-- @treturn string
function object_graph.encode(nodes)
  local protos, valued = {}, has_values(nodes)
  for i, node in ipairs(nodes) do
    local proto = {children = {}, has_checkpoint_values = {value = valued[i - 1] or false}}
    for k, child in ipairs(node.children) do
      proto.children[k] = {node_id = child.id, local_name = child.name}
    end
    if node.key then
      proto.attributes = {{name = object_graph.value_name, full_name = node.full_name,
        checkpoint_key = node.key}}
    end
    protos[i] = proto
  end
  return protobuf.encode(message, {nodes = protos})
end

return object_graph
