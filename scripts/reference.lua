--- Writes docs/reference, a page for each module, and docs/library, what editors and luacheck read,
-- from the operation table, the declared arguments of classes and functions, and the comments in
-- the sources. `make docs` runs it with BUILD/cusp in the project's folder.
package.path = "scripts/?.lua;" .. package.path

local markdown = require "reference.markdown"
local pages = require "reference.pages"

local reference = {}

--- All files that are written: path → text.
function reference.files()
  return markdown.files(pages)
end

if arg and arg[0]:find "reference.lua$" then
  local names = {}
  for path, text in pairs(reference.files()) do
    local file <close> = assert(io.open(path, "w"))
    file:write(text)
    names[#names + 1] = path
  end
  print(("%d files of the reference"):format(#names))
end

return reference
