--- F1 score: the harmonic mean of precision and recall. Targets are one-hot `[batch, classes]`.
-- @classmod cusp.metrics.F1Score
-- @tparam[opt] string average nil (a score for each class), `"micro"`, `"macro"` or `"weighted"`
-- @tparam[opt] number threshold predictions above it count as positive; nil: only the largest one
local FBetaScore = require "cusp.metrics.fbeta_score"
local Metric = require "cusp.metrics.metric"
local kinds = require "cusp.base.kinds"
local ordered = require "cusp.base.ordered"

local F1Score = FBetaScore:extend("F1Score", {
  config = {
    {"average", "choice", choices = {"micro", "macro", "weighted"}, optional = true},
    {"threshold", "number", optional = true, above = 0, max = 1},
    {"name", "string", default = "f1_score"}, {"dtype", "dtype", optional = true},
  },
})

function F1Score:init(args)
  if self.config == F1Score.config then self:configure(args, F1Score) end
  Metric.init(self, args)
end

--- Like FBetaScore's, without `beta`.
function F1Score:get_config()
  local config = Metric.get_config(self)
  for i = 1, 2 do
    ordered.set(config, F1Score.config[i][1],
      kinds.to_config(F1Score.config[i], self[F1Score.config[i][1]]))
  end
  return config
end

return F1Score
