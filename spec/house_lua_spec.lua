-- The rooms of the Lua library: compares each README with the tree.
package.path = "scripts/?.lua;" .. package.path
local rooms = require "rooms"
local text_files = require "spec.support.text_files"

local list = rooms.of_lua()

local read = text_files.read

-- The faults that `visit(room, readme)` finds in any room.
local function problems(visit)
  local wrong = {}
  for _, room in ipairs(list) do
    local readme = rooms.readme(room.folder) or {names = {}, rooms = {}}
    for _, problem in ipairs(visit(room, readme)) do
      wrong[#wrong + 1] = room.folder .. ": " .. problem
    end
  end
  return table.concat(wrong, "\n")
end

describe("the rooms of Lua", function()
  it("are all there", function() assert(#list > 40, #list) end)

  it("have a README that says what they may depend on and how to add one more", function()
    assert.equal("", problems(function(_, readme)
      local missing = {}
      if not readme.says then missing[#missing + 1] = "no 'May depend on'" end
      if not readme.adds then missing[#missing + 1] = "no 'To add'" end
      return missing
    end))
  end)

  it("are read in no circle", function()
    local circle = rooms.circle(list)
    assert.is_nil(circle and table.concat(circle, " → "))
  end)

  it("have the tables of files that `make docs` writes", function()
    assert.equal("", problems(function(room)
      local text, old = rooms.renewed_readme(room)
      return text ~= old and {"run `make docs`"} or {}
    end))
  end)

  it("name every file", function() assert.equal("", problems(rooms.unnamed)) end)

  it("name no file that is not there", function() assert.equal("", problems(rooms.absent)) end)

  it("read what their READMEs allow, and nothing else", function()
    assert.equal("", problems(rooms.forbidden))
  end)

  it("allow no room that they do not read", function() assert.equal("", problems(rooms.unused)) end)

  -- Names that are built at run time are not detected above; they may only be names of rooms that a
  -- file may require anyway.
  it("put no names of other rooms together", function()
    local wrong = {}
    for _, room in ipairs(list) do
      for _, name in ipairs(room.files) do
        local path = room.folder .. "/" .. name
        for prefix in read(path):gmatch 'require%("cusp([%w_.]*)%." *%.%.' do
          local folder = "lua/cusp" .. prefix:gsub("%.", "/")
          local is_ours = folder == room.folder or room.reads[folder] or prefix == ".native"
          if not is_ours then wrong[#wrong + 1] = path .. ": cusp" .. prefix end
        end
      end
    end
    assert.equal("", table.concat(wrong, "\n"))
  end)

  it("ask by name for what their READMEs say, and it is provided", function()
    local provided = require("cusp.base.rooms").get
    assert.equal("", problems(function(room)
      local wrong, asked, text = {}, {}, ""
      for _, name in ipairs(room.files) do text = text .. read(room.folder .. "/" .. name) end
      for name in text:gmatch 'rooms%.get ?%(?"([%w_.]+)"' do asked[name] = true end
      local sentence = read(room.folder .. "/README.md"):match "Asks by name for ([^\n]*)%.\n" or ""
      for name in sentence:gmatch "`([%w_.]+)`" do
        if not asked[name] then wrong[#wrong + 1] = "does not ask for " .. name end
        asked[name] = nil
        if not provided(name) then wrong[#wrong + 1] = "nothing provides " .. name end
      end
      for name in pairs(asked) do wrong[#wrong + 1] = "does not say that it asks for " .. name end
      return wrong
    end))
  end)

  it("can each be loaded first", function()
    for _, module in ipairs{"layers", "models", "saving", "data", "ops", "initializers"} do
      local program = ('assert(require "cusp.%s"); io.write "loaded"'):format(module)
      local build = os.getenv "CUSP_BUILD" or "build"
      local pipe <close> = assert(io.popen(("%s/cusp -e '%s' 2>&1"):format(build, program)))
      assert.equal("loaded", pipe:read "a")
    end
  end)
end)
