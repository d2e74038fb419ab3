--- What this machine does at most, as one line of JSON: products of matrices by dtype, in
-- operations a second, and bytes of memory a second.
local peaks = require "cusp.profiler.peaks"

print(require("cusp").json.encode{
  float32 = peaks.operations "float32", bfloat16 = peaks.operations "bfloat16",
  bandwidth = peaks.bandwidth(),
})
