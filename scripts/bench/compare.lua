--- Shows what became slower between two results of `make bench`, copies of BUILD/bench.json.
-- Usage: cusp scripts/bench/compare.lua OLD NEW [FACTOR]
-- Lists what is slower by more than FACTOR (default 1.1); the exit code is then 1. The speed of a
-- machine varies: if a peer was timed both times, ratios to it are compared, otherwise times.
local json = require "cusp.formats.json"

local factor = tonumber(arg[3]) or 1.1

local function read(path)
  local file <close> = assert(io.open(path))
  return json.decode(file:read "a")
end

-- Cusp's case comes first in a row; a peer represents the machine only with the same version both
-- times.
local function medians(row)
  local peers = {}
  for i = 2, #row.cases do
    local case = row.cases[i]
    if case.median then peers[case.label .. (case.version or "")] = case.median end
  end
  return row.cases[1].median, peers
end

local function change(old, new)
  local before, peers_before = medians(old)
  local after, peers_after = medians(new)
  if not before or not after then return nil end
  local sum, n = 0, 0
  for name, time in pairs(peers_before) do
    if peers_after[name] then sum, n = sum + math.log(peers_after[name] / time), n + 1 end
  end
  return after / before / math.exp(n > 0 and sum / n or 0), n
end

local old, new = read(arg[1]), read(arg[2])
local rows = {}
for _, row in ipairs(old.rows) do rows[row.title] = row end
print(("%s -> %s; above 1: slower"):format(old.commit, new.commit))
local slower = 0
for _, row in ipairs(new.rows) do
  local ratio, peers = nil, 0
  if rows[row.title] then ratio, peers = change(rows[row.title], row) end
  if ratio then
    local mark = ratio > factor and "  SLOWER" or ""
    if ratio > factor then slower = slower + 1 end
    print(("  %5.2f  %-60s %s%s"):format(ratio, row.title,
      peers > 0 and ("against %d peers"):format(peers) or "times", mark))
  end
end
print(("%d of %d rows are slower by more than %g"):format(slower, #new.rows, factor))
os.exit(slower == 0)
