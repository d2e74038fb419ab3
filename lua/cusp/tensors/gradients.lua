--- Gradients: the tape, and the functional forms.
-- @module cusp.tensors.gradients
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local custom_gradient = require "cusp.ops.custom_gradient"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local lists = require "cusp.base.lists"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"

local gradients = {}

--- Whether a tape is recording.
gradients.is_recording = engine.recording

--- Records operations on watched tensors and trainable variables, to differentiate them.
-- @type GradientTape
-- @tparam[opt=false] boolean persistent whether `gradient` may be called more than once
-- @tparam[opt=true] boolean watch_accessed_variables whether to watch trainable variables
-- automatically
-- @usage
-- local x = cusp.tensor(3.0)
-- local tape <close> = cusp.GradientTape()
-- tape:watch(x)
-- local y = x * x
-- print(tape:gradient(y, x)) --> 6
local GradientTape = Object:extend("GradientTape", {
  config = {{"persistent", "boolean", default = false},
    {"watch_accessed_variables", "boolean", default = true}},
  init = function(self, args)
    Object.configure(self, args)
    self.tape = engine.tape(self.watch_accessed_variables)
    self.open = true
    custom_gradient.open(self)
  end,
})
gradients.GradientTape = GradientTape

-- The fields that `init` assigns, in their order.
local function default_order()
  return {"persistent", "watch_accessed_variables", "tape", "open",
    persistent = 1, watch_accessed_variables = 2, tape = 3, open = 4}
end

-- One tape is made for each step of a training loop.
function GradientTape.__construct_default(class)
  local self = setmetatable({__order = default_order(), __own = {}, persistent = false,
    watch_accessed_variables = true, tape = engine.tape(true), open = true}, class)
  custom_gradient.open(self)
  return self
end

local function close(self)
  if not rawget(self, "open") then return end
  custom_gradient.close(self)
  self.tape:close()
  self.open = false
end

--- Stops recording and releases the record. A tape declared `<close>` is closed at the end of its
-- block.
GradientTape.close = close
GradientTape.__close = close
GradientTape.__gc = close

local function check_open(self, what)
  if not self.open then
    errors.raise(
      "GradientTape: %s of a closed tape; a tape computes gradients once unless created "
      .. "with {persistent = true}", what)
  end
end

--- Watches a tensor, or a nested table of them: records what is computed from it from now on.
function GradientTape:watch(tensors)
  check_open(self, "watch")
  for _, tensor in ipairs(structure.flatten(tensors)) do self.tape:watch(tensor) end
end

--- Calls `f` without recording it.
function GradientTape:stop_recording(f, ...)
  check_open(self, "stop_recording")
  if not kinds.is_callable(f) then
    errors.raise("GradientTape: stop_recording expects a function, got %s", errors.describe(f))
  end
  return self.tape:paused(f, ...)
end

local function is_tensor(value) return engine.is_tensor(value) or engine.is_variable(value) end

local function check_targets(targets)
  for i, target in ipairs(targets) do
    if not is_tensor(target) then
      errors.raise("gradient: target %d should be a tensor, got %s", i, errors.describe(target))
    end
  end
end

local function check_sources(name, sources)
  for i, source in ipairs(sources) do
    if not is_tensor(source) then
      errors.raise("%s: source %d should be a tensor or a variable, got %s", name, i,
        errors.describe(source))
    end
  end
end

local function is_leaf(value)
  return not structure.is_container(value)
end

-- Returns the list in the structure of the sources: false for "none" in lists, nil elsewhere.
local function restore(sources, flat)
  local at = 0
  local function walk(value, in_list)
    if is_leaf(value) then
      at = at + 1
      if flat[at] then return flat[at] end
      if in_list then return false end
      return nil
    end
    local result = {}
    if structure.is_list(value) then
      for i = 1, #value do result[i] = walk(value[i], true) end
    else
      for _, key in ipairs(structure.keys(value)) do result[key] = walk(value[key], false) end
    end
    return result
  end
  return walk(sources, false)
end

local bind_gradient = arguments.binder("gradient", {"target", "sources", "output_gradients",
  {"unconnected_gradients", "choice", choices = {"none", "zero"}, default = "none"}}, false)

-- Sources may be a table keyed by name; after a target, such a table is not one of arguments.
local function gradient_arguments(...)
  if select("#", ...) == 2 then return ... end
  return bind_gradient(...)
end

--- Computes the gradients of the target (or of the sum of several targets) with respect to the
-- sources.
-- @tparam tensor|{tensor,...} target
-- @param sources a tensor, a variable, or a nested table of them
-- @tparam[opt] tensor|{tensor,...} output_gradients factors for each target's gradient; ones by
-- default
-- @tparam[opt="none"] string unconnected_gradients "zero" returns zeros for sources without a path
-- to the target
-- @return gradients in the structure of `sources`; nil (false in lists) for sources without a path
-- to the target
function GradientTape:gradient(...)
  check_open(self, "gradient")
  local target, sources, output_gradients, unconnected = gradient_arguments(...)
  lists.check_nested("gradient: the target", target)
  lists.check_nested("gradient: the sources", sources)
  local targets, flat = structure.flatten(target), structure.flatten(sources)
  check_targets(targets)
  local cotangents = output_gradients ~= nil and structure.flatten(output_gradients) or nil
  if cotangents and #cotangents ~= #targets then
    errors.raise("gradient: %d output_gradients for %d targets", #cotangents, #targets)
  end
  local result = custom_gradient.gradients(self, self.tape, targets, flat, cotangents)
  if not self.persistent then close(self) end
  if unconnected == "zero" then
    for i, source in ipairs(flat) do result[i] = result[i] or ops.zeros_like(source) end
  end
  return restore(sources, result)
end

--- Discards the record and starts again.
function GradientTape:reset()
  check_open(self, "reset")
  self.tape:close()
  self.tape = engine.tape(self.watch_accessed_variables)
  custom_gradient.open(self)
end

-- The gradients of the sums that `cotangent(i)` selects from the target, for i to n, stacked by
-- source along `axis`.
local function stacked_gradients(self, target, flat, n, cotangent, axis)
  local rows = {}
  for i = 1, n do
    rows[i] = custom_gradient.gradients(self, self.tape, {target}, flat, {cotangent(i)})
  end
  local result = {}
  for s = 1, #flat do
    local list = {}
    for i = 1, n do list[i] = rows[i][s] or nil end
    result[s] = #list > 0 and ops.stack(list, axis) or false
  end
  return result
end

local bind_jacobian = arguments.binder("jacobian", {"target", "sources"}, false)

--- Computes the derivative of each element of the target with respect to each element of the
-- sources.
-- @tparam tensor target of shape `target`
-- @param sources a tensor or variable of shape `source`, or a nested table of them
-- @return tensors `[target..., source...]` in the structure of `sources`; nil (false in lists)
-- without a path to the target
-- @usage tape:jacobian(x * x, x)
function GradientTape:jacobian(...)
  check_open(self, "jacobian")
  local target, sources = bind_jacobian(...)
  check_targets{target or false}
  local shape, flat = target.shape, structure.flatten(sources)
  check_sources("jacobian", flat)
  local n = shapes.size(shape)
  local ones = ops.eye(n, {dtype = target.dtype})
  local result = stacked_gradients(self, target, flat, n, function(i)
    return ops.reshape(ones[i], shape)
  end, 1)
  if not self.persistent then close(self) end
  for s, source in ipairs(flat) do
    local full = table.move(source.shape, 1, #source.shape, #shape + 1, {table.unpack(shape)})
    result[s] = result[s] and ops.reshape(result[s], full)
  end
  return restore(sources, result)
end

local bind_batch_jacobian = arguments.binder("batch_jacobian", {"target", "source"}, false)

--- Computes the Jacobian of each row of the target with respect to the same row of the source, the
-- only one it depends on.
-- @tparam tensor target `[batch, target...]`
-- @tparam tensor source `[batch, source...]`
-- @treturn ?tensor `[batch, target..., source...]`; nil if no path leads from the source to the
-- target
function GradientTape:batch_jacobian(...)
  check_open(self, "batch_jacobian")
  local target, source = bind_batch_jacobian(...)
  check_targets{target or false}
  check_sources("batch_jacobian", {source or false})
  local shape, from = target.shape, source.shape
  if #shape == 0 or #from == 0 or shape[1] ~= from[1] then
    errors.raise(
      "batch_jacobian: target and source should have one first axis, got shapes %s and %s",
      errors.shape(shape),
      errors.shape(from))
  end
  local row = table.move(shape, 2, #shape, 1, {})
  local n = shapes.size(row)
  local ones = ops.eye(n, {dtype = target.dtype})
  local function cotangent(i)
    return ops.broadcast_to(ops.reshape(ones[i], {1, table.unpack(row)}), shape)
  end
  local result = stacked_gradients(self, target, {source}, n, cotangent, 2)[1]
  if not self.persistent then close(self) end
  if not result then return nil end
  return ops.reshape(result, table.move(from, 2, #from, #shape + 1, {table.unpack(shape)}))
end

---------------------------------------------------------------- functional forms

local function as_tensors(values)
  return structure.map(values, function(leaf)
    if type(leaf) == "number" then return engine.tensor(leaf + 0.0) end
    return leaf
  end)
end

local function value_and_gradient(f, argnums, ...)
  local given = table.pack(...)
  local chosen = {}
  for i, position in ipairs(argnums) do
    if given[position] == nil then
      errors.raise("grad: argument %d, by which to differentiate, is missing",
        position)
    end
    given[position] = as_tensors(given[position])
    chosen[i] = given[position]
  end
  local tape <close> = GradientTape()
  for _, leaf in ipairs(structure.flatten(chosen)) do
    if engine.is_tensor(leaf) then tape:watch(leaf) end
  end
  local values = table.pack(f(table.unpack(given, 1, given.n)))
  if type(values[1]) ~= "userdata" then
    errors.raise("grad: the function should return a tensor, got %s", errors.describe(values[1]))
  end
  if #values[1].shape > 0 then
    errors.raise("grad: the function should return a scalar, got shape %s",
      errors.shape(values[1].shape))
  end
  return values, tape:gradient(values[1], chosen)
end

local function check_form(name, f, argnums)
  if not kinds.is_callable(f) then
    errors.raise("%s: expected a function, got %s", name, errors.describe(f))
  end
  if argnums == nil then return {1}, true end
  if type(argnums) == "number" then return {argnums}, true end
  return argnums, false
end

--- Returns the gradient function of a function with a scalar result.
-- @tparam function f
-- @tparam[opt=1] integer|{integer,...} argnums the argument (from 1), or arguments, to
-- differentiate by
-- @treturn function with the same arguments; returns the gradient in the structure of the argument,
-- or a list of gradients
-- @usage cusp.grad(function(x) return (x * x):sum() end)(cusp.tensor{1.0, 2.0}) --> {2, 4}
function gradients.grad(f, argnums)
  local positions, single = check_form("grad", f, argnums)
  return function(...)
    local _, result = engine.whole({}, value_and_gradient, f, positions, ...)
    return single and (result[1] or nil) or result
  end
end

--- Returns a function that returns the results of `f`, then the gradient.
-- @tparam function f
-- @tparam[opt=1] integer|{integer,...} argnums
-- @treturn function returns the results of `f`, then the gradient
-- @usage local loss, gradient = cusp.value_and_grad(f)(x)
function gradients.value_and_grad(f, argnums)
  local positions, single = check_form("value_and_grad", f, argnums)
  return function(...)
    local values, result = engine.whole({}, value_and_gradient, f, positions, ...)
    values.n = values.n + 1
    values[values.n] = single and (result[1] or nil) or result
    return table.unpack(values, 1, values.n)
  end
end

return gradients
