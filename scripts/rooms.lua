--- The rooms of the project: folders of C and Lua, with their files and dependencies.
-- `build/cusp scripts/rooms.lua dot` prints the rooms and their dependencies for Graphviz;
-- `readmes` updates the tables of files in READMEs; the specs use the module.
local lfs = require "lfs"

local rooms = {}

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function exists(path) return lfs.attributes(path, "mode") == "file" end

-- The keys of a table, sorted, for a stable order of rooms and arrows.
local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- Calls visit(folder, name) for each file below `top`, folders in order of their names.
local function each_file(top, visit)
  local names = {}
  for name in lfs.dir(top) do
    if name:sub(1, 1) ~= "." then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local path = top .. "/" .. name
    if lfs.attributes(path, "mode") == "directory" then
      each_file(path, visit)
    else
      visit(top, name)
    end
  end
end

local function room_of(list, folder)
  local room = list[folder]
  if not room then
    room = {folder = folder, files = {}, reads = {}}
    list[folder], list[#list + 1] = room, room
  end
  return room
end

local function note(room, other, path)
  if other == room.folder then return end
  room.reads[other] = room.reads[other] or {}
  table.insert(room.reads[other], path)
end

-- "core/ops" and "../tensor/array.h" → "core/tensor/array.h"
local function resolve(folder, include)
  local parts = {}
  for part in (folder .. "/" .. include):gmatch "[^/]+" do
    if part == ".." then table.remove(parts) else parts[#parts + 1] = part end
  end
  return table.concat(parts, "/")
end

local function note_includes(room, path)
  for include in read(path):gmatch '#include "([^"\n]+)"' do
    local target = resolve(room.folder, include)
    if not exists(target) then target = resolve("core", include) end
    if exists(target) then note(room, target:match "^(.*)/", path) end
  end
end

--- The rooms of C below some folders.
-- @tparam string ... "core", "bindings"
-- @treturn {room,...} each `{folder =, files =, reads = {folder = {path,...}}}`, also by folder
function rooms.of_c(...)
  local list = {}
  for _, top in ipairs{...} do
    each_file(top, function(folder, name)
      if not name:match "%.[ch]$" then return end
      local room = room_of(list, folder)
      room.files[#room.files + 1] = name
      note_includes(room, folder .. "/" .. name)
    end)
  end
  return list
end

local function file_of_module(name)
  local path = "lua/" .. name:gsub("%.", "/")
  return exists(path .. ".lua") and path .. ".lua"
    or exists(path .. "/init.lua") and path .. "/init.lua" or nil
end

-- Counts every string that is the name of a module, whichever function receives it, and whenever
-- that runs.
local function each_module(text, visit)
  text = text:gsub("%-%-%[%[.-%]%]", ""):gsub("%-%-[^\n]*", "")
  for name in text:gmatch '"(cusp[%w_.]-)%.?"' do
    local path = file_of_module(name)
    if path then visit(path) end
  end
end

--- The rooms of Lua: lua/cusp and its folders.
-- @treturn {room,...} as `of_c`
function rooms.of_lua()
  local list = {}
  each_file("lua/cusp", function(folder, name)
    if not name:match "%.lua$" then return end
    local room, path = room_of(list, folder), folder .. "/" .. name
    room.files[#room.files + 1] = name
    each_module(read(path), function(target) note(room, target:match "^(.*)/", path) end)
  end)
  return list
end

--- Parses a room's README: the files that it names, and the rooms after "May depend on".
-- @tparam string folder
-- @treturn ?table `{names = {name = true}, rooms = {name = true}, says =, adds =}`; nil without a
-- README
function rooms.readme(folder)
  if not exists(folder .. "/README.md") then return nil end
  local text, result = read(folder .. "/README.md"), {names = {}, rooms = {}, says = false}
  result.adds = text:find "To add " ~= nil
  for name in text:gmatch "`([%w_.]+%.%a+)`" do result.names[name] = true end
  for sentence in text:gmatch "May depend on ([^\n]-)%.\n" do
    result.says = true
    for name in sentence:gmatch "`([%w_/]+)`" do result.rooms[name] = true end
  end
  return result
end

--- The files of a room that its README does not name. `stem.c` covers stem.h and stem.isa.c.
-- @tparam room room
-- @tparam table readme as from `rooms.readme`
-- @treturn {string,...}
function rooms.unnamed(room, readme)
  local missing = {}
  for _, name in ipairs(room.files) do
    if not readme.names[name] and not readme.names[name:match "^[^.]+" .. ".c"] then
      missing[#missing + 1] = name
    end
  end
  return missing
end

--- Files that a README names and that do not exist (`pass_NAME.c` is a pattern).
-- @tparam room room
-- @tparam table readme as from `rooms.readme`
-- @treturn {string,...}
function rooms.absent(room, readme)
  local there, missing = {}, {}
  for _, name in ipairs(room.files) do there[name] = true end
  for _, name in ipairs(sorted_keys(readme.names)) do
    local is_ours = name:match "%.[ch]$" or name:match "%.lua$"
    if is_ours and not there[name] and name:match "^[%l%d_.]+$" then
      missing[#missing + 1] = name
    end
  end
  return missing
end

-- A README names rooms relative to the root of the tree, or to the folder of all rooms of its kind.
local function is_allowed(allowed, other)
  return allowed[other] or allowed[other:match "^core/(.+)$" or other:match "^lua/cusp/(.+)$" or ""]
    or false
end

--- Dependencies of a room that its README does not allow.
-- @tparam room room
-- @tparam table readme as from `rooms.readme`
-- @treturn {string,...} "core/ops (core/node/node.c)"
function rooms.forbidden(room, readme)
  local found = {}
  for _, other in ipairs(sorted_keys(room.reads)) do
    if not is_allowed(readme.rooms, other) then
      found[#found + 1] = other .. " (" .. table.concat(room.reads[other], ", ") .. ")"
    end
  end
  return found
end

--- Dependencies that a room's README allows but the room does not have.
-- @tparam room room
-- @tparam table readme as from `rooms.readme`
-- @treturn {string,...}
function rooms.unused(room, readme)
  local left = {}
  for name in pairs(readme.rooms) do left[name] = true end
  for other in pairs(room.reads) do
    left[other] = nil
    left[other:match "^core/(.+)$" or other:match "^lua/cusp/(.+)$" or ""] = nil
  end
  return sorted_keys(left)
end

--- A cycle of rooms, if there is one.
-- @tparam {room,...} list
-- @treturn ?{string,...} the folders on the cycle
function rooms.circle(list)
  local state, way = {}, {}
  local function visit(folder)
    if state[folder] == "done" or not list[folder] then return nil end
    way[#way + 1] = folder
    if state[folder] then return way end
    state[folder] = "open"
    for _, other in ipairs(sorted_keys(list[folder].reads)) do
      local found = visit(other)
      if found then return found end
    end
    state[folder] = "done"
    way[#way] = nil
  end
  for _, room in ipairs(list) do
    local found = visit(room.folder)
    if found then return found end
  end
end

local function reaches(list, from, to, seen)
  if from == to then return true end
  if seen[from] or not list[from] then return false end
  seen[from] = true
  for other in pairs(list[from].reads) do
    if reaches(list, other, to, seen) then return true end
  end
  return false
end

-- Omits arrows that follow from a longer path.
local function implied(list, from, to)
  for other in pairs(list[from].reads) do
    if other ~= to and reaches(list, other, to, {}) then return true end
  end
  return false
end

local function dot_room(lines, list, room)
  lines[#lines + 1] = ('  "%s" [label = "%s\\n%d"];'):format(room.folder, room.folder, #room.files)
  for _, other in ipairs(sorted_keys(room.reads)) do
    if list[other] and not implied(list, room.folder, other) then
      lines[#lines + 1] = ('  "%s" -> "%s";'):format(room.folder, other)
    end
  end
end

--- A graph for Graphviz, without implied arrows.
-- @tparam {{room,...},...} lists
-- @treturn string
function rooms.dot(lists)
  local lines = {
    "digraph rooms {",
    '  rankdir = TB; node [shape = box, style = rounded, fontname = "sans", fontsize = 11];',
  }
  for _, list in ipairs(lists) do
    for _, room in ipairs(list) do dot_room(lines, list, room) end
  end
  lines[#lines + 1] = "}"
  return table.concat(lines, "\n") .. "\n"
end

-- The first sentence of a file's comment, up to a colon that comes after several words.
local function subject(path)
  local text = read(path):gsub("\n%-%- ", " "):match "^%-%-%- ([^\n]*)"
  text = text:gsub("%s+%-%-.*$", ""):gsub("%s+@.*$", "")
  local sentence = text:match "^(.-)%.%s+[%u`]" or text:match "^(.-)[.:]?%s*$"
  local label = sentence:match "^([^:(]*%s[^:(]*):"
  return ((label or sentence):gsub("|", "\\|"))
end

--- The file table of a room's README, from the first comment of each file.
-- @tparam room room
-- @treturn string
function rooms.contents(room)
  local lines = {"| file | what is in it |", "| --- | --- |"}
  for _, name in ipairs(room.files) do
    lines[#lines + 1] = ("| `%s` | %s |"):format(name, subject(room.folder .. "/" .. name))
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Updates the file table in a room's README.
-- @tparam room room
-- @treturn ?string the new text; nil if it has no such table
-- @treturn ?string the present text
function rooms.renewed_readme(room)
  local path = room.folder .. "/README.md"
  local text = exists(path) and read(path) or ""
  local first, last = text:find "| file | what is in it |\n[^\n]*\n"
  if not first then return nil end
  while text:sub(last + 1, last + 1) == "|" do last = text:find("\n", last + 1, true) end
  return text:sub(1, first - 1) .. rooms.contents(room) .. text:sub(last + 1), text
end

local function renew_readmes()
  for _, room in ipairs(rooms.of_lua()) do
    local text, old = rooms.renewed_readme(room)
    if text ~= old then
      local file <close> = assert(io.open(room.folder .. "/README.md", "w"))
      file:write(text)
    end
  end
end

local command = arg and arg[1]
if command == "dot" then
  io.write(rooms.dot{rooms.of_c("core", "bindings"), rooms.of_lua()})
elseif command == "readmes" then
  renew_readmes()
end

return rooms
