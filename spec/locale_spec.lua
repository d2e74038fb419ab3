-- Programs whose host has set another locale. Each runs in its own process, since LOCPATH is read
-- there.
local Folder = require "spec.support.folder"

local program = (os.getenv "CUSP_BUILD" or "build") .. "/cusp"

local function write(path, lines)
  local file <close> = assert(io.open(path, "w"))
  file:write(table.concat(lines, "\n"), "\n")
end

-- An ASCII locale whose decimal point is a comma; making it needs only localedef.
local function make_comma(folder)
  local charmap = {"<escape_char> /", "<comment_char> %", "<code_set_name> ANSI_X3.4-1968",
    "<mb_cur_min> 1", "<mb_cur_max> 1", "CHARMAP"}
  for code = 0, 127 do charmap[#charmap + 1] = ("<U%04X> /x%02x character"):format(code, code) end
  charmap[#charmap + 1] = "END CHARMAP"
  write(folder .. "/ascii.charmap", charmap)
  write(folder .. "/comma.source", {
    "comment_char %", "escape_char /", "LC_NUMERIC", 'decimal_point "<U002C>"',
    'thousands_sep "<U002E>"', "grouping 3;3",
    "END LC_NUMERIC",
  })
  -- it warns about missing categories
  local command =
    "localedef --no-archive -c -i '%s/comma.source' -f '%s/ascii.charmap' '%s/comma' >/dev/null "
    .. "2>&1"
  os.execute(command:format(folder, folder, folder))
end

local function run(folder, name)
  local command = ("LOCPATH='%s' %s spec/support/locale_program.lua %s '%s' 2>&1"):format(folder,
    program, name, folder)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

local function check(folder, name)
  local printed = run(folder, name)
  assert.matches("ok\n$", printed)
  assert.is_nil(printed:find "%d,%d", printed) -- the lines of progress
end

describe("under another locale", function()
  local folder
  setup(function() folder = Folder.new() end)
  teardown(function() getmetatable(folder).__close(folder) end)

  it("with a decimal comma all is printed, written and read with a point", function()
    make_comma(folder.path)
    check(folder.path, "comma")
  end)

  for _, name in ipairs{"de_DE", "tr_TR"} do
    it("as in " .. name, function()
      local made = os.execute(
        ("localedef --no-archive -i %s -f UTF-8 '%s/%s.UTF-8' >/dev/null 2>&1"):format(name,
          folder.path, name))
      if not made then
        return pending "the sources of locales are not installed (Debian package locales)"
      end
      check(folder.path, name .. ".UTF-8")
    end)
  end
end)
