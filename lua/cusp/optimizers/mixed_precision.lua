--- Mixed precision: computing in 16 bits with variables in 32.
-- @module cusp.mixed_precision
-- @usage cusp.mixed_precision.set_global_policy "mixed_bfloat16"
local DTypePolicy = require "cusp.base.dtype_policy"
local LossScaleOptimizer = require "cusp.optimizers.loss_scale_optimizer"
local config = require "cusp.base.config"

return {
  DTypePolicy = DTypePolicy, Policy = DTypePolicy, LossScaleOptimizer = LossScaleOptimizer,
  dtype_policy = config.dtype_policy, global_policy = config.dtype_policy,
  set_dtype_policy = config.set_dtype_policy, set_global_policy = config.set_dtype_policy,
}
