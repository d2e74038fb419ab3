--- JSON's null as a Lua value: present in a table, where nil would be absent.
-- @module cusp.base.null
local function to_json() return "null" end

return setmetatable({}, {
  __name = "cusp.null",
  __tostring = function() return "null" end,
  __newindex = function() error("cusp.null cannot have fields", 2) end,
  __tojson = to_json, -- as dkjson asks for it
  __metatable = {__tojson = to_json},
})
