--- Cross-entropy between one-hot (or probability) targets and predicted probabilities (or logits).
-- Targets and predictions are `[batch, ..., classes]`; the loss is `[batch, ...]`.
-- @classmod cusp.losses.CategoricalCrossentropy
-- @tparam[opt=false] boolean from_logits whether predictions are before the softmax
-- @tparam[opt=0] number label_smoothing
-- @tparam[opt=-1] integer axis of the classes
local define = require "cusp.losses.define"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"
local smoothing = require "cusp.losses.smoothing"

local function hint(y_true, y_pred)
  if y_true.ndim == y_pred.ndim - 1
    or y_true.ndim == y_pred.ndim and y_true.shape[y_true.ndim] == 1 then
    return "; targets that are class ids want sparse_categorical_crossentropy"
  end
  return ""
end

return define{
  class = "CategoricalCrossentropy", name = "categorical_crossentropy",
  parameters = {{"from_logits", "boolean", default = false}, smoothing.parameter,
    {"axis", "axis", default = -1}},
  call = function(y_true, y_pred, from_logits, label_smoothing, axis)
    if not shapes.equal(y_true.shape, y_pred.shape) then
      local text =
        "categorical_crossentropy: targets of shape %s and predictions of shape %s differ; "
        .. "expected one probability for each class%s"
      errors.raise(text, errors.shape(y_true.shape), errors.shape(y_pred.shape),
        hint(y_true, y_pred))
    end
    return ops.categorical_crossentropy(smoothing.categorical(y_true, label_smoothing), y_pred,
      from_logits, axis)
  end,
}
