--- Calls a function that is to fail, and checks that a text is part of the message.
local message_of = require "spec.support.message"

return function(text, f, ...)
  local message = message_of(f, ...)
  assert(message:find(text, 1, true), ("expected '%s' in: %s"):format(text, message))
end
