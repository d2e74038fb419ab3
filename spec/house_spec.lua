-- The rooms of the project: compares each README with the tree.
package.path = "scripts/?.lua;" .. package.path
local rooms = require "rooms"

-- The same rules apply to each kind of room.
local kinds = {C = rooms.of_c("core", "bindings")}

local function each_room(list, visit)
  local wrong = {}
  for _, room in ipairs(list) do
    local readme = rooms.readme(room.folder)
    for _, problem in ipairs(readme and visit(room, readme) or {}) do
      wrong[#wrong + 1] = room.folder .. ": " .. problem
    end
  end
  assert.equal("", table.concat(wrong, "\n"))
end

for kind, list in pairs(kinds) do
  describe("the rooms of " .. kind, function()
    it("have a README that says what they may depend on and how to add one more", function()
      local wrong = {}
      for _, room in ipairs(list) do
        local readme = rooms.readme(room.folder)
        if not readme or not readme.says then wrong[#wrong + 1] = room.folder end
        if readme and not readme.adds then wrong[#wrong + 1] = room.folder .. " (to add ...)" end
      end
      assert.equal("", table.concat(wrong, "\n"))
    end)

    it("are read in no circle", function()
      local circle = rooms.circle(list)
      assert.is_nil(circle and table.concat(circle, " → "))
    end)

    it("name every file", function() each_room(list, rooms.unnamed) end)

    it("name no file that is not there", function() each_room(list, rooms.absent) end)

    it("read what their READMEs allow, and nothing else", function()
      each_room(list, rooms.forbidden)
    end)

    it("allow no room that they do not read", function() each_room(list, rooms.unused) end)
  end)
end

describe("a circle of rooms", function()
  it("is found, and the way round named", function()
    local list = {{folder = "a", reads = {b = {}}}, {folder = "b", reads = {a = {}}}}
    list.a, list.b = list[1], list[2]
    assert.same({"a", "b", "a"}, rooms.circle(list))
    list.b.reads = {}
    assert.is_nil(rooms.circle(list))
  end)
end)
