--- Compiled plans by signature. All caches share one limit; the least recently used plans are
-- dropped first.
-- @classmod cusp.tensors.plan_cache
local plain = require "cusp.base.plain"
local warnings = require "cusp.base.warnings"

local PlanCache = {}
PlanCache.__index = PlanCache

-- The limit of all plans together, and the number that is always kept.
local most_bytes, most_plans, least_plans = 64 << 20, 1024, 4

-- The number of signatures in one cache after which its owner is warned that something keeps
-- changing.
local many = 32

local caches = setmetatable({}, {__mode = "k"})
local clock = 0

--- @tparam string owner name for the warning
-- @tparam function name_of returns the name of the i-th part of a signature
-- @tparam[opt] integer most plans in this cache; by default only the shared limit applies
function PlanCache.new(owner, name_of, most)
  local cache = setmetatable({entries = {}, count = 0, most = most or math.huge, owner = owner,
    name_of = name_of, traced = 0}, PlanCache)
  caches[cache] = true
  return cache
end

--- The entry for a signature, or nil.
function PlanCache:find(signature)
  local entry = self.entries[signature]
  if entry then
    clock = clock + 1
    entry.used = clock
  end
  return entry
end

--- The entries, the one used last first.
-- @treturn {table,...}
function PlanCache:by_use()
  local list = {}
  for _, entry in pairs(self.entries) do list[#list + 1] = entry end
  plain.sort(list, function(a, b) return a.used > b.used end)
  return list
end

local function all_entries()
  local list, bytes = {}, 0
  for cache in pairs(caches) do
    for signature, entry in pairs(cache.entries) do
      list[#list + 1] = {cache = cache, signature = signature, used = entry.used,
        bytes = entry.bytes}
      bytes = bytes + entry.bytes
    end
  end
  return list, bytes
end

local function drop(cache, signature)
  cache.entries[signature], cache.count = nil, cache.count - 1
end

local function drop_own(cache)
  while cache.count > cache.most do
    local oldest
    for signature, entry in pairs(cache.entries) do
      if not oldest or entry.used < cache.entries[oldest].used then oldest = signature end
    end
    drop(cache, oldest)
  end
end

local function drop_oldest()
  local list, bytes = all_entries()
  if #list <= most_plans and bytes <= most_bytes then return end
  plain.sort(list, function(a, b) return a.used < b.used end)
  for i = 1, #list - least_plans do
    if #list - i < most_plans and bytes <= most_bytes then return end
    local oldest = list[i]
    drop(oldest.cache, oldest.signature)
    bytes = bytes - oldest.bytes
  end
end

-- The part with the most different values among the entries: these values, in order of use.
local function most_changing(entries)
  local seen, best = {}, nil
  for e = #entries, 1, -1 do
    local entry = entries[e]
    for i, text in ipairs(entry.parts) do
      local values = seen[i] or {at = i}
      if not values[text] then values[text], values[#values + 1] = true, text end
      seen[i] = values
    end
  end
  for _, values in ipairs(seen) do
    if not best or #values > #best then best = values end
  end
  return best
end

local function warn_of_change(cache)
  local changing = most_changing(cache:by_use())
  if not changing then return end
  warnings.warn(
    "%s: %s keeps changing (%s, ...): %d plans so far, and each new one takes "
    .. "time. Pad sequences to a few "
    .. "lengths, drop the last short batch, and turn numbers into tensors or variables",
    cache.owner, cache.name_of(changing.at),
    table.concat(changing, ", ", 1, math.min(3, #changing)), cache.traced)
end

--- Adds a plan; others may be dropped.
-- @tparam string signature
-- @tparam table entry with the compiled function in `run`
-- @tparam {string,...} parts of the signature, for the warning
function PlanCache:keep(signature, entry, parts)
  clock = clock + 1
  entry.used, entry.bytes, entry.parts = clock, entry.run.bytes, parts
  if not self.entries[signature] then self.count = self.count + 1 end
  self.entries[signature] = entry
  self.traced = self.traced + 1
  drop_own(self)
  drop_oldest()
  if self.traced == many then warn_of_change(self) end
end

return PlanCache
