--- What the benchmarks need of other processes.
local process = {}

--- A word as the shell takes it for one word.
function process.quote(word) return "'" .. tostring(word):gsub("'", "'\\''") .. "'" end

--- A command line of a list of words.
function process.shell(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = process.quote(word) end
  return table.concat(quoted, " ")
end

--- The last line that a command prints; nil where it fails.
function process.last_line(command)
  local pipe = assert(io.popen(command .. " 2>/dev/null"))
  local last
  for line in pipe:lines() do last = line end
  return pipe:close() and last or nil
end

--- The last line that a list of words prints, read as JSON; nil where the command fails or prints
-- something else.
function process.answer(words)
  local ok, answer = pcall(require("cusp.formats.json").decode,
    process.last_line(process.shell(words)) or "")
  return ok and type(answer) == "table" and answer or nil
end

--- An environment variable that is set and not empty, or the default.
function process.environment(name, default)
  local value = os.getenv(name)
  return value and value ~= "" and value or default
end

return process
