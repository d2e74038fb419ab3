--- Calls a function that is to fail, and checks that the message has these parts.
local message_of = require "spec.support.message"

return function(f, ...)
  local message = message_of(f)
  for _, part in ipairs{...} do
    assert(message:find(part, 1, true), ("expected '%s' in: %s"):format(part, message))
  end
end
