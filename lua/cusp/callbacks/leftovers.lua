--- Removes files that a process left behind when it was killed while writing.
-- @module cusp.callbacks.leftovers
local engine = require "cusp.engine"

--- Removes the hidden temporary files of a path. Call it only if no other process writes that file.
-- @tparam string path
return function(path)
  local folder, name = path:match "^(.*)/([^/]*)$"
  if not folder then folder, name = ".", path end
  if folder == "" then folder = "/" end
  if not engine.files.is_directory(folder) then return end
  local pattern = "^%." .. name:gsub("%p", "%%%0") .. "%..*%.tmp$"
  for _, found in ipairs(engine.files.list(folder)) do
    if found:find(pattern) then engine.files.remove(folder .. "/" .. found) end
  end
end
