--- Looks for failures with random programs, calls and files.
-- Usage: cusp scripts/fuzz/run.lua SECONDS [SEED] [programs,calls,files]
package.path = "scripts/fuzz/?.lua;" .. package.path

local seconds = tonumber(arg[1]) or 120
local seed = math.tointeger(tonumber(arg[2])) or os.time() % 1000000
local wanted = arg[3] and arg[3] ~= "" and arg[3] or "programs,calls,files"

local failures = {}
local function report(kind, what)
  failures[#failures + 1] = kind
  print(("---- %s: failure %d\n%s"):format(kind, #failures, what))
  io.stdout:flush()
end

-- Name → the module of its generator, if it exists.
local function generator(name)
  if not package.searchpath(name, package.path) then return nil end
  local found = require(name)
  return found.fuzz or found.run
end

local kinds = {}
for name in wanted:gmatch "%w+" do
  local run = generator(name)
  if run then kinds[#kinds + 1] = {name = name,
    run = run} else print(("%s: there is no scripts/fuzz/%s.lua"):format(name, name)) end
end

local function numbers(counts)
  local parts, names = {}, {}
  for name in pairs(counts) do names[#names + 1] = name end
  table.sort(names, function(a, b) return a > b end)
  for _, name in ipairs(names) do parts[#parts + 1] = ("%s %s"):format(counts[name], name) end
  return table.concat(parts, ", ")
end

print(("seed %d, %d seconds"):format(seed, seconds))
local lines = {}
for _, kind in ipairs(kinds) do
  local counts = kind.run{seconds = math.max(1, seconds // #kinds), seed = seed, report = report,
    shrink = 30}
  lines[#lines + 1] = ("%s: %s"):format(kind.name, numbers(type(counts) == "table" and counts
    or {tried = counts}))
end
print(table.concat(lines, "\n"))
print(("%d failures; to repeat: make fuzz SECONDS=%d SEED=%d"):format(#failures, seconds, seed))
os.exit(#failures == 0)
