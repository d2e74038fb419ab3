--- Runs the Lua code of the pages: from a block that requires cusp on, the blocks of a page form
-- one program. Earlier blocks are fragments. Follows the links of all pages.
local folders = require "spec.support.folder"
local warnings = require "cusp.base.warnings"
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

-- The pages with programs: all that have Lua from the first line of a block on.
local function pages()
  local list = {"README.md"}
  for path in io.popen "ls docs/*.md":lines() do
    local text = io.open(path):read "a"
    if text:find('```lua\nlocal cusp = require "cusp"', 1, true) then list[#list + 1] = path end
  end
  return list
end

describe("the programs of", function()
  it("most pages are found", function() assert.is_true(#pages() > 8) end)

  for _, path in ipairs(pages()) do
    it(path .. " run", function()
      for _, program in ipairs(programs(path)) do
        local ok, output = run(program)
        assert.is_true(ok, output)
      end
    end)
  end
end)

--- Runs the lines "$ command" of a page's console blocks, in a folder where the page's program ran;
-- the blocks with what the commands print.
local function with_outputs(text, folder, binary)
  return (text:gsub("```console\n(.-)```", function(block)
    local printed = {}
    for command in block:gmatch "%$ ([^\n]+)" do
      local shell = "cd '%s' && PATH='%s':\"$PATH\" && { %s; } 2>&1"
      local pipe <close> = io.popen(shell:format(folder, binary, command))
      printed[#printed + 1] = ("$ %s\n%s"):format(command, pipe:read "a")
    end
    return "```console\n" .. table.concat(printed) .. "```"
  end))
end

describe("the commands of docs/commands.md", function()
  it("print what the page says", function()
    local scope <close> = folders.new()
    local text = io.open("docs/commands.md"):read "a"
    local program = assert(io.open(scope.path .. "/program.lua", "w"))
    program:write(programs("docs/commands.md")[1]):close()
    local root = io.popen("pwd"):read()
    local binary = build:sub(1, 1) == "/" and build or root .. "/" .. build
    assert(os.execute(("cd '%s' && '%s/cusp' program.lua"):format(scope.path, binary)))
    assert.equal(text, with_outputs(text, scope.path, binary))
  end)
end)

--- What a line of code of docs/errors.md is told after the page's program: an error without its
-- place, or a warning.
local function told(program, code)
  local chunk, ok, message = assert(load(program .. code, "=train.lua")), nil, nil
  local warned = warnings.collect(function() ok, message = pcall(chunk) end)
  if not ok then return (message:gsub("^train%.lua:%d+: ", "")) end
  return "warning: " .. (warned[1] or "none")
end

-- The blocks of a page with lines "> code"; a line without a message prepares the next ones.
local function with_messages(text, program)
  return (text:gsub("```text\n(.-)```", function(block)
    local lines, before = {}, ""
    for code, message in block:gmatch "> ([^\n]+)\n([^>]?)" do
      lines[#lines + 1] = "> " .. code
      if message == "" then before = before .. code .. "\n" else
        lines[#lines + 1] = told(program .. before, code)
      end
    end
    return "```text\n" .. table.concat(lines, "\n") .. "\n```"
  end))
end

describe("the messages of docs/errors.md", function()
  it("are what the library says", function()
    local text = io.open("docs/errors.md"):read "a"
    assert.equal(text, with_messages(text, programs("docs/errors.md")[1]))
  end)
end)

--- The anchors that GitHub gives the headings of a page.
local function anchors(text)
  local found = {}
  for heading in ("\n" .. text):gsub("\n```.-\n```", ""):gmatch "\n#+ ([^\n]+)" do
    found[heading:lower():gsub("[^%w_ \x80-\xff-]", ""):gsub(" ", "-")] = true
  end
  return found
end

local function read(path)
  local file = io.open(path)
  return file and (file:read "a" or "")                 -- a folder opens, but has no text
end

--- What is wrong with a link of the page at `path`, or nil.
local function broken(path, link)
  local name, anchor = link:match "^([^#]*)#?(.*)$"
  local folder = path:match "^(.*/)" or ""
  local text = read(name == "" and path or folder .. name)
  if not text then return path .. ": no file " .. link end
  if anchor ~= "" and not anchors(text)[anchor] then return path .. ": no heading " .. link end
end

describe("a translation", function()
  -- The blocks of code and of output of a page, in order.
  local function blocks(path)
    local list = {}
    for block in io.open(path):read "a":gmatch "```lua\n.-```" do list[#list + 1] = block end
    return list
  end

  for original, translated in pairs{["README.md"] = "README.zh.md",
    ["docs/tutorial.md"] = "docs/tutorial.zh.md"} do
    it("has the code of " .. original, function()
      assert.same(blocks(original), blocks(translated))
    end)
  end
end)

describe("the links of the pages", function()
  it("lead to files and headings that exist", function()
    local wrong, count = {}, 0
    local find = "find . -name '*.md' -not -path './build*' -not -path './.git/*'"
    for path in io.popen(find):lines() do
      for link in read(path):gsub("\n```.-\n```", ""):gmatch "%]%(([^%s()]+)%)" do
        if not link:find "^%a+:" then
          count, wrong[#wrong + 1] = count + 1, broken(path, link)
        end
      end
    end
    assert.same({}, wrong)
    assert.is_true(count > 50)
  end)
end)

describe("docs/README.md", function()
  it("lists every page, in the order in which each links the next", function()
    local index, previous = read "docs/README.md", nil
    for page in index:gmatch "\n%d+%. %[[^%]]+%]%(([%w_]+%.md)%)" do
      local next_page = previous and read(previous):match "\nNext: %[[^%]]+%]%(([^)]+)%)\n$"
      assert.equal(previous and page, next_page)
      previous = "docs/" .. page
    end
    for path in io.popen "ls docs/*.md":lines() do
      local name = path:match "[^/]+$"
      local is_listed = index:find("(" .. name .. ")", 1, true) ~= nil
      assert.is_true(name == "README.md" or name:find "%.zh%.md$" ~= nil or is_listed, name)
    end
  end)
end)
