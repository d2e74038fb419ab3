--- Checks that a tensor, a number or nested lists are what Keras computed, but for rounding.
local cusp = require "cusp"

local function differs(got, want)
  if type(want) == "table" then
    if type(got) ~= "table" or #got ~= #want then return true end
    for i = 1, #want do
      if differs(got[i], want[i]) then return true end
    end
    return false
  end
  if type(got) == "number" and type(want) == "number" then
    return math.abs(got - want) > 1e-5 + 1e-5 * math.abs(want)
  end
  return got ~= want
end

-- `what` is named in the message.
return function(what, got, want)
  if type(got) == "userdata" then got = got:tolist() end
  if differs(got, want) then
    error(("%s: %s, expected %s"):format(what, cusp.json.encode(got), cusp.json.encode(want)), 0)
  end
end
