--- The base of optimizers: what updates variables from gradients.
-- A class of one's own makes its state in `build(self, variables)` with `add_optimizer_variables`
-- and has `update_step(self, gradient, variable, learning_rate)`, which assigns with `self:assign`,
-- `assign_add` and `assign_sub`; `self:_get_variable_index(variable)` is its place among the state.
-- Updates are ordinary operations: within a compiled training step
-- each variable's becomes one pass over its elements.
--
-- Every optimizer takes, besides its own arguments, `weight_decay`; one of `clipnorm` (of each
-- gradient), `clipvalue`, `global_clipnorm` (of all gradients together); `use_ema`, `ema_momentum`,
-- `ema_overwrite_frequency` (a moving average of the variables); `loss_scale_factor`;
-- `gradient_accumulation_steps`; and `name`.
-- @classmod cusp.optimizers.Optimizer
-- @param[opt=0.001] learning_rate a number, a schedule, or a function without arguments
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local clipping = require "cusp.optimizers.clipping"
local compiled_update = require "cusp.optimizers.compiled_update"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local given_gradients = require "cusp.optimizers.given_gradients"
local kinds = require "cusp.base.kinds"
local lists = require "cusp.base.lists"
local names = require "cusp.base.names"
local null = require "cusp.base.null"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local plain = require "cusp.base.plain"
local registry = require "cusp.base.registry"
local replicas = require "cusp.base.replicas"
local sharding = require "cusp.base.sharding"
local stateless = require "cusp.base.stateless"
local weight_decay = require "cusp.optimizers.weight_decay"
local whole = require "cusp.base.whole"

local function is_schedule(value)
  return Object.is_instance(value, require "cusp.optimizers.schedules.learning_rate_schedule")
end

kinds.define("learning_rate", {
  check = function(value)
    return type(value) == "number" or type(value) == "function" or is_schedule(value)
      or engine.is_tensor(value)
      or engine.is_variable(value) or kinds.is_plain(value) and value.class_name ~= nil
  end,
  expects = "a number, a learning rate schedule, or a function",
})

local common = {
  {"weight_decay", "number", optional = true}, {"clipnorm", "number", optional = true},
  {"clipvalue", "number", optional = true},
  {"global_clipnorm", "number", optional = true}, {"use_ema", "boolean", default = false},
  {"ema_momentum", "number", min = 0, max = 1, default = 0.99},
  {"ema_overwrite_frequency", "integer", min = 1, optional = true},
  {"loss_scale_factor", "number", optional = true},
  {"gradient_accumulation_steps", "integer", min = 2, optional = true},
  {"name", "string", optional = true},
}

local Optimizer = Object:extend("Optimizer", {
  __module = "keras.optimizers",
  config = {{"learning_rate", "learning_rate", default = 0.001}, table.unpack(common)},
  __passing = lists.names "compiled shared gate when_built restorations",
  __closed = lists.names "variables index trainable_variables",
})

--- The arguments of an optimizer: the learning rate, its own, and those that all have.
-- @param learning_rate default of the learning rate
-- @tparam table own parameters after it; those named like a common one replace it
-- @treturn table for `config`
-- @local
function Optimizer.parameters(learning_rate, own)
  local list, seen = {{"learning_rate", "learning_rate", default = learning_rate}}, {}
  for _, parameter in ipairs(own) do
    list[#list + 1], seen[parameter[1]] = parameter, true
  end
  for _, parameter in ipairs(common) do
    if not seen[parameter[1]] then list[#list + 1] = parameter end
  end
  return list
end

--- Marks a parameter that only optimizers of files of Keras 2 have set: Keras 3's configuration has
-- no place for it.
-- @local
function Optimizer.of_keras2(parameter)
  parameter.transient, parameter.keyword_only, parameter.of_keras2 = true, true, true
  return parameter
end

--- Makes an optimizer's class.
-- @tparam string name
-- @tparam table definition `learning_rate` (default), `parameters` (its own), and methods
-- @treturn table
-- @local
function Optimizer.define(name, definition)
  local members = {config = Optimizer.parameters(definition.learning_rate or 0.001,
    definition.parameters or {})}
  for key, value in pairs(definition) do
    if key ~= "learning_rate" and key ~= "parameters" then members[key] = value end
  end
  members.get_config = definition.get_config or Optimizer.get_config
  return Optimizer:extend(name, members)
end

---------------------------------------------------------------- construction

local function check_clipping(self)
  local given = 0
  for _, name in ipairs{"clipnorm", "clipvalue", "global_clipnorm"} do
    if self[name] then given = given + 1 end
  end
  if given > 1 then
    local message = "%s: only one of clipnorm, clipvalue and global_clipnorm can be set, "
      .. "got clipnorm = %s, clipvalue = %s, global_clipnorm = %s"
    errors.raise(message, self.__name, plain.tostring(self.clipnorm),
      plain.tostring(self.clipvalue), plain.tostring(self.global_clipnorm))
  end
end

local function new_variable(self, value, dtype, name)
  local variable = engine.untraced(engine.variable, value, {dtype = dtype, trainable = false})
  variable.name, variable.path = name, self.name .. "/" .. name
  table.insert(self.__own.variables, variable)
  return variable
end

local function take_learning_rate(self, value)
  if kinds.is_plain(value) then
    value = registry.deserialize(value, {module = "keras.optimizers"})
  end
  if type(value) == "function" or is_schedule(value) then
    self.__own.learning_rate = value
  else
    self.__own.learning_rate = new_variable(self, value, engine.get_floatx(), "learning_rate")
  end
end

function Optimizer:init(args)
  args = arguments.wrap(Optimizer, args)
  for _, parameter in ipairs(common) do
    local value = arguments.read(args, parameter, self.__name)
    if rawget(self, parameter[1]) == nil then self[parameter[1]] = value end
  end
  check_clipping(self)
  self.name = self.name or names.unique(names.snake_case(self.__name))
  self.__own.variables, self.built = {}, false
  local given = self.__own.given_learning_rate
  if given == nil then given = arguments.read(args, Optimizer.config[1], self.__name) end
  self.__own.iterations = new_variable(self, 0, "int32", "iteration")
  take_learning_rate(self, given)
end

local getters, setters = Optimizer.__getters, Optimizer.__setters

--- The learning rate as of now: a variable where it was given as a number, else what the schedule
-- or function says.
function getters.learning_rate(self)
  local rate = self.__own.learning_rate
  if is_schedule(rate) then return rate(self.__own.iterations) end
  if type(rate) == "function" then return rate() end
  return rate
end

--- The name that tf.keras 2 had for the learning rate.
function getters.lr(self) return self.learning_rate end
function setters.lr(self, value) self.learning_rate = value end

--- Sets the learning rate; also in the middle of training, and within compiled steps.
function setters.learning_rate(self, value)
  if not self.__own.variables then
    self.__own.given_learning_rate = value
    return
  end
  local rate = self.__own.learning_rate
  if type(value) == "function" or is_schedule(value) then
    self.__own.learning_rate = value
    self.__own.compiled = nil
    for i, variable in ipairs(self.__own.variables) do
      if variable == rate then table.remove(self.__own.variables, i) end
    end
  elseif is_schedule(rate) then
    errors.raise(
      "%s: the learning rate is a schedule (%s) and cannot be set; make the optimizer with a "
      .. "number instead", self.__name,
      plain.tostring(rate))
  elseif type(rate) == "function" then
    take_learning_rate(self, value)
    self.__own.compiled = nil
  else
    rate:assign(value)
  end
end

--- The number of updates so far.
function getters.iterations(self)
  if self.gradient_accumulation_steps then
    return ops.floor_divide(self.__own.iterations, self.gradient_accumulation_steps)
  end
  return self.__own.iterations
end

--- The optimizer's variables: iteration, learning rate, then its state in the order it was made.
function getters.variables(self)
  local variables = self.__own.variables
  return table.move(variables, 1, #variables, 1, {})
end

---------------------------------------------------------------- state

--- Makes a variable of the state.
-- @tparam table args `shape`, `initializer` ("zeros", a number, or an initializer), `dtype`, `name`
-- @treturn Variable
function Optimizer:add_variable(args)
  local shape, dtype, initializer = args.shape or {}, args.dtype or engine.get_floatx(),
    args.initializer or "zeros"
  local value = engine.untraced(function()
    if initializer == "zeros" then return ops.zeros(shape, {dtype = dtype}) end
    if type(initializer) == "number" then return ops.full(shape, initializer, {dtype = dtype}) end
    return require("cusp.initializers").get(initializer)(shape, {dtype = dtype})
  end)
  return new_variable(self, value, dtype, args.name or "variable")
end

--- Says what a variable of the state is for, so that files can name it: the slot ("momentum") of a
-- trained variable.
local function note_slot(variable, slot, reference)
  variable.slot, variable.slot_of = slot, reference
  return variable
end
Optimizer.note_slot = note_slot

--- Makes a variable like another.
function Optimizer:add_variable_from_reference(reference, name, initializer)
  local path = (reference.path or reference.name or "variable"):gsub("[/:]", "_")
  local variable = self:add_variable{
    shape = reference.shape, dtype = reference.dtype, initializer = initializer,
    name = path .. "_" .. (name or "var"),
  }
  return note_slot(sharding.like(variable, reference), name or "var", reference)
end

--- Makes one or several variables for each of the variables to be trained.
-- @tparam {Variable,...} variables
-- @tparam string|table wanted names, such as `{"momentum", "velocity"}`
-- @tparam[opt] table initializers one for each name
-- @return a list for each name; `false` for variables that their gradients overwrite
function Optimizer:add_optimizer_variables(variables, wanted, initializers)
  if type(wanted) == "string" then wanted = {wanted} end
  local slots = {}
  for k = 1, #wanted do slots[k] = {} end
  for i, variable in ipairs(variables) do
    for k, name in ipairs(wanted) do
      slots[k][i] = not variable.overwrite_with_gradient
        and self:add_variable_from_reference(variable, name, initializers and initializers[k])
    end
  end
  return table.unpack(slots)
end

local function check_list(optimizer, method, list, of)
  if kinds.is_plain(list) then return end
  errors.raise("%s.%s: expected a list of %s, got %s", optimizer.__name, method, of,
    errors.describe(list))
end

local function check_variables(optimizer, method, variables)
  check_list(optimizer, method, variables, "variables")
  for i = 1, #variables do
    if not engine.is_variable(variables[i]) then
      errors.raise("%s.%s: item %d should be a variable, got %s", optimizer.__name, method, i,
        errors.describe(variables[i]))
    end
  end
end

Optimizer.__checks = setmetatable({
  build = function(optimizer, variables) check_variables(optimizer, "build", variables) end,
  finalize_variable_values = function(optimizer, variables)
    check_variables(optimizer, "finalize_variable_values", variables)
  end,
  scale_loss = function(optimizer, loss)
    if type(loss) ~= "userdata" and type(loss) ~= "number" then
      errors.raise("%s.scale_loss: expected a tensor, got %s", optimizer.__name,
        errors.describe(loss))
    end
  end,
}, {__index = Optimizer.__checks})

--- Makes the state for a list of variables; called by the first `apply`. An override calls
-- `Optimizer.build(self, variables)` first.
function Optimizer:build(variables)
  check_variables(self, "build", variables)
  local own = self.__own
  own.index, own.trainable_variables = {}, table.move(variables, 1, #variables, 1, {})
  for i, variable in ipairs(variables) do own.index[variable] = i end
  if self.use_ema then own.averages = self:add_optimizer_variables(variables, "average") end
  if self.gradient_accumulation_steps then
    own.accumulators = self:add_optimizer_variables(variables, "gradient_accumulator")
  end
  self.built = true
end

local function build_whole(self, variables)
  if self.needs_whole_variables then
    sharding.check_whole(self.__name .. ".build", variables,
      "this optimizer looks at whole ones; Adam and others do not")
  end
  if replicas.active then replicas.align(self.__name .. ".build", variables) end
  self:build(variables)
  self.built = true
  if self.__own.when_built then require("cusp.base.deferred").run(self) end
end

--- Makes the state for `variables` unless there is one.
-- @local
function Optimizer:ensure_built(variables)
  -- Within a trace, what the state begins with would become part of every step.
  if not self.built then whole.with({self}, engine.untraced, build_whole, self, variables) end
end

--- The position of a variable among those the optimizer was built for: its place in the lists of
-- state.
-- @local
function Optimizer:index_of(variable) return self.__own.index[variable] end

--- Keras's name of `index_of`, which its users' own optimizers call.
-- @function Optimizer:_get_variable_index
-- @local
Optimizer._get_variable_index = Optimizer.index_of

---------------------------------------------------------------- assigning

--- `variable = value`; nothing while the step is one that only gathers gradients, or is skipped.
function Optimizer:assign(variable, value)
  local gate = self.__own.gate
  if gate ~= nil then value = ops.where(gate, value, variable) end
  variable:assign(value)
end

function Optimizer:assign_add(variable, value) self:assign(variable, variable + value) end

function Optimizer:assign_sub(variable, value) self:assign(variable, variable - value) end

-- Runs f with assignments under a condition (in addition to one already in force).
local function gated(self, condition, f)
  local outer = self.__own.gate
  engine.with_fields({self.__own, "gate",
    outer ~= nil and ops.logical_and(outer, condition) or condition}, f)
end
Optimizer.gated = gated

--- What is the same for all variables of one data type in a step, computed once.
-- @tparam string dtype of the variable
-- @tparam function f called as `f(self, step, learning_rate, dtype)` with scalar tensors; returns a
-- table of scalars
-- @treturn table
-- @local
function Optimizer:shared(dtype, f)
  local cache = self.__own.shared
  local found = cache and cache[dtype]
  if not found then
    found = f(self, ops.cast(self.iterations + 1, dtype), ops.cast(self.learning_rate, dtype),
      dtype)
    if cache then cache[dtype] = found end
  end
  return found
end

---------------------------------------------------------------- one update

--- How much of a variable decays; nil for none.
-- @local
function Optimizer:decay_of(_) return self.weight_decay end

--- Updates all variables. Override it for what has to happen once a step.
-- @local
function Optimizer:update_all(gradients, variables, learning_rate)
  for i, variable in ipairs(variables) do
    local gradient = gradients[i]
    if gradient.dtype ~= variable.dtype then gradient = ops.cast(gradient, variable.dtype) end
    self:update_step(gradient, variable, learning_rate)
  end
end

--- Updates one variable.
-- @param gradient tensor like the variable
-- @param variable
-- @param learning_rate scalar
function Optimizer:update_step()
  errors.raise("%s: an optimizer needs update_step(self, gradient, variable, learning_rate)",
    self.__name)
end

local function update(self, gradients, variables)
  gradients = clipping.clip(self, gradients, variables)
  weight_decay.apply(self, variables)
  self:update_all(gradients, variables, self.learning_rate)
end

-- Gradients add up for some steps; the last of them updates with their mean.
local function accumulate(self, gradients, variables)
  local steps = self.gradient_accumulation_steps
  local last = ops.equal((self.__own.iterations + 1) % steps, 0)
  local sums, means = {}, {}
  for i, variable in ipairs(variables) do
    sums[i] = gradients[i] + self.__own.accumulators[self.__own.index[variable]]
    means[i] = sums[i] / steps
  end
  gated(self, last, function() update(self, means, variables) end)
  for i, variable in ipairs(variables) do
    self:assign(self.__own.accumulators[self.__own.index[variable]],
      ops.where(last, ops.zeros_like(sums[i]), sums[i]))
  end
end

local function update_averages(self)
  local momentum = ops.cast(ops.not_equal(self.iterations, 0), engine.get_floatx())
    * self.ema_momentum
  for i, variable in ipairs(self.__own.trainable_variables) do
    local average = self.__own.averages[i]
    local share = ops.cast(momentum, variable.dtype)
    if average then self:assign(average, average * share + variable * (1 - share)) end
  end
  if self.ema_overwrite_frequency then
    local now = ops.equal((self.iterations + 1) % self.ema_overwrite_frequency, 0)
    gated(self, now, function()
      for i, variable in ipairs(self.__own.trainable_variables) do
        local average = self.__own.averages[i]
        if average then self:assign(variable, average.value) end
      end
    end)
  end
end

local function constrain(self, variables)
  for _, variable in ipairs(variables) do
    if variable.constraint then self:assign(variable, variable.constraint(variable)) end
  end
end

-- Variables that their gradients overwrite get those; the others are left.
local function overwrite(self, gradients, variables)
  local rest, rest_variables = {}, {}
  for i, variable in ipairs(variables) do
    if variable.overwrite_with_gradient then
      self:assign(variable, ops.cast(gradients[i], variable.dtype))
    else
      rest[#rest + 1], rest_variables[#rest_variables + 1] = gradients[i], variable
    end
  end
  return rest, rest_variables
end

local function apply_sharing(self, gradients, variables)
  gradients, variables = overwrite(self, gradients, variables)
  local scale = self.loss_scale_factor
  if scale then
    local scaled = {}
    for i, gradient in ipairs(gradients) do scaled[i] = gradient / scale end
    gradients = scaled
  end
  if self.gradient_accumulation_steps then
    accumulate(self, gradients, variables)
  else
    update(self, gradients, variables)
  end
  if self.use_ema then update_averages(self) end
  constrain(self, variables)
  self:assign_add(self.__own.iterations, 1)
end

local function apply_now(self, gradients, variables)
  engine.with_fields({self.__own, "shared", {}}, apply_sharing, self, gradients, variables)
end

---------------------------------------------------------------- updates of a loop of one's own

--- The update itself, for gradients that are all there; within a trace it becomes part of it.
Optimizer.apply_gradients_now = apply_now

local bind_apply = arguments.binder("apply",
  {{"gradients", "list"}, {"variables", "list", optional = true}}, false)

--- Updates variables.
-- @tparam table gradients one for each variable, `false` where there is none
-- @tparam[opt] {Variable,...} variables those of the first call by default
function Optimizer:apply(...)
  local gradients, variables = bind_apply(...)
  if variables == nil then
    if not self.built then
      errors.raise("%s.apply: the first call needs the variables: apply(gradients, variables)",
        self.__name)
    end
    variables = self.__own.trainable_variables
  end
  given_gradients.check_list(self, gradients, variables)
  if #variables == 0 then return end
  self:ensure_built(variables)
  gradients, variables = given_gradients.of_variables(self, gradients, variables)
  if replicas.active then gradients = replicas.means(gradients, variables) end
  -- A plan cannot hold what a function says anew each time.
  if engine.tracing() or type(self.__own.learning_rate) == "function" then
    self:apply_gradients_now(gradients, variables)
  else
    compiled_update(self, gradients, variables)
  end
end

--- Updates variables from pairs.
-- @tparam table pairs_list `{{gradient, variable}, ...}`; also gradients alone, with the variables
-- after them
-- @return the iteration
function Optimizer:apply_gradients(pairs_list, given)
  if kinds.is_plain(given) and #given > 0 then
    self:apply(pairs_list, given)
    return self.__own.iterations
  end
  if kinds.is_plain(pairs_list) and pairs_list.grads_and_vars then
    pairs_list = pairs_list.grads_and_vars
  end
  local gradients, variables = {}, {}
  check_list(self, "apply_gradients", pairs_list, "pairs {gradient, variable}")
  for i, pair in ipairs(pairs_list) do
    check_list(self, "apply_gradients", pair, "pairs {gradient, variable}")
    gradients[i], variables[i] = pair[1] or false, pair[2]
  end
  self:apply(gradients, variables)
  return self.__own.iterations
end

--- The variables and the optimizer's state after an update, without changing them.
-- @tparam table optimizer_variables a tensor for each of `variables`
-- @tparam table gradients
-- @tparam table trainable_variables a tensor for each of the variables that it was built for
-- @treturn {tensor,...} the trainable variables
-- @treturn {tensor,...} the optimizer's
function Optimizer:stateless_apply(optimizer_variables, gradients, trainable_variables)
  local owner = self.__name .. ".stateless_apply"
  if not self.built then
    errors.raise("%s: the optimizer has no state yet; optimizer:build(variables) makes it", owner)
  end
  local trained, own = self.__own.trainable_variables, self.variables
  local values = stateless.tensors(owner .. ": the trainable variables", trained,
    trainable_variables)
  local state = stateless.tensors(owner .. ": the optimizer's variables", own, optimizer_variables)
  local all = table.move(own, 1, #own, #trained + 1, table.move(trained, 1, #trained, 1, {}))
  table.move(state, 1, #state, #values + 1, values)
  local after = stateless.run(all, values, self.apply, self, gradients, trained)
  return table.move(after, 1, #trained, 1, {}), table.move(after, #trained + 1, #all, 1, {})
end

--- The loss as it should be differentiated, see `loss_scale_factor`.
function Optimizer:scale_loss(loss)
  Optimizer.__checks.scale_loss(self, loss)
  return self.loss_scale_factor and loss * self.loss_scale_factor or loss
end

local bind_exclude = arguments.binder("exclude_from_weight_decay", {
  {"var_list", "list", optional = true}, {"var_names", "list", optional = true},
}, false)

--- Keeps variables from decaying.
-- @tparam[opt] {Variable,...} var_list
-- @tparam[opt] {string,...} var_names parts of their names, or Lua patterns
function Optimizer:exclude_from_weight_decay(...)
  weight_decay.exclude(self, bind_exclude(...))
end

--- Gives variables the values that are meant for use after training: their moving averages, with
-- `use_ema`.
function Optimizer:finalize_variable_values(variables)
  check_variables(self, "finalize_variable_values", variables)
  if not self.use_ema or not self.built then return end
  for _, variable in ipairs(variables) do
    local index = self.__own.index[variable]
    local average = index and self.__own.averages[index]
    if average then variable:assign(average.value) end
  end
end

--- Sets the state.
-- @tparam table weights tensors in the order of `variables`
function Optimizer:set_weights(weights)
  local variables = self.variables
  check_list(self, "set_weights", weights, "tensors")
  if #weights ~= #variables then
    errors.raise("%s: set_weights got %d tensors for %d variables", self.__name, #weights,
      #variables)
  end
  for i, variable in ipairs(variables) do variable:assign(weights[i]) end
end

--- Puts into a table what a file keeps of the optimizer.
-- @tparam table store name ("0", "1", ...) → variable
function Optimizer:save_own_variables(store)
  for i, variable in ipairs(self.variables) do store[tostring(i - 1)] = variable end
end

--- Takes back what `save_own_variables` put into a table.
-- @tparam table store name → tensor
function Optimizer:load_own_variables(store)
  local values, variables = {}, self.variables
  for i = 1, #variables do
    values[i] = store[tostring(i - 1)]
    if values[i] == nil then
      errors.raise("%s.load_own_variables: there is no variable %d", self.__name, i - 1)
    end
    if variables[i].sharding then values[i] = sharding.part_of(variables[i], values[i]) end
  end
  engine.assign_all(variables, stateless.tensors(self.__name .. ".load_own_variables", variables,
    values))
end

---------------------------------------------------------------- configuration

local is_common = {learning_rate = true}
for _, parameter in ipairs(common) do is_common[parameter[1]] = true end

local function learning_rate_config(self)
  local rate = self.__own.learning_rate
  if engine.is_variable(rate) then return rate.value:item() end
  return registry.serialize(rate)
end

--- The arguments as Keras writes them; the learning rate as of now.
function Optimizer:get_config()
  local config = ordered.object()
  ordered.set(config, "name", self.name)
  ordered.set(config, "learning_rate", learning_rate_config(self))
  for _, key in ipairs{"weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema",
    "ema_momentum", "ema_overwrite_frequency",
    "loss_scale_factor", "gradient_accumulation_steps"} do
    local value = self[key]
    if value == nil then value = null end
    ordered.set(config, key, value)
  end
  for _, parameter in ipairs(self.config) do
    local name = parameter[1]
    if not is_common[name] and not parameter.transient then
      ordered.set(config, name, kinds.to_config(parameter, self[name]))
    end
  end
  return config
end

--- "Adam{learning_rate = 0.001, ...}"
function Optimizer:__tostring()
  local rate = self.__own.learning_rate
  local text = engine.is_variable(rate) and plain.format("%.6g", rate.value:item())
    or plain.tostring(rate)
  return ("%s{learning_rate = %s}"):format(self.__name, text)
end

return Optimizer
