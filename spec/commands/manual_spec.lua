--- The manual page that scripts/manual.lua writes.
local commands = require "cusp.commands"
local build = os.getenv "CUSP_BUILD" or "build"

local function manual()
  local pipe <close> = io.popen(("'%s/cusp' scripts/manual.lua"):format(build))
  return pipe:read "a"
end

describe("the manual page", function()
  local text = manual()

  it("is the same each time", function() assert.equal(text, manual()) end)

  it("has every command with its options", function()
    for _, command in ipairs(commands.list()) do
      local section = text:match("\n%.SS cusp " .. command.name .. "\n(.-)\n%.S[SH]")
      assert.is_string(section, command.name)
      for _, option in ipairs(command.options) do
        local name = "\n.B \\-\\-" .. option[1]:gsub("%-", "\\-")
        assert.is_truthy(section:find(name, 1, true), command.name .. ": " .. option[1])
      end
    end
  end)

  it("has the program's options", function()
    for option in ("eilEWvh"):gmatch "." do
      assert.is_truthy(text:find("\n.B \\-" .. option, 1, true), option)
    end
  end)

  it("has no requests but those of manual pages", function()
    local known = {TH = true, SH = true, SS = true, TP = true, PP = true, B = true, BR = true,
      br = true}
    for request in text:gmatch "\n[.'](%S*)" do assert.is_true(known[request], request) end
  end)
end)
