--- Functions with gradients of their own, and products with Jacobians.
-- What such a function computes is cut off from its arguments; the tapes that are open note the
-- call, and `gradients` goes back through the calls, the last one first, by their own functions. In
-- a branch or loop, whose graph has a gradient itself, the gradient is traced where it is called.
-- @module cusp.ops.custom_gradient
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local structure = require "cusp.base.structure"

local custom_gradient = {}
local rows = engine.ops

---------------------------------------------------------------- which tapes note calls

local open = setmetatable({}, {__mode = "k"}) -- tape → list of the calls since it was opened

--- Lets a tape note calls from now on.
function custom_gradient.open(tape) open[tape] = {} end

--- Forgets the calls that a tape noted.
function custom_gradient.close(tape) open[tape] = nil end

local function note(call)
  for _, calls in pairs(open) do calls[#calls + 1] = call end
end

---------------------------------------------------------------- arguments

local function is_callable(f)
  local meta = getmetatable(f)
  return type(f) == "function" or type(meta) == "table" and meta.__call ~= nil
end

local function check_callable(name, f)
  if not is_callable(f) then
    errors.raise("%s: expected a function, got %s", name, errors.describe(f))
  end
end

-- Variables as their values, which a tape notes as read.
local function value_of(leaf)
  if define.is_symbolic(leaf) then
    errors.raise("custom_gradient: expected tensors, got a symbolic tensor; call the function "
      .. "within a layer's call, as Lambda has one")
  end
  return engine.is_variable(leaf) and leaf.value or leaf
end

local function cut(leaf)
  return type(leaf) == "userdata" and rows.stop_gradient(leaf) or leaf
end

---------------------------------------------------------------- going back

-- What the gradient function returned, by argument.
local function by_argument(call_, ...)
  local given, n = table.pack(...), call_.arguments.n
  if n > 1 and given.n == 1 and structure.is_container(given[1]) then
    given = table.move(given[1], 1, n, 1, {n = #given[1]})
  end
  if given.n ~= n then
    errors.raise("custom_gradient: the gradient function returned %d values for %d argument%s",
      given.n, n, n == 1 and "" or "s")
  end
  return given
end

local function same_shape(a, b) return table.concat(a, ",") == table.concat(b, ",") end

-- Adds the tensors of an argument that have a gradient, and the gradients.
local function add_pairs(argument, gradient, inputs, cotangents)
  if type(argument) == "userdata" then
    if not gradient then return end
    gradient = define.tensor(gradient)
    if not same_shape(argument.shape, gradient.shape) then
      errors.raise("custom_gradient: the gradient of an argument of shape %s has shape %s",
        errors.shape(argument.shape), errors.shape(gradient.shape))
    end
    inputs[#inputs + 1], cotangents[#cotangents + 1] = argument, gradient
  elseif structure.is_container(argument) and structure.is_container(gradient) then
    for key, item in pairs(argument) do add_pairs(item, gradient[key], inputs, cotangents) end
  end
end

-- The call's arguments that have a gradient, and those, from those of its outputs by tensor; nil
-- where there are none.
local function go_back(call_, totals)
  local any = false
  local upstream = structure.map(call_.output, function(leaf)
    if type(leaf) ~= "userdata" then return leaf end
    any = any or totals[leaf] ~= nil
    return totals[leaf] or rows.zeros_like(leaf)
  end)
  if not any then return nil end
  local given = by_argument(call_, call_.gradient(upstream))
  local inputs, cotangents = {}, {}
  for i = 1, given.n do add_pairs(call_.arguments[i], given[i], inputs, cotangents) end
  return inputs, cotangents
end

local function add_totals(totals, asked, found)
  for i, tensor in ipairs(asked) do
    if found[i] then
      totals[tensor] = totals[tensor] and rows.add(totals[tensor], found[i]) or found[i]
    end
  end
end

-- The sources, then the outputs of the calls up to the n-th.
local function with_outputs(sources, calls, n)
  local asked, seen = {}, {}
  local function add(tensor)
    if type(tensor) == "userdata" and not seen[tensor] then
      asked[#asked + 1], seen[tensor] = tensor, true
    end
  end
  for _, source in ipairs(sources) do add(source) end
  for i = 1, n do
    for _, leaf in ipairs(structure.flatten(calls[i].output)) do add(leaf) end
  end
  return asked
end

--- The gradients that a tape gives, through the calls that it noted.
-- @param owner of the tape, as `open` got it
-- @param tape the engine's
-- @tparam {tensor,...} targets
-- @tparam {tensor,...} sources
-- @tparam ?{tensor,...} cotangents of the targets
-- @treturn table for each source a tensor, or false
function custom_gradient.gradients(owner, tape, targets, sources, cotangents)
  local calls = open[owner] or {}
  if #calls == 0 then return tape:gradient(targets, sources, cotangents) end
  local totals = {}
  local asked = with_outputs(sources, calls, #calls)
  add_totals(totals, asked, tape:gradient(targets, asked, cotangents))
  for i = #calls, 1, -1 do
    local inputs, own = go_back(calls[i], totals)
    if inputs and #inputs > 0 then
      asked = with_outputs(sources, calls, i - 1)
      add_totals(totals, asked, tape:gradient(inputs, asked, own))
    end
  end
  local result = {}
  for i, source in ipairs(sources) do result[i] = totals[source] or false end
  return result
end

---------------------------------------------------------------- calling

-- The output as it is in a branch: its gradient is a graph, which is traced now.
local function with_gradient(arguments, output, gradient)
  local outputs, stand_ins = structure.flatten(output), {}
  for i, leaf in ipairs(outputs) do
    outputs[i] = define.tensor(leaf)
    stand_ins[i] = engine.stand_in(outputs[i])
  end
  local inputs, found = {}, {}
  local back <close> = engine.branch()
  local given = by_argument({arguments = arguments}, gradient(structure.pack(output, stand_ins)))
  for i = 1, given.n do add_pairs(arguments[i], given[i], inputs, found) end
  back:finish(found)
  if #inputs == 0 then return structure.map(output, cut) end
  return structure.pack(output, engine.give_gradient(outputs, stand_ins, inputs, back))
end

local function call(f, ...)
  local arguments = table.pack(...)
  for i = 1, arguments.n do arguments[i] = structure.map(arguments[i], value_of) end
  local output, gradient = f(table.unpack(arguments, 1, arguments.n))
  if not is_callable(gradient) then
    errors.raise("custom_gradient: the function should return its output and a function for the "
      .. "gradient, got %s as the latter", errors.describe(gradient))
  end
  if not engine.recording() then return output end
  if engine.in_branch() then return with_gradient(arguments, output, gradient) end
  output = structure.map(output, cut)
  note{arguments = arguments, output = output, gradient = gradient}
  return output
end

---------------------------------------------------------------- products with Jacobians

local function floats(name, value)
  return structure.map(value, function(leaf)
    leaf = define.tensor(leaf)
    if not leaf.dtype:find("float", 1, true) then
      errors.raise("jvp: %s should be floating-point, got %s", name, leaf.dtype)
    end
    return leaf
  end)
end

local function check_tangents(primals, tangents)
  if #primals ~= #tangents then
    errors.raise("jvp: %d tangents for %d primals", #tangents, #primals)
  end
  for i, primal in ipairs(primals) do
    if not same_shape(primal.shape, tangents[i].shape) then
      errors.raise("jvp: tangent %d has shape %s, but its primal has %s", i,
        errors.shape(tangents[i].shape), errors.shape(primal.shape))
    end
  end
end

local function new_tape()
  local owner = {tape = engine.tape(false)}
  custom_gradient.open(owner)
  return setmetatable(owner, {__close = function(self)
    custom_gradient.close(self)
    self.tape:close()
  end})
end

-- J t as the derivative of J' v by v times t: the product the other way is linear in v.
local function forward_products(f, primals, tangents)
  local outer <close> = new_tape()
  local inner <close> = new_tape()
  local flat, along = structure.flatten(primals), structure.flatten(tangents)
  check_tangents(flat, along)
  for _, leaf in ipairs(flat) do inner.tape:watch(leaf) end
  local results = table.pack(f(table.unpack(primals)))
  local outputs, stand_ins = structure.flatten(results[1]), {}
  for i, output in ipairs(outputs) do
    stand_ins[i] = rows.zeros_like(output)
    outer.tape:watch(stand_ins[i])
  end
  local back = custom_gradient.gradients(inner, inner.tape, outputs, flat, stand_ins)
  local targets, factors = {}, {}
  for i, gradient in ipairs(back) do
    if gradient then targets[#targets + 1], factors[#factors + 1] = gradient, along[i] end
  end
  local products = #targets > 0
    and custom_gradient.gradients(outer, outer.tape, targets, stand_ins, factors) or {}
  for i, output in ipairs(outputs) do products[i] = products[i] or rows.zeros_like(output) end
  return results, structure.pack(results[1], products)
end

local function as_list(value)
  return structure.is_container(value) and structure.is_list(value) and value or {value}
end

local function jvp(f, primals, tangents, has_aux)
  check_callable("jvp", f)
  local results, products = forward_products(f, floats("primals", as_list(primals)),
    floats("tangents", as_list(tangents)))
  if has_aux then return results[1], products, results[2] end
  return results[1], products
end

define.ops{
  {"custom_gradient", "f: any",
    "A function of the same arguments, whose gradient is that of the function that `f` returns "
    .. "after its output.", function(f)
    check_callable("custom_gradient", f)
    return function(...) return call(f, ...) end
  end, plain = true, method = false},
  {"jvp", "fun: any, primals: any, tangents: any, has_aux: bool = false",
    "The outputs of a function at `primals`, and how they change along `tangents`: the product of "
    .. "its Jacobian with them.", jvp, plain = true, method = false},
}

return custom_gradient
