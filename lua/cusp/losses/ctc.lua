--- Connectionist temporal classification: targets `[batch, length]` of class ids (0 is the blank),
-- logits `[batch, time, classes]`.
-- @classmod cusp.losses.CTC
local define = require "cusp.losses.define"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

return define{
  class = "CTC", name = "ctc", sparse = true, same_rank = false,
  call = function(y_true, y_pred)
    if y_true.ndim ~= 2 then
      errors.raise("ctc: targets should be class ids of shape [batch, length], got shape %s",
        errors.shape(y_true.shape))
    end
    if y_pred.ndim ~= 3 then
      errors.raise("ctc: logits should have shape [batch, time, classes], got shape %s",
        errors.shape(y_pred.shape))
    end
    local lengths = ops.sum(ops.cast(ops.not_equal(y_true, 0), "int32"), -1)
    local times = ops.full({y_pred.shape[1]}, y_pred.shape[2], "int32")
    return ops.ctc_loss(y_true, y_pred, lengths, times, {mask_index = 0})
  end,
}
