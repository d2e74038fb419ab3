--- Adam with decoupled weight decay (Loshchilov and Hutter 2019).
-- @classmod cusp.optimizers.AdamW
-- @param[opt=0.001] learning_rate
-- @tparam[opt=0.004] number weight_decay
-- @tparam[opt=0.9] number beta_1
-- @tparam[opt=0.999] number beta_2
-- @tparam[opt=1e-7] number epsilon
-- @tparam[opt=false] boolean amsgrad
local Adam = require "cusp.optimizers.adam"
local Optimizer = require "cusp.optimizers.optimizer"

return Adam:extend("AdamW", {
  config = Optimizer.parameters(0.001, {
    {"weight_decay", "number", default = 0.004}, {"beta_1", "number", default = 0.9},
    {"beta_2", "number", default = 0.999},
    {"epsilon", "number", default = 1e-7}, {"amsgrad", "boolean", default = false},
  }),
  get_config = Optimizer.get_config,
})
