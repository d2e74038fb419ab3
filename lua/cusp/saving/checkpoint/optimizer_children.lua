--- An optimizer's state under the names that tf.keras 2.11 to 2.15 uses in checkpoints.
--
-- There, the list `_variables` has all variables, the iteration first, and one list per slot
-- repeats the state. State that only tf.keras has (the momentum of an SGD without momentum, rows
-- and columns of vectors in Adafactor) is written as zeros. State that only Cusp has (the sums of
-- gradient accumulation) is in separate lists.
-- @module cusp.saving.checkpoint.optimizer_children

local engine = require "cusp.engine"
local optimizer_state = require "cusp.saving.shared.optimizer_state"
local sharding = require "cusp.base.sharding"
local trackables = require "cusp.saving.checkpoint.trackables"

local optimizer_children = {}

-- Keras 3's name of a slot → the name of the list, if it is not "_" .. name .. "s".
local any_list = {average = "_model_variables_moving_average", velocity = "_velocities"}
local list_names = {
  Adafactor = {row = "_r", column = "_c", velocity = "_v"},
  Adamax = {momentum = "_m", norm = "_u"},
  Lion = {momentum = "momentums"},
  SGD = {momentum = "momentums"},
}
local ours_alone = {gradient_accumulator = true}

local function list_name(optimizer, slot)
  local class = getmetatable(optimizer)
  while class do
    local names = list_names[rawget(class, "__name")]
    if names and names[slot] then return names[slot] end
    class = rawget(class, "__super")
  end
  return any_list[slot] or "_" .. slot .. "s"
end

local function positions(optimizer)
  local result = {}
  for i, variable in ipairs(optimizer.__own.trainable_variables or {}) do
    result[variable] = i
  end
  return result
end

local function slot_leaf(optimizer, slot)
  return trackables.leaf{
    variable = slot.variable,
    full_name = ("%s/%s/%s"):format(optimizer.__name, slot.tf2,
      slot.of.path or slot.of.name or "variable"),
  }
end

--- The slot lists; each is as long as the list of trained variables.
local function slot_lists(optimizer, all)
  local lists, order, place = {}, {}, positions(optimizer)
  for _, slot in ipairs(optimizer_state.slots(optimizer)) do
    local name = list_name(optimizer, slot.keras3)
    if not lists[name] then
      lists[name] = {}
      order[#order + 1] = name
    end
    local leaf = slot_leaf(optimizer, slot)
    if place[slot.of] then lists[name][place[slot.of]] = leaf end
    if not ours_alone[slot.keras3] then all[#all + 1] = leaf end
  end
  return lists, order
end

--- tf.keras keeps a momentum, always zero, for an SGD without it.
local function add_idle_momentum(optimizer, lists, order, all)
  if optimizer.__name ~= "SGD" or optimizer.momentum ~= 0 or not optimizer.built then return end
  local name = list_names.SGD.momentum
  lists[name], order[#order + 1] = {}, name
  for i, variable in ipairs(optimizer.__own.trainable_variables) do
    local leaf = trackables.leaf{
      value = engine.ops.zeros(sharding.shape_of(variable), variable.dtype),
      full_name = "SGD/m/" .. (variable.path or variable.name or "variable"),
    }
    lists[name][i], all[#all + 1] = leaf, leaf
  end
end

local function list_children(optimizer, lists, order)
  local count = #(optimizer.__own.trainable_variables or {})
  local result = {}
  for _, name in ipairs(order) do
    local children = {}
    for i = 1, count do
      local leaf = lists[name][i]
      if not leaf and optimizer.__name == "Adafactor" then
        leaf = trackables.leaf{value = engine.tensor(0, {dtype = "int32"}),
          full_name = "Adafactor/unused"}
      end
      children[i] = leaf or false
    end
    result[#result + 1] = {name = name, object = children}
  end
  return result
end

local function scalar(optimizer, name)
  for _, entry in ipairs(optimizer_state.scalars(optimizer)) do
    if entry.keras3 == name then return entry.variable end
  end
end

local function learning_rate(optimizer, add)
  local variable = scalar(optimizer, "learning_rate")
  if variable then
    add("_learning_rate", trackables.leaf{variable = variable, full_name = "learning_rate"})
  else
    local value = engine.untraced(function()
      return engine.tensor(optimizer.learning_rate, {dtype = "float32"})
    end)
    add("_current_learning_rate",
      trackables.leaf{value = value, full_name = "current_learning_rate"})
  end
end

--- The scale of a LossScaleOptimizer: an object of two variables.
local function loss_scale(optimizer)
  local scale, steps = scalar(optimizer, "dynamic_scale"), scalar(optimizer, "step_counter")
  return scale and {
    current_loss_scale = trackables.leaf{variable = scale, full_name = "current_loss_scale"},
    good_steps = steps and trackables.leaf{variable = steps, dtype = "int64",
      full_name = "good_steps"},
  }
end

--- The children of an optimizer.
-- @treturn {table,...} `name`, `object`
function optimizer_children.list(outer)
  local optimizer, result = optimizer_state.inner(outer), {}
  local function add(name, object) result[#result + 1] = {name = name, object = object} end
  local iteration = trackables.leaf{variable = optimizer.__own.iterations, dtype = "int64",
    full_name = "iteration"}
  local all = {iteration}
  local lists, order = slot_lists(optimizer, all)
  add_idle_momentum(optimizer, lists, order, all)
  add("_variables", all)
  add("_iterations", iteration)
  learning_rate(optimizer, add)
  local scale = outer ~= optimizer and loss_scale(outer)
  if scale then add("loss_scale", scale) end
  for _, child in ipairs(list_children(optimizer, lists, order)) do
    add(child.name, child.object)
  end
  local product = scalar(optimizer, "variable")
  if product then
    add("_u_product", trackables.leaf{variable = product, full_name = "Nadam/Variable"})
  end
  return result
end

--- State that the optimizers of TensorFlow 2.0 to 2.10 kept in variables, by child name. False for
-- settings, which now belong to the configuration; absent for state that is created when the
-- optimizer is built.
-- @tparam Optimizer outer
-- @treturn table
function optimizer_children.legacy(outer)
  local optimizer = optimizer_state.inner(outer)
  return {
    iter = optimizer.__own.iterations, learning_rate = scalar(optimizer, "learning_rate") or false,
    momentum_cache = scalar(optimizer, "variable"),
    beta_1 = false, beta_2 = false, decay = false, momentum = false, rho = false,
    learning_rate_power = false,
    l1_regularization_strength = false, l2_regularization_strength = false, beta = false,
  }
end

return optimizer_children
