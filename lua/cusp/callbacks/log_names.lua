--- The order of values in `logs`, since a table has none.
-- @module cusp.callbacks.log_names
local plain = require "cusp.base.plain"

--- The names in `logs`: first those that the model reports, in its order, then the same for
-- validation, then all others, sorted.
-- @tparam {string,...} reported names in the model's order
-- @tparam table logs
-- @treturn {string,...}
return function(reported, logs)
  local names, known = {}, {}
  local function add(name)
    if logs[name] ~= nil and not known[name] then names[#names + 1], known[name] = name, true end
  end
  for _, name in ipairs(reported) do add(name) end
  for _, name in ipairs(reported) do add("val_" .. name) end
  local others = {}
  for name in pairs(logs) do
    if not known[name] then others[#others + 1] = tostring(name) end
  end
  plain.sort(others)
  return table.move(others, 1, #others, #names + 1, names)
end
