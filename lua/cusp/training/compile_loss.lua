--- The losses given to `compile`, for all outputs together.
-- @module cusp.training.compile_loss
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local losses = require "cusp.losses"
local metrics = require "cusp.metrics"
local ops = require "cusp.ops"
local outputs = require "cusp.training.outputs"
local replicas = require "cusp.base.replicas"
local resolve = require "cusp.training.resolve"
local structure = require "cusp.base.structure"
local warnings = require "cusp.base.warnings"

local CompileLoss = {}
CompileLoss.__index = CompileLoss
-- Made from what was given; cusp.captures looks at the rest.
CompileLoss.__volatile = {terms = true, trackers = true, label_checks = true, model = true}

local function is_single(loss)
  return type(loss) == "string" or type(loss) == "function" or losses.is_loss(loss)
    or structure.is_container(loss) and loss.class_name ~= nil
    or type(loss) == "table" and getmetatable(loss) ~= nil
end

local function check_all(given)
  for _, loss in pairs(given) do
    if structure.is_container(loss) and not is_single(loss) then check_all(loss)
    elseif loss then resolve.check_loss(loss) end
  end
end

--- @tparam Model model
-- @param loss a loss, a list of them, or a table by output name; of nested outputs, their structure
-- @param[opt] weights a number, a list, or a table by output name
function CompileLoss.new(model, loss, weights)
  loss, weights = resolve.plain(loss), resolve.plain(weights)
  if is_single(loss) then resolve.check_loss(loss)
  elseif structure.is_container(loss) then
    check_all(loss)
  else
    errors.raise(
      "compile: loss should be a name, a function, a Loss, or a list or table of those, got %s",
      errors.describe(loss))
  end
  if weights ~= nil and type(weights) ~= "number" and not structure.is_container(weights) then
    errors.raise("compile: loss_weights should be a number, or a list or table of them, got %s",
      errors.describe(weights))
  end
  return setmetatable({model = model, given = loss, weights = weights, trackers = {},
    label_checks = {}}, CompileLoss)
end

local function check_target(name, target)
  if target == nil then
    errors.raise("y is missing: the output '%s' has a loss, so it needs targets", name)
  end
end

-- Targets [n, 5] against an output [n, 1] give a loss, but hardly the one that was meant.
local function warn_of_broadcast(output, target)
  if not engine.is_tensor(target) or not engine.is_tensor(output.value) then return end
  local a, b = target.shape, output.value.shape
  if #a ~= #b then return end
  for i = 2, #a do
    if b[i] == 1 and a[i] ~= 1 then
      return warnings.warn("fit: y of shape %s is compared with the output '%s' of shape %s, whose"
        .. " axis %d is repeated; expected equal shapes", a, output.name, b, i)
    end
  end
end

--- The losses as they were given, a serialised one as one thing.
local function by_output_of(self, list)
  return outputs.match("loss", self.given, list, is_single(self.given))
end

--- Which outputs have a loss.
function CompileLoss:with_loss(list)
  local result, given = {}, by_output_of(self, list)
  for i = 1, #list do result[i] = given[i] ~= nil end
  return result
end

local function build(self, list, targets)
  local single = is_single(self.given)
  local by_output = by_output_of(self, list)
  local given_weights = #list == 1 and outputs.only(self.weights) or self.weights
  local weights = outputs.match("loss_weights", given_weights, list, #list == 1)
  local complete = outputs.is_structure(given_weights, list)
  if single then outputs.check_keyed("loss_weights", given_weights, list) end
  self.terms = {}
  for i, output in ipairs(list) do
    if by_output[i] then
      check_target(output.name, targets[i])
      if not complete then outputs.check_complete("loss_weights", given_weights, output) end
      warn_of_broadcast(output, targets[i])
      self.terms[#self.terms + 1] = {
        output = i, name = output.loss_name or output.name, weight = weights[i],
        loss = resolve.loss(by_output[i], targets[i], output.value),
      }
    end
  end
  if #self.terms > 1 then
    for i, term in ipairs(self.terms) do
      self.trackers[i] = metrics.Mean{name = term.name .. "_loss"}
    end
  end
  for _, term in ipairs(self.terms) do
    if term.loss.checks_labels then
      local shape = list[term.output].value.shape
      self.label_checks[#self.label_checks + 1] = {
        output = term.output, name = list[term.output].name, term = #self.label_checks + 1,
        classes = shape[term.loss.axis < 0 and #shape + 1 + term.loss.axis or term.loss.axis],
        ignore_class = term.loss.ignore_class,
      }
    end
  end
end

--- Adds a loss to a running mean over samples.
local function track(tracker, value, samples)
  local total, count = ops.cast(value, tracker.dtype) * samples, samples
  if replicas.active then
    count = ops.full({}, samples, {dtype = tracker.dtype})
    total, count = table.unpack(replicas.sums{total, count})
  end
  tracker.total:assign_add(total)
  tracker.count:assign_add(count)
end
CompileLoss.track = track

--- The total of the weighted losses of a batch; nil where there is none.
-- @param y_true targets
-- @param y_pred outputs
-- @param[opt] sample_weight a tensor for all outputs, or one for each
function CompileLoss:call(y_true, y_pred, sample_weight)
  local list = outputs.list(y_pred, self.model.output_names)
  local targets = outputs.targets(y_true, list, self:with_loss(list))
  local weights = outputs.sample_weights(sample_weight, list)
  if not self.terms then build(self, list, targets) end
  if not engine.tracing() then self:check_labels("loss", y_true) end
  local total
  for i, term in ipairs(self.terms) do
    local prediction = list[term.output].value
    check_target(term.name, targets[term.output])
    local value = term.loss(targets[term.output], prediction, weights[term.output])
    if value.ndim > 0 then value = ops.mean(value) end
    if self.trackers[i] then track(self.trackers[i], value, prediction.shape[1]) end
    if term.weight then value = value * term.weight end
    total = total == nil and value or total + value
  end
  return total
end

--- Checks class ids against the outputs they are for.
-- @tparam string owner name of the method, for messages
-- @param y_true targets, values that can be read
function CompileLoss:check_labels(owner, y_true)
  for _, check in ipairs(self.label_checks) do
    local labels = y_true
    if structure.is_container(y_true) then
      local flat = structure.flatten(y_true)
      labels = y_true[check.name] or flat[#flat == #self.terms and check.term or check.output]
    end
    if engine.is_tensor(labels) and labels.ndim > 0 then
      local wrong = engine.label_outside(labels, check.classes, check.ignore_class)
      if wrong then
        local text =
          "%s: sparse_categorical_crossentropy: there is a label %d in y, but the output '%s' has "
          .. "%d classes: "
          .. "expected labels from 0 to %d"
        errors.raise(text,
          owner, math.tointeger(wrong) or math.floor(wrong), check.name, check.classes,
          check.classes - 1)
      end
    end
  end
end

return CompileLoss
