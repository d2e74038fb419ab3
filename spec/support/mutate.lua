--- Damaged files for specs of loaders: mutations of a file's bytes, the same in every run.
-- @usage
-- for name, bytes in mutate.mutations(original, {seed = 1, count = 200}) do ... end
local mutate = {}

-- A small private generator, so that a failing case can be reproduced from its seed.
local function generator(seed)
  local state = seed * 2654435761 + 88172645463325252
  return function(limit) -- 0 <= result < limit
    state = state ~ (state << 13)
    state = state ~ (state >> 7)
    state = state ~ (state << 17)
    return (state >> 1) % limit
  end
end

local function splice(bytes, at, piece)
  return bytes:sub(1, at) .. piece .. bytes:sub(at + #piece + 1)
end

-- Each makes one change at a random position; `bytes` is never empty.
local kinds = {}

function kinds.truncated(bytes, random) return bytes:sub(1, random(#bytes)) end

function kinds.bit(bytes, random)
  local at = random(#bytes)
  return splice(bytes, at, string.char(bytes:byte(at + 1) ~ (1 << random(8))))
end

function kinds.byte(bytes, random)
  return splice(bytes, random(#bytes), string.char(random(256)))
end

local function run(bytes, random, character)
  local at = random(#bytes)
  return splice(bytes, at, character:rep(math.min(1 + random(64), #bytes - at)))
end

function kinds.zeros(bytes, random) return run(bytes, random, "\0") end
function kinds.ones(bytes, random) return run(bytes, random, "\xff") end

function kinds.swapped(bytes, random)
  local size = math.min(8 + random(120), #bytes // 2)
  local a, b = random(#bytes - size + 1), random(#bytes - size + 1)
  local first, second = bytes:sub(a + 1, a + size), bytes:sub(b + 1, b + size)
  return splice(splice(bytes, a, second), b, first)
end

function kinds.copied(bytes, random)
  local size = math.min(8 + random(120), #bytes)
  local from, to = random(#bytes - size + 1), random(#bytes - size + 1)
  return splice(bytes, to, bytes:sub(from + 1, from + size))
end

function kinds.removed(bytes, random)
  local at = random(#bytes)
  return bytes:sub(1, at) .. bytes:sub(at + 2 + random(32))
end

function kinds.doubled(bytes, random)
  local at = random(#bytes)
  return bytes:sub(1, at) .. bytes:sub(math.max(at - random(64), 0) + 1)
end

-- Lengths and offsets often have 4 or 8 bytes at aligned positions: writes hostile values there.
local lengths = {
  0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, 1 << 31, 1 << 32, 1 << 40, 1 << 62,
  math.maxinteger, -1, -2, -8,
}

function kinds.length(bytes, random)
  local size = random(2) == 0 and 4 or 8
  if #bytes < size then return kinds.byte(bytes, random) end
  local at = random((#bytes - size) // 4 + 1) * 4
  local value = random(4) == 0 and random(#bytes * 2) or lengths[1 + random(#lengths)]
  if size == 4 then return splice(bytes, at, ("<I4"):pack(value & 0xffffffff)) end
  return splice(bytes, at, ("<i8"):pack(value))
end

-- The same at positions that hold a small number now: those are the lengths.
function kinds.small_number(bytes, random)
  for _ = 1, 50 do
    local at = random(math.max(#bytes - 7, 1))
    local number = #bytes >= at + 8 and ("<i8"):unpack(bytes, at + 1)
    if number and number > 0 and number < 1 << 24 then
      return splice(bytes, at, ("<i8"):pack(lengths[1 + random(#lengths)]))
    end
  end
  return kinds.length(bytes, random)
end

local names = {}
for name in pairs(kinds) do names[#names + 1] = name end
table.sort(names)

--- Mutations of a string, cycling through the kinds; every third one has a second change.
-- @tparam string bytes the whole file
-- @tparam table options `count` (200): number of the last mutation, `first` (1): of the first,
-- `seed` (1)
-- @return an iterator over a name, with the kind and the number, and the damaged bytes
function mutate.mutations(bytes, options)
  local count, seed, i = options.count or 200, options.seed or 1, (options.first or 1) - 1
  return function()
    i = i + 1
    if i > count then return nil end
    local random = generator(seed * 100003 + i)
    for _ = 1, 8 do random(2) end -- the first draws of near seeds are near each other
    local name = names[(i - 1) % #names + 1]
    local damaged = kinds[name](bytes, random)
    if i % 3 == 0 and #damaged > 0 then
      damaged = kinds[names[1 + random(#names)]](damaged, random)
    end
    return ("%s, seed %d, number %d"):format(name, seed, i), damaged
  end
end

--- Paths that are not a file of any format: what to write there, or nil if they exist already.
-- @tparam string folder an empty one
-- @treturn table name → `{path =, bytes =}`
function mutate.odd_files(folder)
  return {
    missing = {path = folder .. "/missing"}, folder = {path = folder},
    device = {path = "/dev/zero"},
    empty = {path = folder .. "/empty", bytes = ""},
    text = {path = folder .. "/text", bytes = "This is a text.\n"},
    zeros = {path = folder .. "/zeros", bytes = ("\0"):rep(4096)},
    ones = {path = folder .. "/ones", bytes = ("\xff"):rep(4096)},
  }
end

--- Writes a file; for specs.
function mutate.write(path, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

--- Reads a file whole; for specs.
function mutate.read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "a"
  file:close()
  return bytes
end

return mutate
