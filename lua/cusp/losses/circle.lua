--- Circle loss for unit-length embeddings `[batch, features]`, with class ids as targets (Sun et
-- al. 2020).
-- @classmod cusp.losses.Circle
-- @tparam[opt=80] number gamma scale
-- @tparam[opt=0.4] number margin
-- @tparam[opt=true] boolean remove_diagonal whether to exclude a sample as its own positive
local define = require "cusp.losses.define"
local masks = require "cusp.base.masks"
local ops = require "cusp.ops"

local function pair_masks(labels, others, remove_diagonal)
  local same = ops.equal(ops.reshape(labels, {-1, 1}), ops.reshape(others, {1, -1}))
  local different = ops.logical_not(same)
  if remove_diagonal then
    local diagonal = ops.eye(same.shape[1], same.shape[2])
    same = ops.logical_and(same, ops.logical_not(ops.cast(diagonal, "bool")))
  end
  return same, different
end

local function log_sum(values, mask)
  return ops.logsumexp(ops.where(mask, values, -math.huge), 2)
end

--- The loss of each embedding against references, by default all of the batch.
local function circle(y_true, y_pred, ref_labels, ref_embeddings, remove_diagonal, gamma, margin)
  local others = ref_embeddings == nil and y_pred or ops.convert_to_tensor(ref_embeddings)
  local labels = ops.cast(y_true, "int32")
  local other_labels = ref_labels == nil and labels or ops.cast(ref_labels, "int32")
  local distances = ops.maximum(1 - ops.matmul(y_pred, ops.transpose(others)), 0)
  local same, different = pair_masks(labels, other_labels, remove_diagonal)
  local positive = ops.maximum((distances + margin) * ops.cast(same, distances.dtype), 0)
  local negative = ops.maximum((1 + margin - distances) * ops.cast(different, distances.dtype), 0)
  local positive_logits = positive * (margin - distances) * -gamma
  local negative_logits = negative * (1 - margin - distances) * gamma
  local loss = ops.softplus(log_sum(positive_logits, same) + log_sum(negative_logits, different))
  masks.set(loss, ops.greater(loss, 0)) -- samples without a pair do not count
  return loss
end

local remove_diagonal = {"remove_diagonal", "boolean", default = true}

return define{
  class = "Circle", name = "circle", sparse = true, same_rank = false,
  parameters = {
    {"gamma", "number", default = 80.0}, {"margin", "number", default = 0.4}, remove_diagonal,
  },
  function_parameters = {
    {"ref_labels", "any", optional = true}, {"ref_embeddings", "any", optional = true},
    remove_diagonal, {"gamma", "number", default = 80.0}, {"margin", "number", default = 0.4},
  },
  call = function(y_true, y_pred, gamma, margin, without_diagonal)
    return circle(y_true, y_pred, nil, nil, without_diagonal, gamma, margin)
  end,
  call_function = circle,
}
