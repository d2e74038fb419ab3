--- Lua's functions that follow the locale, as they are in the C locale. A host may have set another
-- one, in which 1.5 is "1,5", the capital of "i" is no "I", and "a" comes before "B": no file and
-- no name of ours may depend on that.
-- @module cusp.base.plain
local plain = require("cusp.engine").plain

return {
  format = plain(string.format), tostring = plain(tostring), tonumber = plain(tonumber),
  lower = plain(string.lower),
  upper = plain(string.upper), concat = plain(table.concat), sort = plain(table.sort),
  less = plain(function(a, b) return a < b end),
}
