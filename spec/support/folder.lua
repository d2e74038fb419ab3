-- Folders of tests: fresh ones, removed when the scope ends.
local folder = {}

local Folder = {}
Folder.__index = Folder

function Folder:remove() os.execute(("rm -rf '%s'"):format(self.path)) end

Folder.__close = Folder.remove

--- `local logs <close> = folder.new()`; `logs.path` is its path.
function folder.new()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute(("mkdir '%s'"):format(path)))
  return setmetatable({path = path}, Folder)
end

return folder
