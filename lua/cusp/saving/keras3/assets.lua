--- The assets of Keras 3's archives: vocabularies as text files,
-- `assets/layers/string_lookup/vocabulary.txt`, one token a line. Layers of Cusp have theirs in the
-- configuration, too. Layers of the program's own write and read files by `save_assets` and
-- `load_assets`.
-- @module cusp.saving.keras3.assets
local Object = require "cusp.base.class"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local keras3_paths = require "cusp.saving.shared.paths"
local whole_file = require "cusp.base.whole_file"

local assets = {}
local files = engine.files

-- Whether an object's class is the program's and has that method.
local function has_own(object, method)
  local f = object[method]
  return type(f) == "function"
    and not errors.is_library(debug.getinfo(Object.method_behind(f), "S").source)
end

local function join(path, name) return path == "" and name or path .. "/" .. name end

--- The files below a folder, as paths relative to it.
function assets.names_below(folder, relative, list)
  for _, name in ipairs(files.list(join(folder, relative))) do
    if name ~= "." and name ~= ".." then
      local path = join(relative, name)
      if files.is_directory(folder .. "/" .. path) then assets.names_below(folder, path, list)
      else list[#list + 1] = path end
    end
  end
  return list
end

local function remove_folder(folder)
  for _, name in ipairs(files.list(folder)) do
    local path = folder .. "/" .. name
    if name ~= "." and name ~= ".." then
      if files.is_directory(path) then remove_folder(path) else os.remove(path) end
    end
  end
  os.remove(folder)
end

-- Calls f with the path of an empty folder, which is removed afterwards.
local function with_folder(f)
  local place = os.tmpname()
  local folder = place .. ".assets"
  files.make_directories(folder)
  local _ <close> = setmetatable({}, {__close = function()
    remove_folder(folder)
    os.remove(place)
  end})
  f(folder)
end

--- Adds the files that layers write.
-- @tparam Model model
-- @tparam function add gets the name of a member and its contents
function assets.save(model, add)
  for _, part in ipairs(keras3_paths.of(model, false)) do
    if part.kind == "layer" and part.object.save_assets then
      with_folder(function(folder)
        part.object:save_assets(folder)
        for _, name in ipairs(assets.names_below(folder, "", {})) do
          local reader <close> = files.open(folder .. "/" .. name)
          add(("assets/%s"):format(join(part.path, name)), reader:read(0, reader.size))
        end
      end)
    end
  end
end

local function load_own(source, part)
  with_folder(function(folder)
    local prefix = ("assets/%s"):format(join(part.path, ""))
    for _, name in ipairs(source.names()) do
      local is_file = name:sub(-1) ~= "/" and not name:find("..", 1, true)
      if name:sub(1, #prefix) == prefix and is_file then
        local path = join(folder, name:sub(#prefix + 1))
        files.make_directories(path:match "^(.*)/")
        whole_file.write(path, source.text(name))
      end
    end
    local ok, message = engine.attempt(part.object.load_assets, part.object, folder)
    if not ok then
      errors.raise("load_model: %s: assets of '%s': %s", source.path, part.path, tostring(message))
    end
  end)
end

--- Loads the assets of an archive into the layers of a model.
-- @tparam table source `path`; `has(name)`; `text(name)`
-- @tparam Model model
-- @raise naming the archive and the member that a layer cannot use
function assets.load(source, model)
  for _, part in ipairs(keras3_paths.of(model, false)) do
    local name = ("assets/%s/vocabulary.txt"):format(part.path)
    if part.kind == "layer" and has_own(part.object, "load_assets") then
      load_own(source, part)
    elseif part.kind == "layer" and part.object.load_vocabulary and source.has(name) then
      local ok, message = engine.attempt(part.object.load_vocabulary, part.object,
        source.text(name))
      if not ok then
        errors.raise("load_model: %s: %s: %s", source.path, name, tostring(message))
      end
    end
  end
end

return assets
