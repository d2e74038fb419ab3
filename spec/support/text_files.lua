-- Whole files as strings.
local text_files = {}

function text_files.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

function text_files.write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

function text_files.exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

return text_files
