--- Trains a student on targets and on what a teacher says. The teacher is frozen; calling the model
-- calls the student.
-- @classmod cusp.distillation.Distiller
-- @tparam Model teacher
-- @tparam Model student
-- @param distillation_losses a DistillationLoss, or a list of them
-- @tparam[opt] table distillation_loss_weights one for each; ones by default
-- @tparam[opt=0.5] number student_loss_weight share of the loss of the targets, from 0 to 1
-- @tparam[opt] string name
-- @usage
-- local distiller = distillation.Distiller{
--   teacher, student, distillation.LogitsDistillation{temperature = 3},
-- }
-- distiller:compile{optimizer = "adam", loss = "sparse_categorical_crossentropy"}
-- distiller:fit{x, y, epochs = 5}
local DistillationLoss = require "cusp.distillation.distillation_loss"
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local metrics = require "cusp.metrics"
local models = require "cusp.models"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local registry = require "cusp.base.registry"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"
local structured = require "cusp.distillation.structured"

local Model = models.Model

local parameters = {
  {"teacher", "any"}, {"student", "any"}, {"distillation_losses", "any"},
  {"distillation_loss_weights", "list", list_of = "number", optional = true},
  {"student_loss_weight", "number", default = 0.5, min = 0, max = 1},
  {"name", "string", default = "distiller"},
}

local Distiller = Model:extend("Distiller", {
  __module = "keras.distillation", config = parameters, first_is_list = false,
})

---------------------------------------------------------------- making it

local function check_alike(what, teacher, student)
  local a, b = structure.flatten(teacher or {}), structure.flatten(student or {})
  if #a == 0 or #b == 0 then return end
  if #a ~= #b then
    errors.raise("Distiller: teacher and student have %d and %d %ss", #a, #b, what)
  end
  for i = 1, #a do
    local fits = #a[i].shape == #b[i].shape
    for axis, size in ipairs(fits and a[i].shape or {}) do
      local other = b[i].shape[axis]
      fits = fits and (size == other or size == shapes.None or other == shapes.None)
    end
    if not fits or a[i].dtype ~= b[i].dtype then
      errors.raise("Distiller: the %ss of teacher and student should be alike, got %s%s and %s%s",
        what, a[i].dtype, errors.shape(a[i].shape), b[i].dtype, errors.shape(b[i].shape))
    end
  end
end

local function check_models(self)
  for _, name in ipairs{"teacher", "student"} do
    if not Object.is_instance(self[name], Model) then
      errors.raise("Distiller: argument '%s' should be a model, got %s", name,
        errors.describe(self[name]))
    end
  end
  check_alike("input", self.teacher.inputs, self.student.inputs)
  check_alike("output", self.teacher.outputs, self.student.outputs)
end

local function take_losses(self, given, weights)
  if Object.is_instance(given, DistillationLoss) then given, weights = {given}, {1} end
  local ok = kinds.is_plain(given) and #given > 0
  for i = 1, ok and #given or 0 do ok = ok and Object.is_instance(given[i], DistillationLoss) end
  if not ok then
    errors.raise("Distiller: argument 'distillation_losses' should be a distillation loss or a "
      .. "list of them, got %s", errors.describe(given))
  end
  if weights and #weights ~= #given then
    errors.raise("Distiller: %d distillation_loss_weights for %d losses", #weights, #given)
  end
  for _, loss in ipairs(given) do loss:validate_model_compatibility(self.teacher, self.student) end
  self.distillation_losses = given
  self.distillation_loss_weights = weights or {}
  for i = 1, #given do
    self.distillation_loss_weights[i] = self.distillation_loss_weights[i] or 1.0
  end
end

-- A model of the final outputs and those of the layers that losses name; nil where none does.
local function extractor(self, model, field)
  local outputs, any = {final_output = model.output}, false
  for _, loss in ipairs(self.distillation_losses) do
    local name = loss[field]
    if name then outputs[name], any = model:get_layer(name).output, true end
  end
  return any and Model{inputs = model.inputs, outputs = outputs,
    name = model.name .. "_multi_feature_extractor"} or nil
end

function Distiller:init(args)
  args = arguments.wrap(Distiller, args)
  local values = {}
  for _, parameter in ipairs(parameters) do
    values[parameter[1]] = arguments.read(args, parameter, "Distiller")
  end
  Model.init(self, args)
  self.teacher, self.student = values.teacher, values.student
  self.student_loss_weight = values.student_loss_weight
  check_models(self)
  take_losses(self, values.distillation_losses, values.distillation_loss_weights)
  self.__own.of_teacher = extractor(self, self.teacher, "teacher_layer_name")
  self.__own.of_student = extractor(self, self.student, "student_layer_name")
  self.teacher.trainable = false
  for _, name in ipairs{"student_loss", "distillation_loss", "total_loss"} do
    self[name .. "_tracker"] = metrics.Mean{name = name}
  end
end

---------------------------------------------------------------- training it

--- Configures the model for training.
-- @param[opt="adam"] optimizer
-- @param loss of the student's outputs and the targets
-- @tparam[opt] table metrics
-- @param ... further arguments as of other models
function Distiller:compile(...)
  local positional, _, keywords = arguments.split(false, ...)
  local loss = keywords.loss or positional[2]
  if loss == nil then errors.raise "Distiller.compile: argument 'loss' is missing" end
  keywords.optimizer = keywords.optimizer or positional[1] or "adam"
  keywords.metrics = keywords.metrics or positional[3]
  keywords.loss = nil
  self.__own.student_loss = structured.losses("Distiller.compile", loss)
  Model.compile(self, keywords)
  self.__own.compile_config.loss = loss -- for files
end

function Distiller:call(inputs, args)
  return self.student(inputs, {training = args.training, mask = args.mask})
end

-- What a loss compares: the outputs of a layer, or the final ones.
local function part(features, name) return features[name or "final_output"] end

local function teachings(self, x, y_pred)
  local of_teacher = self.__own.of_teacher and self.__own.of_teacher(x, {training = false})
    or {final_output = self.teacher(x, {training = false})}
  local of_student = self.__own.of_student and self.__own.of_student(x, {training = true}) or {}
  of_student.final_output = y_pred
  local sum = 0.0
  for i, loss in ipairs(self.distillation_losses) do
    local teacher = part(of_teacher, loss.teacher_layer_name)
    local student = part(of_student, loss.teacher_layer_name and loss.student_layer_name)
    loss:validate_outputs(teacher, student)
    local value = loss:compute_loss(teacher, student)
    if #value.shape > 0 then
      errors.raise("%s: compute_loss should return a scalar, got shape %s", loss.__name,
        errors.shape(value.shape))
    end
    sum = value * self.distillation_loss_weights[i] + sum
  end
  return sum
end

--- The loss of the targets and that of the teacher, by their shares.
function Distiller:compute_loss(x, y, y_pred, _, training)
  if y_pred == nil then y_pred = self(x, {training = training ~= false}) end
  local share, of_targets, of_teacher = self.student_loss_weight, 0.0, 0.0
  if share > 0 and y ~= nil then
    of_targets = structured.sum(self.__own.student_loss, y, y_pred,
      function(loss, target, output) return loss(target, output) end)
  end
  if share < 1 then of_teacher = teachings(self, x, y_pred) end
  local total = ops.add(ops.multiply(of_targets, share), ops.multiply(of_teacher, 1 - share))
  self.student_loss_tracker:update_state(of_targets)
  self.distillation_loss_tracker:update_state(of_teacher)
  self.total_loss_tracker:update_state(total)
  return total
end

---------------------------------------------------------------- configuration

function Distiller:get_config()
  local serialised = {}
  for i, loss in ipairs(self.distillation_losses) do serialised[i] = registry.serialize(loss) end
  local config = ordered.object()
  for _, entry in ipairs{
    {"name", self.name}, {"teacher", registry.serialize(self.teacher)},
    {"student", registry.serialize(self.student)}, {"distillation_losses", serialised},
    {"distillation_loss_weights", self.distillation_loss_weights},
    {"student_loss_weight", self.student_loss_weight},
  } do
    ordered.set(config, entry[1], entry[2])
  end
  return config
end

--- A distiller from its configuration.
function Distiller.from_config(class, config)
  Object.expect_config(class, config)
  local losses = {}
  for i, one in ipairs(config.distillation_losses) do losses[i] = registry.deserialize(one) end
  return class{
    teacher = registry.deserialize(config.teacher), student = registry.deserialize(config.student),
    distillation_losses = losses, distillation_loss_weights = config.distillation_loss_weights,
    student_loss_weight = config.student_loss_weight, name = config.name,
  }
end

return Distiller
