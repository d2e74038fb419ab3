--- Helpers of the benchmarks for other processes.
local process = {}

--- Quotes a word for the shell.
function process.quote(word) return "'" .. tostring(word):gsub("'", "'\\''") .. "'" end

--- The command line for a list of words.
function process.shell(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = process.quote(word) end
  return table.concat(quoted, " ")
end

--- The last line that a command prints; nil if it fails.
function process.last_line(command)
  local pipe = assert(io.popen(command .. " 2>/dev/null"))
  local last
  for line in pipe:lines() do last = line end
  return pipe:close() and last or nil
end

--- The last line that a list of words prints, parsed as JSON; nil if the command fails or prints
-- something else.
function process.answer(words)
  local ok, answer = pcall(require("cusp.formats.json").decode,
    process.last_line(process.shell(words)) or "")
  return ok and type(answer) == "table" and answer or nil
end

--- A nonempty environment variable, or the default.
function process.environment(name, default)
  local value = os.getenv(name)
  return value and value ~= "" and value or default
end

--- The most memory that this process has had in use, in bytes; nil where Linux does not say.
function process.peak_bytes()
  local file = io.open "/proc/self/status"
  local kilobytes = file and file:read("a"):match "VmHWM:%s*(%d+)"
  if file then file:close() end
  return kilobytes and 1024 * math.tointeger(kilobytes)
end

return process
