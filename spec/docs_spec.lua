--- The Lua of the pages runs: from a block that requires cusp on, a page's blocks are one program.
-- Blocks before are fragments.
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
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute(("mkdir '%s'"):format(folder)))
  local file = assert(io.open(folder .. "/program.lua", "w"))
  file:write(program)
  file:close()
  local root = io.popen("pwd"):read()
  local binary = build:sub(1, 1) == "/" and build or root .. "/" .. build
  local pipe = io.popen(("cd '%s' && '%s/cusp' program.lua 2>&1"):format(folder, binary))
  local output = pipe:read "a"
  local ok = pipe:close()
  os.execute(("rm -rf '%s'"):format(folder))
  return ok, output
end

describe("the programs of", function()
  for _, path in ipairs{"README.md", "docs/guide.md", "docs/files.md", "docs/data.md",
    "docs/tensorboard.md", "docs/prompt.md"} do
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
