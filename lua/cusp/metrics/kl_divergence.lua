--- The mean of the loss of the same name, see `cusp.losses.KLDivergence`.
-- @classmod cusp.metrics.KLDivergence
local define = require "cusp.metrics.define"

return define{class = "KLDivergence", name = "kl_divergence",
  loss = require "cusp.losses.kl_divergence"}
