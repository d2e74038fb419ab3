--- The base of distributions, which say what each process does of the training.
-- @classmod cusp.distribution.Distribution
-- @tparam DeviceMesh device_mesh
local Object = require "cusp.base.class"

return Object:extend("Distribution", {
  __module = "keras.distribution",
  config = {{"device_mesh", "any", optional = true}},
  init = function(self, args) Object.configure(self, args) end,
})
