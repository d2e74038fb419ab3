--- A value with its tensors as Lua values: numbers, strings, tables of them.
local function plain(value)
  if type(value) == "userdata" then return value:tolist() end
  if type(value) ~= "table" then return value end
  local result = {}
  for key, item in pairs(value) do result[key] = plain(item) end
  return result
end

return plain
