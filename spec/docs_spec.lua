--- Runs the Lua code of the pages: from a block that requires cusp on, the blocks of a page form
-- one program. Earlier blocks are fragments.
local folders = require "spec.support.folder"
local build = os.getenv "CUSP_BUILD" or "build"

local function programs(path)
  local list = {}
  for block in io.open(path):read "a":gmatch "```lua\n(.-)```" do
    if block:find '^local cusp = require "cusp"' then list[#list + 1] = block
    elseif #list > 0 then list[#list] = list[#list] .. block
    else assert(load(block, "fragment of " .. path)) end
  end
  return list
end

local function run(program)
  local scope <close> = folders.new()
  local file = assert(io.open(scope.path .. "/program.lua", "w"))
  file:write(program)
  file:close()
  local root = io.popen("pwd"):read()
  local binary = build:sub(1, 1) == "/" and build or root .. "/" .. build
  local pipe = io.popen(("cd '%s' && '%s/cusp' program.lua 2>&1"):format(scope.path, binary))
  local output = pipe:read "a"
  return pipe:close(), output
end

describe("the programs of", function()
  for _, path in ipairs{"README.md", "docs/guide.md", "docs/files.md", "docs/data.md",
    "docs/tensorboard.md", "docs/prompt.md", "docs/applications.md"} do
    it(path .. " run", function()
      local list = programs(path)
      assert.is_true(#list > 0)
      for _, program in ipairs(list) do
        local ok, output = run(program)
        assert.is_true(ok, output)
      end
    end)
  end
end)
