--- Programs from outside the project, where they are: they run unchanged to their last line.
local folders = require "spec.support.folder"
local build = os.getenv "CUSP_BUILD" or "build"

local root = "../shared/programs/"

describe("the program", function()
  for _, name in ipairs{"06_applications"} do
    it(name .. " runs to its last line", function()
      local path = root .. name .. ".lua"
      local file = io.open(path)
      if not file then return end
      file:close()
      local place <close> = folders.new()
      local pipe = io.popen(("'%s/cusp' '%s' '%s' 2>&1"):format(build, path, place.path))
      local output = pipe:read "a"
      assert.is_true(pipe:close(), output)
      assert.matches("ok\n$", output)
    end)
  end
end)
