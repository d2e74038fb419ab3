--- A program as a tree of statements, which can be printed and shrunk. A node is a line of text, or
-- a block `{head, tail, ...nodes}`; a block that may be replaced by its contents has `open = true`.
-- @module program_tree
local tree = {}

local function print_into(lines, nodes, indent)
  for _, node in ipairs(nodes) do
    if type(node) == "string" then
      lines[#lines + 1] = indent .. node
    else
      lines[#lines + 1] = indent .. node.head
      print_into(lines, node, indent .. "  ")
      lines[#lines + 1] = indent .. node.tail
    end
  end
end

--- The text of a list of nodes.
function tree.text(nodes, indent)
  local lines = {}
  print_into(lines, nodes, indent or "")
  return table.concat(lines, "\n")
end

local function copy_with(nodes, change)
  local result = {head = nodes.head, tail = nodes.tail, open = nodes.open}
  for _, node in ipairs(nodes) do
    for _, kept in ipairs(change(node)) do result[#result + 1] = kept end
  end
  return result
end

-- Calls `edit(node)` on the node numbered `wanted` in reading order; `at[1]` holds the count.
local function edit_at(nodes, wanted, edit, at)
  return copy_with(nodes, function(node)
    at[1] = at[1] + 1
    if at[1] == wanted then return edit(node) end
    if type(node) == "string" then return {node} end
    return {edit_at(node, wanted, edit, at)}
  end)
end

--- The number of nodes.
function tree.count(nodes)
  local n = 0
  for _, node in ipairs(nodes) do n = n + 1 + (type(node) == "table" and tree.count(node) or 0) end
  return n
end

--- Removes the node with that number; nil if it must stay.
function tree.without(nodes, number)
  local removed = true
  local result = edit_at(nodes, number, function(node)
    removed = type(node) == "table" and node.tail ~= "" or type(node) == "string"
      and not node:find "^return "
    return removed and {} or {node}
  end, {0})
  return removed and result or nil
end

--- Replaces the block with that number by its contents; nil if that is not possible.
function tree.opened(nodes, number)
  local changed = false
  local result = edit_at(nodes, number, function(node)
    if type(node) == "string" or not node.open then return {node} end
    changed = true
    return node
  end, {0})
  return changed and result or nil
end

--- Removes a run of `length` nodes of the outermost list.
function tree.without_run(nodes, first, length)
  local result = {head = nodes.head, tail = nodes.tail, open = nodes.open}
  for i, node in ipairs(nodes) do
    if i < first or i >= first + length then result[#result + 1] = node end
  end
  return result
end

return tree
