--- Runs Lua in a child process with limits on time and memory, so that a crash or a hang is just
-- another result.
-- @module child
local child = {}

local build = os.getenv "CUSP_BUILD" or "build"

-- Address space of a child: larger requests give an error instead of taking the machine's memory.
local memory_kilobytes = 6 * 1024 * 1024

local function quote(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end

local function folder()
  local name = os.tmpname()
  os.remove(name)
  assert(os.execute("mkdir -p " .. quote(name)))
  return name
end

local function absolute(path)
  if path:sub(1, 1) == "/" then return path end
  child.here = child.here or os.getenv "PWD"
  return child.here .. "/" .. path
end

local function command_of(words, options, place)
  local parts = {("cd %s; ulimit -c 0; %s env"):format(quote(place), os.getenv "LSAN_OPTIONS"
    and "" or "ulimit -v " .. memory_kilobytes .. ";")}
  parts[#parts + 1] = "CUSP_FUZZ=" .. quote(absolute "scripts/fuzz")
  for name, value in pairs(options.environment or {}) do parts[#parts + 1] = name .. "="
    .. quote(value) end
  parts[#parts + 1] = ("timeout -s KILL %d %s"):format(options.seconds, quote(absolute(build
    .. "/cusp")))
  for _, word in ipairs(words) do parts[#parts + 1] = quote(word) end
  return table.concat(parts, " ") .. " </dev/null 2>&1"
end

--- Starts `cusp SCRIPT ARGUMENTS...` in a new empty folder.
-- @tparam {string,...} words the script (relative to the project) and its arguments
-- @tparam table options `seconds` until it is killed, `environment`
-- @treturn function that waits for it; returns its output, and nil or how it died ("killed after 20
-- s", "ended by signal 11", "exit code 1")
function child.start(words, options)
  local place = folder()
  local pipe = assert(io.popen(command_of({absolute(words[1]), table.unpack(words, 2)}, options,
    place)))
  return function()
    local output = pipe:read "a"
    local ok, how, code = pipe:close()
    os.execute("rm -rf " .. quote(place))
    if ok then return output end
    if how == "exit" and code > 128 then how, code = "signal", code - 128 end
    if how == "signal" and code == 9 then return output,
      ("killed after %d s"):format(options.seconds), "hang" end
    if how == "signal" then return output, "ended by signal " .. code, "crash" end
    return output, "exit code " .. code, "crash"
  end
end

--- Starts it and waits.
function child.run(words, options) return child.start(words, options)() end

--- Writes a temporary file; returns its name and a function that removes it.
function child.file(text)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(text)
  file:close()
  return name, function() os.remove(name) end
end

return child
