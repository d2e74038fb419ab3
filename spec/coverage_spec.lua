-- Every public layer, loss, metric, optimizer, callback and operation has a test of its values.
local coverage = require "spec.support.coverage"
local cusp = require "cusp"
local parts = require "spec.support.op_parts"
local uncovered = require "spec.support.uncovered"

local function set(text)
  local names = {}
  for name in text:gmatch "%S+" do names[name] = true end
  return names
end

--- The identity of a name: the file of a member, which a class shares with its function.
local function file_of(member)
  return type(member) == "table" and member[1] .. (member[2] == "fn" and "" or member[2]) or member
end

local function missing_members(space, seen)
  local members, files, missing = getmetatable(cusp[space]).__members, {}, {}
  for name in pairs(seen) do
    if members[name] then files[file_of(members[name])] = true end
  end
  for name, member in pairs(members) do
    if not files[file_of(member)] then missing[name] = true end
  end
  return missing
end

local function missing_operations(seen)
  -- loads the descriptions of operations on images, too
  local missing, _ = {}, cusp.ops.image.resize
  for name in pairs(cusp.ops.describe()) do
    local bare = name:gsub("^image%.", "")
    if not seen[name] and not seen[bare] and not seen[parts[name]] then missing[name] = true end
  end
  return missing
end

local function difference(a, b)
  local names = {}
  for name in pairs(a) do
    if not b[name] then names[#names + 1] = name end
  end
  table.sort(names)
  return table.concat(names, " ")
end

describe("a case of values:", function()
  local covered = coverage.read()
  for _, space in ipairs(coverage.spaces) do
    local missing = space == "ops" and missing_operations(covered.ops)
      or missing_members(space, covered[space])
    local known = set(uncovered[space])

    it("has every member of cusp." .. space, function()
      local names = difference(missing, known)
      assert(names == "", ("cusp.%s: nothing checks the values of %s; "
        .. "spec/support/coverage.lua says where a case can be"):format(space, names))
    end)

    it("keeps no name of cusp." .. space .. " that has one, or is gone, in its list", function()
      local names = difference(known, missing)
      assert(names == "", ("take out of spec/support/uncovered.lua: %s"):format(names))
    end)
  end
end)
