--- Writes a model as a checkpoint: objects are numbered as in TensorFlow, and each value has the
-- key of its shortest path.
-- @module cusp.saving.checkpoint.save

local bundle = require "cusp.saving.checkpoint.bundle"
local engine = require "cusp.engine"
local object_graph = require "cusp.saving.checkpoint.object_graph"
local gathering = require "cusp.base.gathering"
local trackables = require "cusp.saving.checkpoint.trackables"

--- The nodes of a model's graph: breadth first, children in order.
local function collect(root)
  local nodes, ids, queue = {}, {}, {}
  local function number(object, path)
    local leaf = trackables.as_leaf(object)
    local identity = leaf and leaf.variable or object
    if ids[identity] then return ids[identity] end
    local node = {children = {}, path = path, object = object}
    if leaf then
      node.key, node.full_name, node.leaf = object_graph.variable_key(path),
        leaf.full_name or table.concat(path, "/"), leaf
    else
      queue[#queue + 1] = node
    end
    nodes[#nodes + 1], ids[identity] = node, #nodes
    return ids[identity]
  end
  number(root, {})
  local position = 1
  while queue[position] do
    local node = queue[position]
    for _, child in ipairs(trackables.children(node.object)) do
      local path = table.move(node.path, 1, #node.path, 1, {})
      path[#path + 1] = child.name
      table.insert(node.children, {name = child.name, id = number(child.object, path)})
    end
    position = position + 1
  end
  table.insert(nodes[1].children, {name = "root", id = 0})
  return nodes
end

local function stored_value(leaf, value)
  if leaf.dtype == value.dtype then return value end
  return engine.untraced(engine.ops.cast, value, leaf.dtype)
end

--- Writes a model's weights, and its optimizer's state if it is compiled.
-- @tparam string prefix path of the checkpoint; the files are `PREFIX.index` and
-- `PREFIX.data-00000-of-00001`
-- @tparam Model model
-- @raise if it cannot be written, naming the file; the old checkpoint is then unchanged
return function(prefix, model)
  local nodes = collect(model)
  local writer <close> = bundle.create(prefix)
  for _, node in ipairs(nodes) do
    local leaf = node.leaf
    if leaf then
      gathering.with(gathering.kept(leaf.value), function(value)
        writer:add(node.key, stored_value(leaf, value))
      end)
    end
  end
  writer:add_string(object_graph.key, object_graph.encode(nodes))
  writer:commit()
end
