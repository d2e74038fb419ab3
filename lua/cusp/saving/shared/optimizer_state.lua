--- The variables of optimizers under the names of each format, and matching them with the values of
-- a file.
--
-- Keras 3 has the iteration, the learning rate, then the slots. tf.keras 2.11 to 2.15 omits the
-- learning rate and uses other slot names; the optimizers of TensorFlow 2.0 to 2.10 ("legacy") use
-- yet others. State missing in a format (the momentum product of Nadam before Keras 3) is computed
-- from the iteration.
-- @module cusp.saving.shared.optimizer_state

local Object = require "cusp.base.class"
local class_names = require "cusp.base.names"
local engine = require "cusp.engine"
local sharding = require "cusp.base.sharding"

local optimizer_state = {}

-- Keras 3's name of a slot → the other names, if different; by class and its bases.
local tf2_names = {
  Adam = {momentum = "m", velocity = "v", velocity_hat = "vhat"},
  Adamax = {momentum = "m", norm = "u"},
  Adafactor = {row = "r", column = "c", velocity = "v"},
  Lion = {momentum = "m"},
  Nadam = {momentum = "m", velocity = "v"},
  SGD = {momentum = "m"},
}
local legacy_names = {
  Adadelta = {accumulated_grad = "accum_grad", accumulated_delta_var = "accum_var"},
  Adam = {momentum = "m", velocity = "v", velocity_hat = "vhat"},
  Adamax = {momentum = "m", norm = "v"},
  Nadam = {momentum = "m", velocity = "v"},
  RMSprop = {velocity = "rms", average_gradient = "mg"},
}

local function names_for(optimizer, map) return class_names.by_class(optimizer, map) or {} end

--- The optimizer that updates variables: the one inside a LossScaleOptimizer, else the optimizer
-- itself.
function optimizer_state.inner(optimizer)
  return optimizer.inner_optimizer or optimizer
end

--- The state of single variables, in the order of creation.
-- @tparam Optimizer optimizer built; of a LossScaleOptimizer, the inner one's
-- @treturn {table,...} `keras3`, `tf2`, `legacy`: names of the slot; `variable`; `of`: the variable
-- that is trained
function optimizer_state.slots(optimizer)
  optimizer = optimizer_state.inner(optimizer)
  local tf2, legacy = names_for(optimizer, tf2_names), names_for(optimizer, legacy_names)
  local result = {}
  for _, variable in ipairs(optimizer.__own.variables) do
    local name = variable.slot
    if name then
      result[#result + 1] = {
        keras3 = name, tf2 = tf2[name] or name, legacy = legacy[name] or name, variable = variable,
        of = variable.slot_of,
      }
    end
  end
  return result
end

local scalar_names = {
  iteration = {tf2 = "iteration", legacy = "iter"},
  learning_rate = {},
  variable = {legacy = "momentum_cache"},
  step_counter = {},
  dynamic_scale = {},
}

--- The state that is not of a single variable: iteration, learning rate (unless it is a schedule or
-- function), Nadam's momentum product ("variable"), and the counter and scale of a
-- LossScaleOptimizer.
-- @tparam Optimizer optimizer
-- @treturn {table,...} `keras3`, `tf2`, `legacy`: names, nil if the format has no such variable;
-- `variable`; `owner`: the optimizer
function optimizer_state.scalars(optimizer)
  local result = {}
  local function add(owner)
    for _, variable in ipairs(owner.__own.variables) do
      if not variable.slot and not variable.placeholder then
        local names = scalar_names[variable.name] or {}
        result[#result + 1] = {
          keras3 = variable.name, tf2 = names.tf2, legacy = names.legacy, variable = variable,
          owner = owner,
        }
      end
    end
  end
  if optimizer_state.inner(optimizer) ~= optimizer then add(optimizer) end
  add(optimizer_state.inner(optimizer))
  return result
end

---------------------------------------------------------------- what a format does not hold

--- Whether an optimizer has a scalar variable with this name.
local function scalar(optimizer, name)
  for _, entry in ipairs(optimizer_state.scalars(optimizer)) do
    if entry.keras3 == name and entry.owner == optimizer_state.inner(optimizer) then
      return entry.variable
    end
  end
end

--- Nadam's product of the momentums of all steps so far, in the precision of its variable.
local function momentum_product(optimizer, steps)
  local product, beta, rise = 1.0, optimizer.beta_1, 0.96 ^ optimizer.schedule_decay
  for step = 1, steps do
    product = product * beta * (1 - 0.5 * rise ^ step)
    if product < 1e-45 then return 0.0 end
  end
  return product
end

--- Sets state that follows from the iteration and was missing in a file.
-- @tparam Optimizer optimizer
-- @tparam {[Variable]=true} restored the variables that were read
function optimizer_state.complete(optimizer, restored)
  local product = scalar(optimizer, "variable")
  if not product or restored[product] then return end
  local inner = optimizer_state.inner(optimizer)
  if inner.beta_1 < 1 then product:assign(momentum_product(inner, inner.iterations:item())) end
end

---------------------------------------------------------------- names in HDF5 files

local function class_name(optimizer) return optimizer_state.inner(optimizer).__name end

--- The `optimizer_weights` of tf.keras 2.15: names, and the variable or tensor under each.
-- @tparam Optimizer optimizer built
-- @tparam function name_of returns the name of a trained variable, "dense/kernel"
-- @treturn {table,...} `name`, `value`, `dtype`
function optimizer_state.tf2_entries(optimizer, name_of)
  local inner, result = optimizer_state.inner(optimizer), {}
  result[1] = {name = "iteration:0", value = inner.__own.iterations, dtype = "int64"}
  for _, slot in ipairs(optimizer_state.slots(optimizer)) do
    local name = ("%s/%s/%s:0"):format(class_name(optimizer), slot.tf2, name_of(slot.of))
    result[#result + 1] = {name = name, value = slot.variable}
  end
  if inner.__name == "SGD" and inner.momentum == 0 then -- written all the same, as zeros
    for _, variable in ipairs(inner.__own.trainable_variables) do
      local zeros = engine.ops.zeros(sharding.shape_of(variable), variable.dtype)
      result[#result + 1] = {name = ("SGD/m/%s:0"):format(name_of(variable)), value = zeros}
    end
  end
  return result
end

--- State that tf.keras 2.15's list does not include.
-- @treturn {table,...} `name`, `value`
function optimizer_state.extra_entries(optimizer)
  local result = {}
  for _, entry in ipairs(optimizer_state.scalars(optimizer)) do
    if entry.keras3 ~= "iteration" or entry.owner ~= optimizer_state.inner(optimizer) then
      local prefix = entry.owner == optimizer and "" or "inner_optimizer/"
      result[#result + 1] = {name = prefix .. entry.keras3, value = entry.variable}
    end
  end
  return result
end

---------------------------------------------------------------- names read from HDF5 files

local function without_number(name) return (name:gsub(":%d+$", "")) end

-- Keras 2 of its own named few variables: "Adam/iterations:0", "training/Adam/Variable_3:0",
-- "param_0" where it did not run on TensorFlow.
local function is_of_keras2(name, last)
  return last == "iterations" or name:find "^training" or last:find "^Variable"
    or last:find "^param_%d+$"
end

--- Which generation of optimizers wrote these names: "keras3", "tf2", "legacy" or "keras2".
local function generation(names)
  for _, name in ipairs(names) do
    local last = without_number(name):match "[^/]*$"
    if is_of_keras2(name, last) then return "keras2" end
    if last == "iter" then return "legacy" end
    if last == "iteration" then return name:find(":", 1, true) and "tf2" or "keras3" end
  end
  return "keras3"
end
optimizer_state.generation = generation

--- The slot in a name: `Adam/m/dense/kernel:0` (tf2; `m/dense/kernel:0` from a model that was
-- itself loaded), `Adam/dense/kernel/m:0` (legacy). Plain SGD writes `m` without having it.
local slot_in = {
  tf2 = function(name, slots)
    local first, second = name:match "^([^/]*)/([^/]*)"
    return (slots[first] or first == "m") and first or second
  end,
  legacy = function(name) return without_number(name):match "([^/]*)$" end,
}

local function by_format(list, format)
  local result = {}
  for _, entry in ipairs(list) do
    local name = entry[format]
    if name then
      result[name] = result[name] or {}
      table.insert(result[name], entry.variable)
    end
  end
  return result
end

--- The nth name of a slot belongs to the nth trained variable, whether a writer iterates by slots
-- or by variables.
local function match_by_slot(optimizer, names, format)
  local slots = by_format(optimizer_state.slots(optimizer), format)
  local scalars = by_format(optimizer_state.scalars(optimizer), format)
  local counts, result, unknown = {}, {}, nil
  for i, name in ipairs(names) do
    local last = without_number(name):match "[^/]*$"
    local slot = slot_in[format](name, slots)
    if i <= 2 and scalars[last] then
      -- that of the optimizer that updates, not of one that scales its loss
      result[i] = scalars[last][#scalars[last]]
    elseif slot and slots[slot] then
      counts[slot] = (counts[slot] or 0) + 1
      result[i] = slots[slot][counts[slot]]
      if not result[i] then unknown = unknown or name end
    elseif not (format == "tf2" and slot == "m"
      and optimizer_state.inner(optimizer).__name == "SGD") then
      unknown = unknown or name
    end
  end
  for slot, variables in pairs(slots) do
    if counts[slot] ~= #variables then
      return nil, ("there are %d of %s"):format(counts[slot] or 0, slot), #variables
    end
  end
  if unknown then return nil, ("'%s' has no counterpart"):format(unknown) end
  return result
end

--- Nadam's momentum product; nil for other optimizers.
function optimizer_state.momentum_product(optimizer) return scalar(optimizer, "variable") end

--- The variables that Keras 3 saves: all except the momentum product of a Nadam inside a
-- LossScaleOptimizer.
-- @tparam Optimizer optimizer
-- @tparam ?boolean wrapped whether the optimizer is inside a LossScaleOptimizer
function optimizer_state.keras3_variables(optimizer, wrapped)
  local product = (wrapped or optimizer_state.inner(optimizer) ~= optimizer)
    and optimizer_state.momentum_product(optimizer)
  local result = {}
  for _, variable in ipairs(optimizer.variables) do
    if variable ~= product then result[#result + 1] = variable end
  end
  return result
end

--- The variables as earlier versions of this library saved them: without Adafactor's placeholders.
function optimizer_state.without_placeholders(optimizer)
  local result = {}
  for _, variable in ipairs(optimizer.variables) do
    if not variable.placeholder then result[#result + 1] = variable end
  end
  return result
end

local function match_in_order(optimizer, names)
  local variables = optimizer.variables
  local older = {optimizer_state.keras3_variables(optimizer, true),
    optimizer_state.without_placeholders(optimizer)}
  for _, order in ipairs{variables, older[1], older[2]} do
    if #names == #order then return order end
  end
  return nil, ("the optimizer has %d variables, the file %d"):format(#variables, #names)
end

---------------------------------------------------------------- Keras 2 of its own

-- The slots as Keras 2.0 to 2.3 ordered them: all of the first, then all of the second.
local keras2_slots = {
  Adadelta = {"accumulated_grad", "accumulated_delta_var"}, Adagrad = {"accumulator"},
  Adam = {"momentum", "velocity", "velocity_hat"}, Adamax = {"momentum", "norm"},
  Nadam = {"momentum", "velocity"}, RMSprop = {"velocity"}, SGD = {"momentum"},
}

--- How many variables precede the slots, and how many slots there are: none before 2.3 in some
-- optimizers, two in Nadam's of 2.3; Adam's `vhats` are of one number where they are not used.
local function keras2_layout(slots, trained, total)
  for count = #slots, math.min(#slots, 2), -1 do
    local head = total - count * trained
    if head >= 0 and head <= 2 then return head, count end
  end
end

local function match_keras2(optimizer, names)
  local inner = optimizer_state.inner(optimizer)
  local slots = keras2_slots[inner.__name] or {}
  local trained = #inner.__own.trainable_variables
  local head, count = keras2_layout(slots, trained, #names)
  if not head then
    return nil, ("the optimizer has %d slots of %d variables, the file %d variables"):format(#slots,
      trained, #names)
  end
  local found = by_format(optimizer_state.slots(optimizer), "keras3")
  local result = {inner.__own.iterations, scalar(optimizer, "variable")}
  for slot = 1, count do
    local variables = found[slots[slot]] or {}
    for i = 1, trained do result[head + (slot - 1) * trained + i] = variables[i] or false end
  end
  return result
end

--- Which variable each name of a file's list stands for; false for a name whose value is of no use.
-- @tparam Optimizer optimizer built
-- @tparam {string,...} names
-- @return a list as long as `names`, of variables or false; nil if they do not fit, with a
-- reason
function optimizer_state.match(optimizer, names)
  local format = generation(names)
  local found, reason
  if format == "keras3" then found, reason = match_in_order(optimizer, names)
  elseif format == "keras2" then found, reason = match_keras2(optimizer, names)
  else found, reason = match_by_slot(optimizer, names, format) end
  if not found then return nil, reason end
  local result = {}
  for i = 1, #names do result[i] = found[i] or false end
  return result
end

--- Whether a value is an optimizer.
function optimizer_state.is_optimizer(value)
  return Object.is_instance(value, require "cusp.optimizers.optimizer")
end

return optimizer_state
