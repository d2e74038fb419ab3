--- Makes HTML of all pages of docs with Pandoc, with a search box that needs no server.
-- Usage: build/cusp scripts/html.lua FOLDER
package.path = "scripts/?.lua;" .. package.path

local cusp = require "cusp"
local pages = require "reference.pages"

local folder = assert(arg[1], "usage: build/cusp scripts/html.lua FOLDER")
local project = io.popen("pwd"):read()

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

local function run(command)
  if not os.execute(command) then error("failed: " .. command, 0) end
end

if not os.execute "command -v pandoc > /dev/null" then
  error("HTML is made by pandoc, which is not there (Debian package pandoc)", 0)
end

---------------------------------------------------------------- the pages

-- The pages in their order: `{path = "guide", title =}`.
local function list_guide()
  local list = {{path = "README", title = "Documentation"}}
  for title, name in read "docs/README.md":gmatch "%[([^%]]+)%]%(([%w_.]+)%.md[^)]*%)" do
    if not list[name] then
      list[#list + 1], list[name] = {path = name, title = title}, true
    end
  end
  return list
end

local function list_reference()
  local list = {{path = "reference/README", title = "Index"}}
  for i, page in ipairs(pages) do
    list[i + 1] = {path = "reference/" .. page.name, title = page.title}
  end
  return list
end

local guide, reference = list_guide(), list_reference()

local function links(list, root, here)
  local lines = {}
  for i, page in ipairs(list) do
    lines[i] = ('<li><a href="%s%s.html"%s>%s</a></li>'):format(root, page.path,
      page == here and ' class="here"' or "", page.title)
  end
  return "<ul>" .. table.concat(lines) .. "</ul>"
end

local function navigation(root, here)
  return "<h2>Guide</h2>" .. links(guide, root, here) .. "<h2>Reference</h2>"
    .. links(reference, root, here)
end

local function make(page)
  local inner = page.path:match "^(.*/)" or ""
  local root = inner == "" and "" or "../"
  local variables = folder .. "/variables.yaml" -- JSON is YAML, too
  write(variables, cusp.json.encode{variables = {root = root, navigation = navigation(root, page)}})
  run(("CUSP_PROJECT='%s' CUSP_FOLDER='%s' pandoc --defaults '%s' -f gfm -t html5 --wrap=none "
    .. "--template scripts/html/template.html --lua-filter scripts/html/filter.lua "
    .. "-o '%s/%s.html' 'docs/%s.md'"):format(project, inner, variables, folder, page.path,
    page.path))
  os.remove(variables)
end

---------------------------------------------------------------- what the search box knows

local function anchor_of(heading)
  return (heading:lower():gsub("[^%w_ -]", ""):gsub(" ", "-"))
end

local function add_headings(index, page)
  local text = ("\n" .. read("docs/" .. page.path .. ".md")):gsub("\n```.-\n```", "")
  for heading in text:gmatch "\n##+ ([^\n]+)" do
    index[#index + 1] = {heading:gsub("`", ""), page.title,
      page.path .. ".html#" .. anchor_of(heading)}
  end
end

local function add_entry(index, page, entry)
  local url = ("reference/%s.html#%s"):format(page.name, entry.path)
  local text = (entry.text:match "^(.-[.:;])%s" or entry.text):gsub("`", "")
  local space = entry.path:match "^(.*[.:])" or ""
  index[#index + 1] = {entry.path, text, url}
  for _, name in ipairs(entry.others) do index[#index + 1] = {space .. name, text, url} end
end

local function index_text()
  local index = {}
  for _, page in ipairs(guide) do add_headings(index, page) end
  for _, page in ipairs(pages) do
    for _, item in ipairs(page.items) do
      if item.path then add_entry(index, page, item) end
    end
  end
  for i, line in ipairs(index) do index[i] = cusp.json.encode(line) end
  return "const CUSP_INDEX = [\n" .. table.concat(index, ",\n") .. "\n];\n"
end

---------------------------------------------------------------- all of it

run(("mkdir -p '%s/reference'"):format(folder))
for _, name in ipairs{"page.css", "search.js"} do
  write(folder .. "/" .. name, read("scripts/html/" .. name))
end
run(("cp docs/*.svg '%s'"):format(folder))
for _, list in ipairs{guide, reference} do
  for _, page in ipairs(list) do make(page) end
end
os.remove(folder .. "/variables.yaml")
write(folder .. "/index.js", index_text())
print(("%s: %d pages of HTML; open %s/README.html"):format(folder, #guide + #reference, folder))
