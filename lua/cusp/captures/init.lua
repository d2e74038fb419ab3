--- Captured values: the plain values, tables, functions and objects that a traced function can
-- reach.
--
-- A plan uses the values that upvalues, globals and fields had during tracing. They are recorded
-- and compared before the plan runs again: once per call, in `fit` once per epoch. Each combination
-- of values has its own number, so alternating between two states (a discriminator frozen and not)
-- reuses the plans of both.
-- @module cusp.captures
local snapshot = require "cusp.captures.snapshot"
local warnings = require "cusp.base.warnings"

local max_states = 8 -- kept of one function
local many = 5       -- changes of one value after which a warning says what they cost

local none, weak = {}, {__mode = "k"}

-- for cusp.base.whole: a failed trace has changed nothing here
local Captures = {__changes_last = true}
Captures.__index = Captures

--- @tparam string owner name for warnings, such as "cusp.compile"
-- @tparam table options as for `snapshot.take`
local function new(owner, options)
  return setmetatable({
    owner = owner, options = options, states = {}, last = 0, warned = {},
    writes = setmetatable({}, weak), changes = setmetatable({}, weak),
  }, Captures)
end

-- Counts what ended a state; warns once if the same cause is frequent.
local function count_change(self, record, key)
  if record.kind == nil or record.kind == "variable" then return end
  local counts = self.changes[record.of] or {}
  self.changes[record.of] = counts
  counts[key] = (counts[key] or 0) + 1
  if counts[key] == many then
    warnings.warn("%s: %s has changed %d times, and each time the function was traced again; "
      .. "assign to a cusp.Variable to avoid that", self.owner,
      snapshot.describe(record, key), many)
  end
end

-- The number of the state at a place; the one used last is kept last.
local function use(states, i)
  if i < #states then table.insert(states, table.remove(states, i)) end
  return states[#states].number
end

--- The number of the current state of the captured values; each plan belongs to one.
-- @treturn integer
function Captures:state()
  local states, record, key = self.states, nil, nil
  for i = #states, 1, -1 do
    if snapshot.is_same(states[i]) then return use(states, i) end
  end
  for i = #states, 1, -1 do
    local differing, its_key = snapshot.difference(states[i])
    if not differing then return use(states, i) end
    if i == #states then record, key = differing, its_key end
  end
  if record and not self.pending then count_change(self, record, key) end
  if not self.pending then self.last, self.pending = self.last + 1, true end
  return self.last
end

-- A value that a trace wrote at least twice belongs to the function itself, such as a counter.
local function note_writes(self, before, after)
  for _, record in ipairs(after.records) do
    local earlier = before.by[record.kind] and before.by[record.kind][record.of]
    for key in next, earlier and snapshot.written(earlier, record) or none do
      local writes = self.writes[record.of] or {}
      self.writes[record.of] = writes
      writes[key] = (writes[key] or 0) + 1
    end
  end
end

local function forget_written(self)
  for _, state in ipairs(self.states) do
    for _, record in ipairs(state.records) do
      for key, count in next, self.writes[record.of] or none do
        if count > 1 then snapshot.forget(state, record, key) end
      end
    end
  end
end

--- Traces, and records what the trace could see.
-- @tparam function trace
-- @param ... its arguments
-- @return what it returns
function Captures:trace(trace, ...)
  local number, before = self:state(), snapshot.take(self.options)
  local result = trace(...)
  local after = snapshot.take(self.options)
  note_writes(self, before, after)
  after.number = number
  if not self.pending then table.remove(self.states) end
  self.pending = nil
  table.insert(self.states, after)
  if #self.states > max_states then table.remove(self.states, 1) end
  forget_written(self)
  return result
end

--- Warns about truth values that the traced function requested but did not compute with: Lua tested
-- them.
-- @tparam {string,...} places as returned by `trace:unused_truths`
function Captures:warn_of_truths(places)
  for _, place in ipairs(places) do
    if not self.warned[place] then
      self.warned[place] = true
      warnings.warn("%s: %s returns a tensor that nothing is computed from; in Lua every tensor is "
        .. "true, so 'if' always takes its first branch: use "
        .. "cusp.ops.where or cusp.ops.cond", self.owner, place)
    end
  end
end

return {new = new}
