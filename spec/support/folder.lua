-- Folders of tests: fresh ones, removed when the scope ends.
local folder = {}

local meta = {__close = function(self) os.execute(("rm -rf '%s'"):format(self.path)) end}

--- `local logs <close> = folder.new()`; `logs.path` is its path.
function folder.new()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute(("mkdir '%s'"):format(path)))
  return setmetatable({path = path}, meta)
end

return folder
