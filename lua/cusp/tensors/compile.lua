--- Functions that are traced once and then run as a plan.
-- @module cusp.tensors.compile
local captures = require "cusp.captures"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local gradients = require "cusp.tensors.gradients"
local structure = require "cusp.base.structure"
local define = require "cusp.ops.define"
local plain = require "cusp.base.plain"
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
      local keys = {}
      for key in pairs(value) do keys[#keys + 1] = key end
      plain.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
      parts[#parts + 1] = "{"
      for _, key in ipairs(keys) do
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
    local keys, result = {}, {}
    for key in pairs(value) do keys[#keys + 1] = key end
    plain.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for _, key in ipairs(keys) do result[key] = walk(value[key]) end
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

local function holds_symbolic(values)
  for i = 1, values.n do
    if structure.find(values[i], define.is_symbolic) then return true end
  end
  return false
end

--- Compiles a function: traces it at its first call and runs its plan afterwards. Tensors among the
-- arguments, at any depth, become inputs of the plan. Everything else (numbers, strings, booleans)
-- is part of the signature with their shapes and dtypes; a new signature is traced again. So is a
-- call after an upvalue, a global or a field that the function can reach has changed (see
-- `cusp.captures`). Variables are read and assigned in each call without a new trace. Other effects
-- of the function, such as printing, happen only during tracing. While a tape records, or inside
-- another trace, the function runs uncompiled. The 64 most recently used plans are kept, up to 64
-- MB together with those of models.
-- @tparam function f
-- @treturn function
-- @raise if the function needs the value of a tensor
-- @usage local step = cusp.compile(function(x) return (x * x + 1):sum() end)
local function compile(f)
  local callable = type(f) == "function"
    or type(f) == "table" and getmetatable(f) and getmetatable(f).__call
  if not callable then errors.raise("compile: expected a function, got %s", errors.describe(f)) end
  local captured = captures.new("cusp.compile", {root = f, training = "all"})
  local plans = PlanCache.new("compiled function", name_of, 64)
  return function(...)
    local values = table.pack(...)
    if engine.tracing() or gradients.is_recording() or holds_symbolic(values) then return f(...) end
    local signature, tensors = signature_of(values)
    local state = captured:state()
    signature = state .. ";" .. signature
    local entry = plans:find(signature)
    if not entry then
      entry = captured:trace(engine.traced, trace, f, values, captured)
      plans:keep(signature, entry, parts_of(state, values))
    end
    return results_of(entry, table.pack(entry.run(table.unpack(tensors))))
  end
end

return compile
