--- What a process that was killed while it wrote a file left beside it.
-- @module cusp.callbacks.leftovers
local engine = require "cusp.engine"

--- Removes the hidden files under which a file was being written. Call it where no other process
-- writes that file.
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
