--- Compares what is here with Keras's public names and arguments (spec/fixtures/surface).
--
--     build/cusp scripts/surface.lua        what is missing or differs, with the reason
--     build/cusp scripts/surface.lua docs   writes docs/absent.md
--
-- Ends with 1 where a difference has no reason in spec/support/absent.lua.
local absent = require "spec.support.absent"
local surface = require "spec.support.surface"

if arg[1] == "docs" then
  local file = assert(io.open("docs/absent.md", "w"))
  file:write(surface.page())
  assert(file:close())
  return
end

local differences, count = surface.differences()
local by_entry, left, idle = surface.explained(differences)
for i, entry in ipairs(absent) do
  print(("%s (%d): %s"):format(entry.title, #by_entry[i], entry.reason))
  for _, text in ipairs(by_entry[i]) do print("  " .. text) end
end
print(("Unexplained (%d):"):format(#left))
for _, text in ipairs(left) do print("  " .. text) end
print(("Explained, but here (%d):"):format(#idle))
for _, name in ipairs(idle) do print("  " .. name) end
print(("%d names of Keras, %d differences, %d of them unexplained"):format(count, #differences,
  #left))
os.exit(#left == 0)
