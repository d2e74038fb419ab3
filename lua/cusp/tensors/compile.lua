--- Functions that are traced once and then run as a plan.
-- @module cusp.tensors.compile
local captures = require "cusp.captures"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local gradients = require "cusp.tensors.gradients"
local structure = require "cusp.base.structure"
local define = require "cusp.ops.define"
local PlanCache = require "cusp.tensors.plan_cache"

local function is_tensor(value)
  return type(value) == "userdata" and engine.is_tensor(value)
end

local function signature_of(values)
  local parts, tensors = {}, {}
  local function add(value)
    if is_tensor(value) then
      tensors[#tensors + 1] = value
      parts[#parts + 1] = value.dtype .. errors.shape(value.shape)
    elseif structure.is_container(value) then
      parts[#parts + 1] = "{"
      for _, key in ipairs(structure.keys(value)) do
        parts[#parts + 1] = tostring(key) .. "="
        add(value[key])
      end
      parts[#parts + 1] = "}"
    else
      parts[#parts + 1] = type(value) == "string" and ("%q"):format(value)
        or math.type(value) == "float" and ("%a"):format(value)
        or tostring(value)
    end
  end
  for i = 1, values.n do add(values[i]) end
  return table.concat(parts, ";"), tensors
end

-- Replaces the leaves in `chosen`, in the order in which signature_of visits tensors.
local function replace(values, chosen, replacement)
  local at = 0
  local function walk(value)
    if chosen(value) then
      at = at + 1
      return replacement(value, at)
    end
    if not structure.is_container(value) then return value end
    local result = {}
    for _, key in ipairs(structure.keys(value)) do result[key] = walk(value[key]) end
    return result
  end
  local result = {n = values.n}
  for i = 1, values.n do result[i] = walk(values[i]) end
  return result
end

-- Marks the position of a tensor in the function's result.
local place = setmetatable({}, {__name = "place of a tensor"})

local function trace(recorder, f, values, captured)
  local inputs = replace(values, is_tensor, function(tensor)
    return recorder:placeholder(tensor.shape, tensor.dtype)
  end)
  local returned = table.pack(f(table.unpack(inputs, 1, values.n)))
  local outputs = {}
  local form = replace(returned, is_tensor, function(tensor, at)
    outputs[at] = tensor
    return place
  end)
  captured:warn_of_truths(recorder:unused_truths(outputs))
  return {run = recorder:compile(outputs), form = form}
end

local function results_of(entry, outputs)
  local results = replace(entry.form, function(value) return value == place end, function(_, at)
    return outputs[at]
  end)
  return table.unpack(results, 1, results.n)
end

local function parts_of(state, values)
  local parts = {tostring(state)}
  for i = 1, values.n do
    parts[i + 1] = signature_of{n = 1, values[i]}:gsub("([{=]);", "%1"):gsub(";}", "}")
  end
  return parts
end

local function name_of(index)
  return index == 1 and "what it captured of Lua" or "argument " .. index - 1
end

local deepest = 1000 -- what is nested deeper holds itself

local function find_symbolic(value, argument, depth)
  if not structure.is_container(value) then return define.is_symbolic(value) end
  if depth == deepest then
    errors.raise("compile: argument %d of the compiled function contains itself, or is nested more"
      .. " than %d deep", argument, deepest)
  end
  for _, item in pairs(value) do
    if find_symbolic(item, argument, depth + 1) then return true end
  end
  return false
end

local function holds_symbolic(values)
  for i = 1, values.n do
    if find_symbolic(values[i], i, 0) then return true end
  end
  return false
end

-- What `compile` returns: called as the function, and printed as its plans.
local Compiled = {__name = "cusp.CompiledFunction", __wraps = "f"}

function Compiled:__call(...)
  local values, f = table.pack(...), self.f
  if engine.tracing() or gradients.is_recording() or holds_symbolic(values) then return f(...) end
  local signature, tensors = signature_of(values)
  local state = self.captured:state()
  signature = state .. ";" .. signature
  local entry = self.plans:find(signature)
  if not entry then
    entry = self.captured:trace(engine.traced, trace, f, values, self.captured)
    self.plans:keep(signature, entry, parts_of(state, values))
  end
  return results_of(entry, table.pack(entry.run(table.unpack(tensors))))
end

function Compiled:__tostring()
  local info = type(self.f) == "function" and debug.getinfo(self.f, "S")
  local name = info and ("%s:%d"):format(info.short_src, info.linedefined) or tostring(self.f)
  local lines = {("compiled function (%s), %d plan%s%s"):format(name, self.plans.count,
    self.plans.count == 1 and "" or "s", self.plans.count == 0 and " yet: it has not been called"
    or "")}
  for _, entry in ipairs(self.plans:by_use()) do
    lines[#lines + 1] = ("for (%s):"):format(table.concat(entry.parts, ", ", 2))
    lines[#lines + 1] = tostring(entry.run)
  end
  return (table.concat(lines, "\n"):gsub("%s+$", ""))
end

--- A function that is traced at its first call and run from its plan afterwards.
-- Tensors among the arguments, at any depth, become inputs of the plan; all else (numbers, strings,
-- booleans) is part of the signature, and a new signature of shapes, dtypes and such values is
-- traced anew. So it is where an upvalue, a global or a field that the function can reach is
-- another than when it was traced (see `cusp.captures`); variables are read and assigned in each
-- call without that. What the function does besides computing tensors, such as printing, happens
-- when it is traced alone. While a tape records, or within another trace, the function runs as it
-- is. The 64 plans used last are kept, up to 64 MB together with those of models; to print the
-- compiled function shows them.
-- @tparam function f
-- @treturn function
-- @raise if the function needs the value of a tensor
-- @usage local step = cusp.compile(function(x) return (x * x + 1):sum() end)
local function compile(f)
  if not kinds.is_callable(f) then
    errors.raise("compile: expected a function, got %s", errors.describe(f))
  end
  return setmetatable({f = f, captured = captures.new("cusp.compile", {root = f, training = "all"}),
    plans = PlanCache.new("compiled function", name_of, 64)}, Compiled)
end

return compile
