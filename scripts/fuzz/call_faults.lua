--- Classifies the faults of an error: a raw Lua message, or a position in a file of the library.
-- @module call_faults
local faults = {}

local raw = {
  "attempt to ", "stack overflow", "bad argument #%-?%d+ to '%?'", "bad self",
    "no integer representation", "index is nil", "index is NaN",
  "'for' ", "invalid value %(at index", "too many results to unpack", "invalid order function",
    "string too large", "string slice too long",
  "assertion failed", "malformed pattern", "invalid option", "invalid conversion",
    "wrong number of arguments", "invalid key to 'next'",
  "too many ", "unfinished capture", "position out of", "size overflow", "error in error handling",
    "no value", "invalid capture",
  "FUZZ: no end in sight", "should return", "length of",
}
raw[#raw - 1], raw[#raw] = nil, nil -- words of the library's own messages

local lua_functions = {}
for _, space in ipairs{_G, string, table, math, os, io, coroutine, utf8, debug} do
  for name, value in pairs(space) do
    if type(value) == "function" then lua_functions[name] = true end
  end
end
lua_functions["for iterator"] = true
for _, name in ipairs{"load", "select", "type"} do lua_functions[name] = true end

local function is_raw(message)
  for _, pattern in ipairs(raw) do
    if message:find(pattern) then return true end
  end
  local name = message:match "bad argument #%-?%d+ to '([%w_ ]+)'"
  return name ~= nil and lua_functions[name] == true
end

--- The innermost running line of the library, "layers/dense.lua:30"; called in a message handler.
function faults.cause(is_library)
  local level = 3
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then return "?" end
    if is_library(info.source) and not info.source:find "errors%.lua$" then
      return ("%s:%d"):format(info.source:match "cusp/([^@]*)$" or info.source, info.currentline)
    end
    level = level + 1
  end
end

--- The fault of an error, or nil.
-- @tparam any message
-- @tparam string cause
-- @treturn ?table `kind`, `cause`, `message`
function faults.of(message, cause)
  if type(message) ~= "string" then
    local meta = getmetatable(message)
    if type(meta) ~= "table" or not meta.__tostring then return {kind = "no text", cause = cause,
      message = tostring(message)} end
    message = tostring(message)
  end
  cause = message:match "cusp/([%w_/]+%.lua:%d+):" or cause
  if is_raw(message) and cause ~= "?" then return {kind = "raw", cause = cause,
    message = message} end
  if message:find "^[^\n]-cusp/[%w_/]+%.lua:%d+:" then return {kind = "library's line",
    cause = cause, message = message} end
end

return faults
