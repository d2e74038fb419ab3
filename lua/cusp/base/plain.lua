--- Lua's locale-dependent functions, as in the C locale. A host may have set another locale, where
-- 1.5 is "1,5", the capital of "i" is not "I", and "a" sorts before "B". Files and names must not
-- depend on that.
-- @module cusp.base.plain
local plain = require("cusp.engine").plain

return {
  format = plain(string.format), tostring = plain(tostring), tonumber = plain(tonumber),
  lower = plain(string.lower),
  upper = plain(string.upper), concat = plain(table.concat), sort = plain(table.sort),
  less = plain(function(a, b) return a < b end),
}
