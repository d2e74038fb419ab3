-- Checks one thing that luacheck does not: the style of braces, `{x}` and `f{x}`.

local folders = {"lua", "scripts", "spec"}

-- The text without strings and comments, where braces may have any style.
local function code_of(text)
  local parts, position = {}, 1
  while position <= #text do
    local first = text:find("[%-%[\"']", position)
    if not first then break end
    parts[#parts + 1] = text:sub(position, first - 1)
    local level = text:match("^%-?%-?%[(=*)%[", first)
    local quote = text:match("^[\"']", first)
    if level then
      local _, last = text:find("]" .. level .. "]", first, true)
      parts[#parts + 1] = "''" .. ("\n"):rep(select(2, text:sub(first, last):gsub("\n", "")))
      position = last + 1
    elseif text:find("^%-%-", first) then
      position = text:find("\n", first, true) or #text + 1
    elseif quote then
      local last = first + 1
      while text:sub(last, last) ~= quote do
        last = last + (text:sub(last, last) == "\\" and 2 or 1)
      end
      parts[#parts + 1], position = "''", last + 1
    else
      parts[#parts + 1], position = text:sub(first, first), first + 1
    end
  end
  return table.concat(parts) .. text:sub(position)
end

local keywords = {}
for word in ("and do else elseif if in not or repeat return then until while"):gmatch "%a+" do
  keywords[word] = true
end

local function is_loose(line)
  if line:find "{ +[^ \n]" or line:find "[^ ] +}" then return true end
  local word = line:match "([%w_%])\"']+) +{"
  return word ~= nil and not keywords[word]
end

local function lua_files()
  local pipe <close> = assert(io.popen("find " .. table.concat(folders, " ") .. " -name '*.lua'"))
  local paths = {}
  for path in pipe:lines() do
    if not path:find("spec/fixtures", 1, true) then paths[#paths + 1] = path end
  end
  return paths
end

describe("Lua", function()
  it("has no blanks within braces, and none before those of a call", function()
    local wrong = {}
    for _, path in ipairs(lua_files()) do
      local file <close> = assert(io.open(path))
      local number = 0
      for line in (code_of(file:read "a") .. "\n"):gmatch "(.-)\n" do
        number = number + 1
        if is_loose(line) then wrong[#wrong + 1] = ("%s:%d: %s"):format(path, number, line) end
      end
    end
    assert.equal("", table.concat(wrong, "\n"))
  end)
end)
