--- Counts of correct and wrong decisions at several thresholds, the basis of Precision, Recall, AUC
-- and similar metrics.
-- @module cusp.metrics.confusion
local config = require "cusp.base.config"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local losses = require "cusp.losses.reduction"
local ops = require "cusp.ops"
local reduction = require "cusp.metrics.reduction"

local confusion = {}

--- The threshold that keeps everything, used with `top_k`.
confusion.lowest = -1e10

--- A list of thresholds from a number, a list, or nil.
-- @raise for one that is not between 0 and 1
function confusion.parse_thresholds(owner, thresholds, default)
  if thresholds == nil then return {default} end
  local list = type(thresholds) == "number" and {thresholds} or thresholds
  if type(list) ~= "table" then
    errors.raise("%s: thresholds should be a number or a list of them, got %s", owner,
      errors.describe(list))
  end
  for i, threshold in ipairs(list) do
    if type(threshold) ~= "number" or threshold < 0 or threshold > 1 then
      errors.raise("%s: threshold %d should be between 0 and 1, got %s", owner, i,
        errors.describe(threshold))
    end
  end
  return list
end

--- `count` thresholds from 0 to 1.
function confusion.even_thresholds(count)
  if count > 10000000 then
    errors.raise("num_thresholds should be at most 10000000, got %d", count)
  end
  local list = {0.0}
  for i = 1, count - 2 do list[i + 1] = i / (count - 1) end
  list[count] = 1.0
  return list
end

--- Whether thresholds are evenly spaced from 0 to 1, so that the bucket of a prediction can be
-- computed.
function confusion.is_even(thresholds)
  local count = #thresholds
  if count < 3 then return false end
  for i, threshold in ipairs(thresholds) do
    local even = (i - 1) / (count - 1)
    if math.abs(threshold - even) > config.epsilon() + 1e-5 * even then return false end
  end
  return true
end

-- Keeps the k largest predictions of each row; the others become lower than every threshold.
local function keep_top_k(y_pred, k)
  local _, indices = ops.top_k(y_pred, k)
  local classes = y_pred.shape[y_pred.ndim]
  local kept = ops.sum(ops.cast(ops.one_hot(indices, classes), y_pred.dtype), -2)
  return y_pred * kept + (1 - kept) * confusion.lowest
end

local function one_class(x, class_id)
  return ops.take(x, engine.tensor({class_id}, {dtype = "int32"}), -1)
end

-- Cumulative sums from the last bucket to the first: what is at or above each threshold.
local function cumulate_from_end(buckets)
  return ops.flip(ops.cumsum(ops.flip(buckets, 1), 1), 1)
end

-- With evenly spaced thresholds each prediction belongs to a bucket, so one pass over the data is
-- enough. labels, predictions, weights: [n], or [n, labels]; returns a count per threshold,
-- [thresholds] or [thresholds, labels].
local function count_by_buckets(counts, labels, predictions, weights, thresholds)
  local size = #thresholds
  predictions = ops.clip(predictions, 0, 1)
  labels = ops.cast(ops.cast(labels, "bool"), predictions.dtype)
  local positive, negative = labels, 1 - labels
  if weights ~= nil then positive, negative = positive * weights, negative * weights end
  local bucket = ops.ceil(predictions * (size - 1)) - 1
  if thresholds[1] < 0 then bucket = ops.relu(bucket) end
  bucket = ops.cast(bucket, "int32")
  -- One-hot rows over the thresholds; ids of -1 (a prediction of exactly 0) give rows of zeros.
  local rows = ops.cast(ops.one_hot(bucket, size), predictions.dtype)
  local function sums(values) return ops.sum(ops.expand_dims(values, -1) * rows, 1) end
  local function at_thresholds(values)
    local result = sums(values)
    if result.ndim > 1 then result = ops.transpose(result) end
    return cumulate_from_end(result)
  end
  local true_positives, false_positives = at_thresholds(positive), at_thresholds(negative)
  if counts.tp then counts.tp:assign_add(true_positives) end
  if counts.fp then counts.fp:assign_add(false_positives) end
  if counts.tn then counts.tn:assign_add(ops.sum(negative, 1) - false_positives) end
  if counts.fn then counts.fn:assign_add(ops.sum(positive, 1) - true_positives) end
end

-- For arbitrary thresholds: compares every prediction with each of them.
local function count_by_comparison(counts, labels, predictions, weights, thresholds)
  local shape = {#thresholds, 1}
  if predictions.ndim > 1 then shape[3] = 1 end
  local limits = ops.reshape(engine.tensor(thresholds, {dtype = predictions.dtype}), shape)
  local predicted = ops.greater(ops.expand_dims(predictions, 1), limits)
  local labelled = ops.broadcast_to(ops.expand_dims(ops.cast(labels, "bool"), 1), predicted.shape)
  local function add(variable, label, prediction)
    if not variable then return end
    local both = ops.cast(ops.logical_and(label, prediction), predictions.dtype)
    if weights ~= nil then both = both * ops.expand_dims(weights, 1) end
    variable:assign_add(ops.sum(both, 2))
  end
  local not_predicted, not_labelled = ops.logical_not(predicted), ops.logical_not(labelled)
  add(counts.tp, labelled, predicted)
  add(counts.fn, labelled, not_predicted)
  add(counts.fp, not_labelled, predicted)
  add(counts.tn, not_labelled, not_predicted)
end

-- Sample and label weights in the shape of the predictions; nil without any.
local function combine_weights(y_true, y_pred, sample_weight, label_weights)
  local weights
  if sample_weight ~= nil then
    local weight = ops.expand_dims(reduction.to_tensor(sample_weight, y_pred.dtype), -1)
    local _
    _, weight = losses.same_rank(y_true, weight, false)
    weights = ops.broadcast_to(weight, y_pred.shape)
  end
  if label_weights ~= nil then
    local weight = ops.broadcast_to(ops.expand_dims(reduction.to_tensor(label_weights,
      y_pred.dtype), 1), y_pred.shape)
    weights = weights and weights * weight or weight
  end
  return weights
end

--- Adds a batch to the counts.
-- @tparam table counts the variables to update: some of `tp`, `fp`, `tn`, `fn`
-- @param y_true targets, 0 or not
-- @param y_pred predictions between 0 and 1
-- @tparam table options `thresholds`, `even`, `top_k`, `class_id`, `sample_weight`, `multi_label`,
-- `label_weights`, `dtype`
function confusion.update(counts, y_true, y_pred, options)
  y_true, y_pred = reduction.to_tensor(y_true, options.dtype),
    reduction.to_tensor(y_pred, options.dtype)
  y_pred, y_true = losses.same_rank(y_pred, y_true)
  local weight = options.sample_weight
  if options.top_k then y_pred = keep_top_k(y_pred, options.top_k) end
  if options.class_id then
    if y_pred.ndim == 1 then
      errors.raise("class_id expects predictions of shape [batch, classes], got shape %s",
        errors.shape(y_pred.shape))
    end
    y_true, y_pred = one_class(y_true, options.class_id), one_class(y_pred, options.class_id)
  end
  local weights = combine_weights(y_true, y_pred, weight, options.label_weights)
  if not options.multi_label then
    y_true, y_pred = ops.reshape(y_true, {-1}), ops.reshape(y_pred, {-1})
    if weights ~= nil then weights = ops.reshape(weights, {-1}) end
  end
  local count = options.even and count_by_buckets or count_by_comparison
  count(counts, y_true, y_pred, weights, options.thresholds)
end

return confusion
