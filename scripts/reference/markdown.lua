--- The pages of the reference as Markdown, with an index.
local entries = require "reference.entries"

local markdown = {}

local function parameter_text(parameter)
  if parameter.kind == "tensors" then return parameter.name .. "..." end
  if parameter.default ~= nil then
    return ("%s = %s"):format(parameter.name, entries.value_text(parameter.default))
  end
  return parameter.name .. (parameter.optional and "?" or "")
end

local function signature(entry)
  if entry.signature then return entry.signature end
  local parts = {}
  for i, parameter in ipairs(entry.shown or entry.parameters) do
    parts[i] = parameter_text(parameter)
  end
  local brackets = entry.brackets
  return entry.path .. brackets:sub(1, 1) .. table.concat(parts, ", ") .. brackets:sub(2)
end

-- One line of description, one for each documented argument, the example, and a line for each
-- method.
local function add_entry(lines, entry)
  local others = #entry.others > 0 and (", `%s`"):format(table.concat(entry.others, "`, `")) or ""
  lines[#lines + 1] = ("- **`%s`**%s %s"):format(signature(entry), others, entry.text)
  for _, parameter in ipairs(entry.comment.parameters) do
    if parameter.text ~= "" then
      lines[#lines + 1] = ("  - `%s`: %s"):format(parameter.names, parameter.text)
    end
  end
  if entry.example ~= "" then
    lines[#lines + 1] = ("\n  ```lua\n  %s\n  ```"):format((entry.example:gsub("\n", "\n  ")))
  end
  for _, method in ipairs(entry.methods or {}) do
    lines[#lines + 1] = ("  - `%s` %s"):format(signature(method),
      (entries.paragraph(method.comment.text)))
  end
end

local function text_of(page, following)
  local lines = {("# %s\n%s"):format(page.title, page.text)}
  for _, item in ipairs(page.items) do
    if item.path then add_entry(lines, item)
    elseif item.heading then lines[#lines + 1] = "\n## " .. item.heading
    else lines[#lines + 1] = "\n" .. item.text .. "\n" end
  end
  lines[#lines + 1] = ("\n[Index](README.md)%s\n"):format(following
    and (" · Next: [%s](%s.md)"):format(following.title, following.name) or "")
  -- a list begins after an empty line, if a line of text stands before it
  return (table.concat(lines, "\n"):gsub("(\n[^%s-#][^\n]*)\n(%- )", "%1\n\n%2")
    :gsub("\n\n\n+", "\n\n"))
end

local introduction = [[
# Reference
Written by `make docs` from the operation table and the sources; `help "NAME"` at the prompt shows
the same.

Axes count from 1, negative ones from the end. Positional arguments stand in this order; keyword
arguments go in a last table, and classes take them all in one:
`layers.Dense{32, activation = "relu"}`. `?` marks what may be left out, `...` a list of tensors.

]]

-- The first sentence of a page's text.
local function summary(page) return page.text:match "^(.-[.:;])%s" or page.text end

local function index_of(pages)
  local lines = {}
  for i, page in ipairs(pages) do
    lines[i] = ("- [%s](%s.md): %s"):format(page.title, page.name,
      (summary(page):gsub("[.:;]$", "")))
  end
  return introduction .. table.concat(lines, "\n") .. "\n"
end

--- The files: name → text.
function markdown.files(pages)
  local files = {["README.md"] = index_of(pages)}
  for i, page in ipairs(pages) do
    files[("%s.md"):format(page.name)] = text_of(page, pages[i + 1])
  end
  return files
end

return markdown
