--- Groups of processes along the axes of a mesh
-- @module cusp.distribution.groups
local errors = require "cusp.base.errors"
local processes = require "cusp.distribution.processes"

local groups = {}

local made = {} -- text of a mesh → its groups

local function text_of(mesh)
  return ("%s of %s"):format(tostring(mesh), table.concat(mesh.devices, ", "))
end

-- Before all take part in making groups.
local function agree(joined, text)
  for rank, other in ipairs(joined.gather(text)) do
    if other ~= text then
      errors.raise("set_distribution: the processes differ: rank %d has %s, but rank %d has %s",
        joined.rank, text, rank - 1, other)
    end
  end
end

-- A number for the places along all axes but one.
local function colour_of(mesh, axis, place)
  local colour = 0
  for other, size in ipairs(mesh.shape) do
    if other ~= axis then colour = colour * size + place[other] end
  end
  return colour
end

-- Those with the same places along all other axes.
local function along(mesh, axis, joined)
  local place, ranks = mesh:coordinates(joined.rank), {}
  local colour = colour_of(mesh, axis, place)
  for rank = 0, joined.size - 1 do
    local other = mesh:coordinates(rank)
    if colour_of(mesh, axis, other) == colour then ranks[other[axis] + 1] = rank end
  end
  local number = joined.size > 1 and joined.split(colour, place[axis]) or 0
  return {number = number, size = mesh.shape[axis], rank = place[axis], ranks = ranks}
end

--- The groups of a mesh that this process is in, one for each axis. All processes make them.
-- @tparam DeviceMesh mesh of all devices
-- @treturn {table,...} `number`, `size`, `rank`, and `ranks`, those of its processes among all
function groups.of_mesh(mesh)
  local joined, text = processes.join(), text_of(mesh)
  agree(joined, text)
  if not made[text] then
    local found = {}
    for axis = 1, #mesh.shape do found[axis] = along(mesh, axis, joined) end
    made[text] = found
  end
  return made[text]
end

return groups
