--- Prints files as text: a line per object, indented by depth, with dtypes and shapes.
-- @module cusp.formats.hdf5.tree
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local most_lines = 200

-- Describes a member; an unreadable object is shown with the reason.
local function describe(parent, name)
  local ok, object = engine.attempt(parent.get, parent, name)
  if not ok then return nil, ("(%s)"):format(tostring(object):gsub("^.-hdf5: ", "")) end
  if not object then return nil, "(a link to nothing)" end
  if object.kind == "dataset" then
    return object, ("%s %s"):format(object.dtype or "?", errors.shape(object.shape))
  end
  return object, nil
end

local add

-- Does not descend into groups that contain themselves: `above` holds the enclosing descriptions.
local function add_members(lines, group, depth, above)
  local ok, names = engine.attempt(group.names, group)
  if not ok then
    lines[#lines + 1] = ("  "):rep(depth) .. "(its members cannot be read)"
    return
  end
  for _, name in ipairs(names) do
    if #lines > most_lines then return end
    add(lines, group, name, depth, above)
  end
end

function add(lines, parent, name, depth, above)
  local object, text = describe(parent, name)
  local indent = ("  "):rep(depth)
  if not object or object.kind == "dataset" then
    lines[#lines + 1] = ("%s%s  %s"):format(indent, name, text)
    return
  end
  local key = rawget(object, "_description") or object
  lines[#lines + 1] = indent .. name .. "/" .. (above[key] and "  (contains itself)" or "")
  if above[key] then return end
  above[key] = true
  add_members(lines, object, depth + 1, above)
  above[key] = nil
end

-- The text of a group and everything below it.
return function(group)
  local lines = {("HDF5 %s"):format(group._file:_where(group.name ~= "/" and group.name or nil))}
  add_members(lines, group, 1, {[rawget(group, "_description") or group] = true})
  if #lines > most_lines then
    lines[most_lines + 1] = "  ..."
    for i = #lines, most_lines + 2, -1 do lines[i] = nil end
  end
  return table.concat(lines, "\n")
end
