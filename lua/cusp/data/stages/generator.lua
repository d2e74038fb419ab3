--- Elements from the user's own function: `Dataset.from_generator`.
-- The function may yield elements as a coroutine's body, return them one by one, or return another
-- function (or a coroutine) that does.
-- @module cusp.data.stages.generator
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local map = require "cusp.data.stages.map"
local spec = require "cusp.data.machinery.spec"

local generator = {}

-- Values of a coroutine, one resumption after another. What its body returns at its end is given to
-- `finished`.
local function resumed(thread, number, finished, ...)
  local results = table.pack(coroutine.resume(thread, ...))
  if not results[1] then map.call("from_generator", number, error, results[2], 0) end
  if coroutine.status(thread) == "dead" then
    return finished(table.unpack(results, 2, results.n))
  end
  return table.unpack(results, 2, results.n)
end

local function from_thread(thread)
  return function(number)
    if coroutine.status(thread) == "dead" then return nil end
    return resumed(thread, number, function() return nil end)
  end
end

local function from_function(f)
  return function(number) return map.call("from_generator", number, f) end
end

-- What gives the elements: found out at the first call.
local function start(f, args)
  if type(f) == "thread" then return from_thread(f) end
  local thread = coroutine.create(f)
  local fetch
  local function first_end(...)
    local made = ...
    if type(made) == "thread" then
      fetch = from_thread(made)
      return fetch(1)
    elseif type(made) == "function" and select("#", ...) == 1 then
      fetch = from_function(made)
      return fetch(1)
    end
    fetch = from_function(function() return f(table.unpack(args)) end)
    return ...
  end
  return function(number)
    if fetch then return fetch(number) end
    if number > 1 then
      if coroutine.status(thread) == "dead" then return nil end
      return resumed(thread, number, function() return nil end)
    end
    return resumed(thread, 1, first_end, table.unpack(args))
  end
end

---------------------------------------------------------------- checking

-- Numbers in another dtype, refused where it cannot hold them.
local function converted(leaf, dtype)
  if leaf.dtype == dtype then return leaf end
  if dtype:find "float" then return engine.ops.cast(leaf, dtype) end
  return engine.tensor(leaf:flat(), {dtype = dtype, shape = leaf.shape})
end

-- Numbers and tables of numbers take the declared dtype; tensors have to have it already.
local function fit_part(number, value, k, type, given)
  local own = element.type_of(value)
  local mixes = (own.dtype == "string") ~= (type.dtype == "string")
    or given and own.dtype ~= type.dtype
  if mixes or not spec.allows(type.shape, own.shape) then
    errors.raise("from_generator: element %d: part %d is %s %s, expected %s %s", number, k,
      own.dtype, errors.shape(own.shape), type.dtype,
      type.shape and errors.shape(type.shape) or "of any shape")
  end
  if type.dtype == "string" then return value end
  return converted(value, type.dtype)
end

local function holds_userdata(value)
  if type(value) ~= "table" then return type(value) == "userdata" end
  for _, item in pairs(value) do
    if holds_userdata(item) then return true end
  end
  return false
end

local function check(number, e, signature, given)
  if not element.same_form(e.form, signature.form) then
    errors.raise("from_generator: element %d has the structure %s, expected %s", number,
      element.describe(e),
      signature.text or element.describe{form = signature.form})
  end
  for k = 1, #e do e[k] = fit_part(number, e[k], k, signature.types[k], given) end
end

-- The signature of what follows, from the first element: structure and dtypes; shapes may change.
local function signature_of(e)
  local types = element.types(e)
  for _, type in ipairs(types) do type.shape = nil end
  return {form = e.form, types = types, text = element.describe(e)}
end

--- Starts a generator.
-- @tparam table options `generator`, `args`, and `signature` (`form`, `types`) where it is declared
-- @treturn function that gives the next element
-- @treturn function that closes
function generator.open(options)
  local f = options.generator
  if type(f) == "thread" and coroutine.status(f) == "dead" then
    errors.raise("from_generator: the coroutine has ended; give a function instead, which can be "
      .. "started again")
  end
  local fetch = start(kinds.is_callable(f) and type(f) ~= "function" and function(...)
    return f(...)
  end or f, options.args)
  local number, signature, ended = 0, options.signature, false

  local function take(...)
    if (...) == nil then
      ended = true
      return nil
    end
    local e = element.of_values(("from_generator: element %d"):format(number), ...)
    signature = signature or signature_of(e)
    check(number, e, signature, holds_userdata{...})
    return element.compute(e)
  end

  return function()
    if ended then return nil end
    number = number + 1
    ended = true -- a function that raised is not asked again
    local function resume(...)
      ended = false
      return take(...)
    end
    return resume(fetch(number))
  end, function() ended = true end
end

return generator
