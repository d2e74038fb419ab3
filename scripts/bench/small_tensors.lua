--- Creates and drops a million small tensors.
local cusp = require "cusp"
local x = cusp.tensor{1, 2, 3, 4}
for i = 1, 1000000 do
  local _ = x * i
end
