--- Pandoc's filter: links lead to pages of HTML, entries of the reference get the names that the
-- search box asks for.

-- Files that are no pages stay where they are in the project.
local project = os.getenv "CUSP_PROJECT" or "."
local folder = os.getenv "CUSP_FOLDER" or ""
local pandoc = rawget(_G, "pandoc")
local filter = {}

function filter.Link(link)
  if link.target:find "^%a+:" then return link end
  local path, anchor = link.target:match "^([^#]*)(.*)$"
  if path:find "^%.%./%.%./" or path:find "^%.%./" and folder == "" then
    link.target = project .. "/docs/" .. folder .. path .. anchor
  else
    link.target = path:gsub("%.md$", ".html") .. anchor
  end
  return link
end

local function name_of(block)
  local first = block and block.content and block.content[1]
  local code = first and first.t == "Strong" and first.content[1]
  return code and code.t == "Code" and code.text:match "^[%w_.:]+"
end

function filter.BulletList(list)
  for _, item in ipairs(list.content) do
    local name = name_of(item[1])
    if name then
      local block = item[1]
      block.content = {pandoc.Span(block.content, {id = name, class = "entry"})}
    end
  end
  return list
end

-- The title of the window is that of the page.
function filter.Pandoc(document)
  for _, block in ipairs(document.blocks) do
    if block.t == "Header" and block.level == 1 then
      document.meta.pagetitle = pandoc.utils.stringify(block.content)
      return document
    end
  end
end

return {filter}
