--- The named tensors of files without an architecture.
-- @module cusp.commands.machinery.contents
local engine = require "cusp.engine"

local contents = {}
local readers = {}

local function walk_hdf5(list, group, place)
  for _, name in ipairs(group:names()) do
    local member = group:get(name)
    local path = place == "" and name or place .. "/" .. name
    if member and member.kind == "group" then walk_hdf5(list, member, path)
    elseif member and member.dtype and member.dtype ~= "string" then
      list[#list + 1] = {name = path, shape = member.shape, dtype = member.dtype,
        value = member:read()}
    end
  end
end

local function read_hdf5(path)
  local file <close> = require("cusp.saving.shared.stored").open(path)
  local list = {}
  walk_hdf5(list, file.root, "")
  return list
end

readers.h5, readers["weights.h5"] = read_hdf5, read_hdf5

function readers.checkpoint(path)
  local reader <close> = require("cusp.saving.checkpoint").reader(path)
  local list = {}
  for _, name in ipairs(reader:names()) do
    local entry = reader:entry(name)
    if entry.dtype ~= "string" and name ~= "" then
      local value = reader:tensor(name)
      list[#list + 1] = {name = name, shape = value.shape, dtype = value.dtype, value = value}
    end
  end
  return list
end

-- Tensors in tables, also nested ones, under paths.
local function flatten(list, value, place)
  if engine.is_tensor(value) then
    list[#list + 1] = {name = place, shape = value.shape, dtype = value.dtype, value = value}
  elseif type(value) == "table" then
    for key, item in next, value do
      flatten(list, item, place == "" and tostring(key) or place .. "/" .. tostring(key))
    end
  end
  return list
end

local function read_numpy(path)
  return flatten({}, require("cusp.formats.numpy").load(path), "")
end

function readers.safetensors(path)
  return flatten({}, require("cusp.formats.safetensors").load(path), "")
end

readers.npz, readers.npy = read_numpy, read_numpy

--- The tensors of a file.
-- @tparam string path
-- @tparam table kind as from `files.kind`
-- @treturn {{name=string,shape=table,dtype=string,value=tensor},...}
function contents.of(path, kind) return readers[kind.format](path) end

return contents
