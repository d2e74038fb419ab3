--- Writes the reference from the operation table, the declared arguments of classes and functions,
-- and the comments in the sources.
-- `build/cusp scripts/reference.lua` writes docs/reference, a page for each module;
-- `build/cusp scripts/reference.lua library FOLDER` what editors and luacheck read.
package.path = "scripts/?.lua;" .. package.path

local annotations = require "reference.annotations"
local luacheck = require "reference.luacheck"
local markdown = require "reference.markdown"
local pages = require "reference.pages"

local reference = {pages = pages}

--- The pages: path → text.
function reference.markdown() return markdown.files(pages) end

--- What editors and luacheck read: path within the library → text.
function reference.library()
  local files = annotations.files(pages)
  files["luacheck.lua"] = luacheck.text(pages)
  return files
end

local function write(folder, files)
  local count = 0
  for path, text in pairs(files) do
    local file <close> = assert(io.open(folder .. "/" .. path, "w"))
    file:write(text)
    count = count + 1
  end
  print(("%s: %d files"):format(folder, count))
end

local function write_library(folder)
  assert(os.execute(("mkdir -p '%s/cusp'"):format(folder)))
  write(folder, reference.library())
end

if arg and arg[0]:find "reference.lua$" then
  if arg[1] == "library" then write_library(arg[2])
  else write("docs/reference", reference.markdown()) end
end

return reference
