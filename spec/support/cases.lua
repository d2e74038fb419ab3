-- Golden cases: Keras's results from spec/fixtures, and comparing with them.
local cusp = require "cusp"

local cases = {}

local special = {NaN = 0 / 0, Infinity = math.huge, ["-Infinity"] = -math.huge}

--- A decoded, compressed file of spec/fixtures.
function cases.read(path)
  local pipe = assert(io.popen("gzip -dc spec/fixtures/" .. path))
  local text = pipe:read "a"
  pipe:close()
  return cusp.json.decode(text)
end

function cases.is_null(value) return value == nil or value == cusp.null end

local function number(value) return special[value] or value end

--- Converts a tensor of a case to a tensor.
function cases.tensor(json)
  json = json.tensor or json
  local data = {}
  for i, value in ipairs(json.data) do
    data[i] = number(value)
    if json.dtype == "bool" then data[i] = data[i] ~= 0 end
  end
  return cusp.tensor(data, {shape = {table.unpack(json.shape)}, dtype = json.dtype})
end

--- Converts arguments of a case: tensors to tensors, null to nil (false in lists).
function cases.convert(value)
  if cases.is_null(value) then return nil end
  if type(value) ~= "table" then return number(value) end
  if type(value.tensor) == "table" then return cases.tensor(value) end
  local result = {}
  for key, item in pairs(value) do
    local converted = cases.convert(item)
    if converted == nil and type(key) == "number" then converted = false end
    result[key] = converted
  end
  return result
end

local function close(got, want, atol, rtol)
  if got == want or got ~= got and want ~= want then return true end
  return math.abs(got - want) <= atol + rtol * math.abs(want)
end

--- Raises if a tensor (or number) differs from the case's.
function cases.compare(got, want, case, what)
  want = want.tensor or want
  local values = type(got) == "number" and {got} or got:flat()
  assert(#values == #want.data, ("%s: %d values, expected %d"):format(what, #values, #want.data))
  for i, value in ipairs(values) do
    if value == true then value = 1 elseif value == false then value = 0 end
    local wanted = number(want.data[i])
    if not close(value, wanted, case.atol or 1e-5, case.rtol or 1e-4) then
      error(("%s: value %d is %s, expected %s"):format(what, i, value, wanted), 0)
    end
  end
end
cases.close = close

--- Calls f with positional arguments and keyword ones, if any, in a table at the end.
function cases.call(f, args, kwargs)
  local packed, n = {}, #args
  for i = 1, n do packed[i] = args[i] or nil end
  if next(kwargs or {}) then
    n = n + 1
    packed[n] = kwargs
  end
  return f(table.unpack(packed, 1, n))
end

--- The serialised form of a case's object.
function cases.serialised(case)
  return {class_name = case.class_name, config = case.config, registered_name = cusp.null}
end

return cases
