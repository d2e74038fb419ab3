--- The text file `checkpoint` in a folder, which names the latest checkpoint there.
-- @module cusp.saving.checkpoint.state_file

local files = require "cusp.engine".files
local whole_file = require "cusp.base.whole_file"

local state_file = {}

local largest <const> = 1 << 20 -- bytes; the file has a line for each checkpoint kept

local escapes = {n = "\n", r = "\r", t = "\t", ['"'] = '"', ["'"] = "'", ["\\"] = "\\"}

local function quote(text)
  local result = text:gsub('[%c"\\\x80-\xff]', function(c)
    for letter, meant in pairs(escapes) do
      if meant == c and letter ~= "'" then return "\\" .. letter end
    end
    return ("\\%03o"):format(c:byte())
  end)
  return '"' .. result .. '"'
end

local function unquote(text)
  return (text:gsub("\\(%d%d?%d?)", function(octal)
    local byte = tonumber(octal, 8)
    return byte and byte < 256 and "\\" .. string.char(byte) or nil
  end):gsub("\\(.)", function(c) return escapes[c] or c end))
end

local function split(prefix)
  local folder, name = prefix:match "^(.*/)([^/]*)$"
  return folder or "", name or prefix
end

--- Records a checkpoint as its folder's latest and only one, as Keras's `save_weights` does.
-- @tparam string prefix
function state_file.write(prefix)
  local folder, name = split(prefix)
  name = quote(name)
  whole_file.write(folder .. "checkpoint",
    ("model_checkpoint_path: %s\nall_model_checkpoint_paths: %s\n"):format(name, name))
end

--- The latest checkpoint of a folder: its prefix, or nil if there is none.
-- @tparam string folder
-- @treturn string|nil
function state_file.latest(folder)
  local path = folder:gsub("/*$", "/") .. "checkpoint"
  if not files.exists(path) then return nil end
  local reader <close> = files.open(path)
  local text = reader:read(0, math.min(reader.size, largest))
  for line in text:gmatch "[^\n]+" do
    local name = line:match '^%s*model_checkpoint_path:%s*"(.*)"%s*$'
    if name then
      name = unquote(name)
      local prefix = name:sub(1, 1) == "/" and name or folder:gsub("/*$", "/") .. name
      return files.exists(prefix .. ".index") and prefix or nil
    end
  end
end

return state_file
