--- One symbolic call: an operation, its arguments, and the symbolic tensors it returned.
-- @module cusp.symbolic.node

local structure = require "cusp.base.structure"

local Node = {}
Node.__index = Node
Node.__is_node = true

local function is_symbolic(value)
  local meta = type(value) == "table" and getmetatable(value)
  return type(meta) == "table" and meta.__symbolic == true
end
Node.is_symbolic = is_symbolic

local function collect(value, out)
  for _, leaf in ipairs(structure.flatten(value)) do
    if is_symbolic(leaf) then out[#out + 1] = leaf end
  end
end

--- Records a call. The history of the outputs refers to the new node.
-- @param operation a layer or an operation; the node is added to its list `_nodes`
-- @tparam table arguments positional arguments with their count `n`; nil is allowed among them
-- @tparam ?table keywords
-- @param outputs a structure of symbolic tensors
function Node.new(operation, arguments, keywords, outputs)
  local self = setmetatable({
    operation = operation, arguments = arguments, keywords = keywords, outputs = outputs,
    input_tensors = {}, output_tensors = structure.flatten(outputs), parents = {},
  }, Node)
  for i = 1, arguments.n do
    if arguments[i] ~= nil then collect(arguments[i], self.input_tensors) end
  end
  if keywords then collect(keywords, self.input_tensors) end
  self.is_input = #self.input_tensors == 0
  local nodes = operation.__own.nodes
  nodes[#nodes + 1] = self
  for i, tensor in ipairs(self.output_tensors) do
    tensor._history = {operation = operation, node = self, tensor_index = i - 1}
  end
  for i, tensor in ipairs(self.input_tensors) do self.parents[i] = tensor._history.node end
  return self
end

--- The call's arguments, with symbolic tensors replaced by values.
-- @tparam function value_of returns the value of a symbolic tensor
-- @treturn table positional arguments, with `n`
-- @treturn ?table keywords
function Node:fill(value_of)
  local function replace(leaf)
    if is_symbolic(leaf) then return value_of(leaf) end
    return leaf
  end
  local arguments = {n = self.arguments.n}
  for i = 1, arguments.n do
    if self.arguments[i] ~= nil then arguments[i] = structure.map(self.arguments[i], replace) end
  end
  return arguments, self.keywords and structure.map(self.keywords, replace)
end

--- The index of a node among those of its operation, from 0 as in Keras's files.
function Node:index()
  for i, node in ipairs(self.operation.__own.nodes) do
    if node == self then return i - 1 end
  end
end

return Node
