-- Functions of losses among the metrics, with the numbers that Keras gets.
local cusp = require "cusp"
local waves = require "spec.support.waves"

local metrics = cusp.metrics

describe("metrics", function()
  it("have functions that are losses elsewhere", function()
    local x = waves.cosines{4, 3}
    waves.compare({0.9035815596580505, 0.28123122453689575, 1.0263859033584595,
      0.1737745702266693}, metrics.huber(x, x * 2 + 1))
    waves.compare({0.05691641569137573},
      metrics.binary_focal_crossentropy({{0, 1.0}}, {{0.3, 0.6}}))
    waves.compare({0.008025187067687511},
      metrics.categorical_focal_crossentropy({{0, 1.0}}, {{0.3, 0.7}}))
  end)
end)
