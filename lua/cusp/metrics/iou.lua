--- Intersection over union of predicted and true classes, mean over the given classes.
-- @classmod cusp.metrics.IoU
-- @tparam integer num_classes
-- @tparam table target_class_ids the classes (from 0) to average over
-- @tparam[opt] string name
-- @tparam[opt="int32"] string dtype
-- @tparam[opt] integer ignore_class id to ignore
-- @tparam[opt=true] boolean sparse_y_true whether targets are class ids rather than one-hot
-- @tparam[opt=true] boolean sparse_y_pred whether predictions are class ids rather than scores
-- @tparam[opt=-1] integer axis of the classes if they are not sparse
local Metric = require "cusp.metrics.metric"
local arguments = require "cusp.base.arguments"
local config = require "cusp.base.config"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local reduction = require "cusp.metrics.reduction"

local IoU = Metric:extend("IoU", {
  config = {
    {"num_classes", "integer", min = 1}, {"target_class_ids", "integers"},
    {"name", "string", optional = true},
    {"dtype", "dtype", optional = true}, {"ignore_class", "integer", optional = true},
    {"sparse_y_true", "boolean", default = true}, {"sparse_y_pred", "boolean", default = true},
    {"axis", "axis", default = -1},
  },
  default_dtype = "int32", sparse_y_true = true, sparse_y_pred = true, axis = -1,
})

function IoU:init(args)
  if self.config == IoU.config then self:configure(args, IoU) end
  Metric.init(self, args)
  if not self.target_class_ids then
    self.target_class_ids = {}
    errors.check_items(self.__name, "num_classes", self.num_classes)
    for id = 0, self.num_classes - 1 do self.target_class_ids[id + 1] = id end
  elseif type(self.target_class_ids) == "number" then
    self.target_class_ids = {self.target_class_ids}
  end
  for _, id in ipairs(self.target_class_ids) do
    if id < 0 or id >= self.num_classes then
      errors.raise("%s: target class %d is not among the %d classes, 0 to %d", self.__name, id,
        self.num_classes, self.num_classes - 1)
    end
  end
  self.total_cm = self:add_variable{shape = {self.num_classes, self.num_classes},
    name = "total_confusion_matrix"}
end

local bind = arguments.binder("update_state", {
  {"y_true", "tensor"}, {"y_pred", "tensor"}, {"sample_weight", "tensor", optional = true},
})

local function class_ids(values, sparse, axis)
  if not sparse then values = ops.argmax(values, axis) end
  return ops.reshape(ops.cast(values, "int32"), {-1})
end

-- Which pairs of ids to count.
local function valid_pairs(self, y_true, y_pred)
  local function inside(ids)
    return ops.logical_and(ops.greater_equal(ids, 0), ops.less(ids, self.num_classes))
  end
  local valid = ops.logical_and(inside(y_true), inside(y_pred))
  if self.ignore_class then
    valid = ops.logical_and(valid, ops.not_equal(y_true, self.ignore_class))
  end
  return valid
end

--- Adds a batch.
function IoU:update_state(...)
  local y_true, y_pred, weight = bind(...)
  y_true = class_ids(reduction.to_tensor(y_true), self.sparse_y_true, self.axis)
  y_pred = class_ids(reduction.to_tensor(y_pred), self.sparse_y_pred, self.axis)
  weight = weight == nil and ops.ones_like(y_true) or reduction.to_tensor(weight)
  weight = ops.cast(weight, self.dtype)
  if weight.ndim > 1 then weight = ops.reshape(weight, {-1}) end
  weight = ops.where(valid_pairs(self, y_true, y_pred), ops.broadcast_to(weight, y_true.shape), 0)
  -- The confusion matrix as a product of one-hot rows; ids out of range give rows of zeros.
  local as_float = "float32"
  local truth = ops.cast(ops.one_hot(y_true, self.num_classes), as_float)
    * ops.expand_dims(ops.cast(weight, as_float), 2)
  local counts = ops.matmul(ops.transpose(truth),
    ops.cast(ops.one_hot(y_pred, self.num_classes), as_float))
  self.total_cm:assign_add(ops.cast(counts, self.dtype))
end

function IoU:result()
  local matrix = ops.cast(self.total_cm, "float32")
  local hits = ops.sum(matrix * ops.cast(ops.eye(self.num_classes, self.num_classes), "float32"), 1)
  local union = ops.sum(matrix, 1) + ops.sum(matrix, 2) - hits
  local ids = engine.tensor(self.target_class_ids, {dtype = "int32"})
  hits, union = ops.take(hits, ids, 1), ops.take(union, ids, 1)
  local valid = ops.cast(ops.greater(union, 1e-9), "float32")
  local ratio = hits / (union + config.epsilon()) * valid
  return ops.sum(ratio) / (ops.sum(valid) + config.epsilon())
end

return IoU
