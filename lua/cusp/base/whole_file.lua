--- Files that are written at once, whole or not at all.
-- @module cusp.base.whole_file
local engine = require "cusp.engine"

local whole_file = {}

--- Writes a file. The old one stays where that fails.
-- @tparam string path
-- @tparam string|tensor ... its bytes, in pieces
-- @raise if it cannot be written
function whole_file.write(path, ...)
  local file <close> = engine.files.create(path)
  file:write(...)
  file:commit()
end

return whole_file
