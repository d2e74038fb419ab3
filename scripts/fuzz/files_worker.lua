-- Reads damaged files in a separate process; the parent identifies crashes and hangs by the last
-- line of output.
-- Usage: cusp scripts/fuzz/files_worker.lua SEED FIRST SECONDS
-- Case n is the nth damaged file of that seed on any machine: `SEED n 0` reproduces it alone.
package.path = "scripts/fuzz/?.lua;" .. package.path
local engine = require "cusp.engine"
local folders = require "spec.support.folder"
local mutate = require "spec.support.mutate"
local readers = require "files_readers"
local stored = require "cusp.saving.shared.stored"

local seed, first, seconds = math.tointeger(tonumber(arg[1])), math.tointeger(tonumber(arg[2])),
  tonumber(arg[3])
local folder <close> = folders.new()
local list = readers.list(folder.path)
local limit = 10 -- seconds for one small file
stored.timeout = 2

-- Raw Lua messages, or positions in the library, where the reader should have named the fault of
-- the file.
local function raw_words(message)
  local text = tostring(message)
  return text:find "attempt to %l+" or text:find "bad argument #" or text:find "stack overflow"
    or text:find "assertion failed"
end

local function damaged(case)
  local reader = list[case % #list + 1]
  local round = case // #list
  local source = reader.files[round % #reader.files + 1]
  local number = round // #reader.files + 1
  local name, bytes = mutate.mutations(mutate.read(source),
    {seed = seed, first = number, count = number})()
  return reader, source, name, bytes
end

-- A damaged checkpoint file is put beside its intact partner.
local function place(reader, source, bytes)
  local target = ("%s/damaged%s"):format(folder.path, source:match "(%.[^/]*)$" or "")
  if reader.name == "checkpoint" then
    for _, other in ipairs(reader.files) do
      mutate.write(("%s/damaged%s"):format(folder.path, other:match "(%.[^/]*)$"),
        mutate.read(other))
    end
  end
  mutate.write(target, bytes)
  return target
end

local function try(case)
  local reader, source, name, bytes = damaged(case)
  print(("case %d: %s of %s, %s"):format(case, reader.name, source:match "[^/]*$", name))
  io.stdout:flush()
  local path, start = place(reader, source, bytes), engine.monotonic()
  local ok, message = xpcall(reader.read, debug.traceback, path)
  local took = engine.monotonic() - start
  message = not ok and tostring(message) or ""
  if took > limit then print(("FAILED slow: %.1f s"):format(took)) end
  if not ok and raw_words(message:match "^[^\n]*") then
    print("FAILED words: " .. message:gsub("\n", "\n  "))
  end
end

local start, case = engine.monotonic(), first
repeat
  try(case)
  case = case + 1
until engine.monotonic() - start >= seconds
print "done"
