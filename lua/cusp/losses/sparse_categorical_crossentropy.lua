--- Cross-entropy between class ids (counted from 0) and predicted probabilities (or logits).
-- Targets `[batch, ...]` or `[batch, ..., 1]`, predictions `[batch, ..., classes]`; the loss is
-- `[batch, ...]`.
-- @classmod cusp.losses.SparseCategoricalCrossentropy
-- @tparam[opt=false] boolean from_logits whether predictions are before the softmax
-- @tparam[opt] integer ignore_class id of samples to ignore (a "void" class)
-- @tparam[opt=-1] integer axis of the classes
local define = require "cusp.losses.define"
local errors = require "cusp.base.errors"
local masks = require "cusp.base.masks"
local ops = require "cusp.ops"

local function check_shapes(y_true, y_pred, axis)
  local expected = y_pred.shape
  table.remove(expected, axis)
  local got, same = y_true.shape, y_true.ndim == y_pred.ndim - 1
  for i = 1, #expected do same = same and got[i] == expected[i] end
  if same then return end
  local one_hot = #got == #expected + 1 and got[#got] == y_pred.shape[y_pred.ndim]
  errors.raise(
    "sparse_categorical_crossentropy: targets of shape %s do not fit predictions of shape %s; "
    .. "expected class ids of shape %s%s",
    errors.shape(got), errors.shape(y_pred.shape), errors.shape(expected),
    one_hot and "; one-hot targets want categorical_crossentropy" or "")
end

local SparseCategoricalCrossentropy = define{
  class = "SparseCategoricalCrossentropy", name = "sparse_categorical_crossentropy", sparse = true,
  parameters = {
    {"from_logits", "boolean", default = false}, {"ignore_class", "integer", optional = true},
    {"axis", "axis", default = -1, omit_default = true},
  },
  order = {"from_logits", "ignore_class", "reduction", "axis", "name", "dtype"},
  call = function(y_true, y_pred, from_logits, ignore_class, axis)
    local rank = y_pred.ndim
    local class_axis = axis < 0 and rank + 1 + axis or axis
    if class_axis < 1 or class_axis > rank then
      errors.raise(
        "sparse_categorical_crossentropy: axis %d is out of range for predictions of shape %s",
        axis, errors.shape(y_pred.shape))
    end
    if y_true.ndim == rank and y_true.shape[class_axis] == 1 then
      y_true = ops.squeeze(y_true, class_axis)
    end
    check_shapes(y_true, y_pred, class_axis)
    local valid
    if ignore_class then
      valid = ops.not_equal(y_true, ignore_class)
      y_true = ops.where(valid, y_true, 0)
      y_pred = ops.where(ops.expand_dims(valid, class_axis), y_pred, 0)
    end
    local loss = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits, class_axis)
    if valid then
      loss = ops.where(valid, loss, 0)
      masks.set(loss, valid)
    end
    return loss
  end,
}

-- fit checks the labels once at the start: an id out of range is an error, not a silent zero.
SparseCategoricalCrossentropy.checks_labels = true

return SparseCategoricalCrossentropy
