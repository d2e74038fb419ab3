--- Operations that take functions: branches, loops, scans, maps. In a trace, loops repeat a graph
-- that is traced once.
-- @module cusp.ops.control
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local loops = require "cusp.ops.traced_loops"
local structure = require "cusp.base.structure"

local rows = engine.ops

-- Whether the value of a condition is available now. Symbolic conditions never have one: closures
-- are not inputs of a graph.
local function known(name, value)
  if define.is_symbolic(value) then
    errors.raise(
      "%s: expected a tensor or a Lua value, got a symbolic tensor; call it within a layer's "
      .. "call, as Lambda has one", name)
  end
  return type(value) ~= "userdata" or not engine.tracing()
end

local function truth(name, value)
  if type(value) == "userdata" then
    value = loops.one_element(name, "condition", define.tensor(value)):item()
  end
  return value ~= nil and value ~= false and value ~= 0
end

---------------------------------------------------------------- branches

-- Traces each function apart. The plan computes and assigns what the one that is chosen does,
-- alone.
local function choose(name, index, functions, ...)
  local branches <close> = setmetatable({}, {__close = function(self)
    for _, branch in ipairs(self) do branch:close() end
  end})
  local form
  for i, f in ipairs(functions) do
    branches[i] = engine.branch()
    local own, values = loops.take_apart(table.pack(f(...)))
    form = form or own
    if not loops.same_form(form, own) then
      errors.raise(
        "%s: branch %d returns another structure than the first; all should be the same",
        name, i)
    end
    branches[i]:finish(values)
  end
  return loops.put_together(form, engine.choose(name, index, branches))
end

--- The result of one of two functions.
-- @tparam tensor|boolean pred one element; zero is false
-- @tparam function true_fn without arguments
-- @tparam function false_fn without arguments; returns what `true_fn` does, in structure, shape and
-- dtype
-- @return what the function that was chosen returns
-- @usage
-- local x = cusp.tensor(3.0)
-- local y = cusp.ops.cond(x:greater(2), function() return x * 10 end, function() return x end)
-- print(y:item()) --> 30.0
local function cond(pred, true_fn, false_fn)
  loops.check_callable("cond", true_fn)
  loops.check_callable("cond", false_fn)
  if known("cond", pred) then
    return loops.values_of((truth("cond", pred) and true_fn or false_fn)())
  end
  local second = rows.cast(rows.logical_not(loops.one_element("cond", "condition", pred)), "int32")
  return choose("cond", second, {true_fn, false_fn})
end

--- The result of one of several functions.
-- @tparam tensor|integer index which one, from 0; beyond the ends it is the first or the last
-- @tparam {function,...} branches
-- @param ... operands, which the function gets
-- @return what the function that was chosen returns
-- @usage
-- local double = function(x) return x * 2 end
-- local square = function(x) return x * x end
-- print(cusp.ops.switch(1, {double, square}, cusp.tensor(5.0)):item()) --> 25.0
local function switch(index, branches, ...)
  for _, branch in ipairs(branches) do loops.check_callable("switch", branch) end
  if #branches == 0 then errors.raise "switch: expected at least one branch" end
  if known("switch", index) then
    if type(index) == "userdata" then index = index:item() end
    return loops.values_of(branches[math.max(0, math.min(#branches - 1, math.tointeger(index) or 0))
      + 1](...))
  end
  index = rows.cast(loops.one_element("switch", "index", index), "int64")
  return choose("switch", index, branches, ...)
end

---------------------------------------------------------------- loops

-- Rounds of a traced loop that are unrolled while its condition is known.
local unrolled_rounds <const> = 32

-- What the condition gives, without its effects; nil outside of traces.
local function foreseen(condition, values, n)
  if not engine.tracing() then return nil end
  local _ <close> = engine.branch() -- undone when it goes out of scope
  return engine.unnoted(engine.as_condition, condition, table.unpack(values, 1, n))
end

-- Whether the rest of a loop has to be a graph: where the condition has no value yet, and where its
-- known values let it go on for long.
local function becomes_graph(go_on, count)
  return engine.is_traced(go_on) or type(go_on) == "userdata" and count >= unrolled_rounds
end

-- Whether the rest may be one: Lua made booleans of comparisons, as of `i < 5`, for long.
local function may_become_graph(go_on, values, n, count)
  if count ~= unrolled_rounds or go_on ~= true then return false end
  for i = 1, n do
    if structure.find({values[i]}, function(leaf) return type(leaf) ~= "userdata" end) then
      return false
    end
  end
  return true
end

-- The rest of a loop as a graph. Where that fails, as its functions ask for values of the loop
-- variables, `found` is nil, and unrolling may succeed.
local function attempt_graph(condition, body, values, n, left)
  local function traced_condition(...)
    local go_on = engine.as_condition(condition, ...)
    if not engine.is_traced(go_on) then errors.raise "while_loop: the condition is a Lua value" end
    return go_on
  end
  local found = table.pack(engine.attempt(loops.repeat_while, "while_loop", traced_condition, body,
    table.pack(table.unpack(values, 1, n)), left))
  return found[1] and found or nil
end

--- Repeats a function of the loop variables while a condition holds.
-- @tparam function cond gets the loop variables, returns a boolean or a tensor of one element
-- @tparam function body gets the loop variables, returns the next ones as several values or a list
-- @tparam {tensor,...} loop_vars the first values
-- @tparam[opt] integer maximum_iterations
-- @return the last values
-- @usage
-- local function small(i, total) return i:less(4) end
-- local function add(i, total) return i + 1, total + i end
-- local i, total = cusp.ops.while_loop(small, add, {cusp.tensor(1), cusp.tensor(0)})
-- print(total:item()) --> 6
local function while_loop(condition, body, loop_vars, maximum_iterations)
  loops.check_callable("while_loop", condition)
  loops.check_callable("while_loop", body)
  local single = not structure.is_container(loop_vars)
  local values = single and {loop_vars} or loop_vars
  local n, count = #values, 0
  values = {loops.values_of(table.unpack(values, 1, n))}
  while not maximum_iterations or count < maximum_iterations do
    local go_on = foreseen(condition, values, n)
    local left = maximum_iterations and maximum_iterations - count
    if becomes_graph(go_on, count) then
      values = table.pack(table.unpack(values, 1, n))
      return loops.repeat_while("while_loop", condition, body, values, left)
    elseif may_become_graph(go_on, values, n, count) then
      local found = attempt_graph(condition, body, values, n, left)
      if found then return table.unpack(found, 2, found.n) end
    end
    if not truth("while_loop", condition(table.unpack(values, 1, n))) then break end
    values = loops.as_list("while_loop", n, loops.values_of(body(table.unpack(values, 1, n))))
    count = count + 1
  end
  return table.unpack(values, 1, n)
end

local function integer_of(value)
  if type(value) == "userdata" then value = value:item() end
  return value
end

--- Repeats a function a number of times.
-- @tparam integer|tensor lower the first index
-- @tparam integer|tensor upper the index after the last
-- @tparam function body_fun gets the index and the value, returns the next value
-- @param init_val tensor, or a nested table of them
-- @return the last value
-- @usage
-- local sum = cusp.ops.fori_loop(1, 5, function(i, value) return value + i end, cusp.tensor(0))
-- print(sum:item()) --> 10
local function fori_loop(lower, upper, body, value)
  loops.check_callable("fori_loop", body)
  if engine.is_traced(lower) or engine.is_traced(upper) then
    local function below(_, i) return rows.less(i, upper) end
    local function round(now, i) return {(body(i, now)), i + 1} end
    return (loops.repeat_while("fori_loop", below, round,
      table.pack(value, define.tensor(lower))))
  end
  value = loops.values_of(value)
  local first, last = integer_of(lower), integer_of(upper) - 1
  if not engine.tracing() then
    for i = first, last do value = loops.values_of(body(i, value)) end
    return value
  end
  local start = define.tensor(type(lower) == "userdata" and lower or first)
  local options = {name = "fori_loop", count = math.max(0, last - first + 1)}
  return loops.scan(options, function(carry)
    return {(body(carry[2], carry[1])), carry[2] + 1}
  end, {value, start})[1]
end

---------------------------------------------------------------- maps and scans along the first axis

local function length_of(name, xs, length)
  for _, leaf in ipairs(structure.flatten(xs)) do
    local size = leaf.shape[1]
    if not size then errors.raise("%s: a scalar has no first axis", name) end
    if length and size ~= length then
      errors.raise("%s: expected %d along the first axis, got %d", name, length, size)
    end
    length = size
  end
  return length
end

local function pick(xs, i)
  if xs == nil then return nil end
  return structure.map(xs, function(leaf) return leaf[i] end)
end

local function stack_structures(items)
  local flats = {}
  for i, item in ipairs(items) do flats[i] = structure.flatten(item) end
  local at = 0
  return structure.map(items[1], function()
    at = at + 1
    local list = {}
    for i = 1, #items do list[i] = define.tensor(flats[i][at]) end
    return rows.stack(list, 1)
  end)
end

--- A function of each item along the first axis.
-- @tparam function f gets an item, returns a tensor or a nested table of them
-- @param xs tensor, or a nested table of them
-- @return the results, stacked along a new first axis
-- @usage
-- print(cusp.ops.map(function(row) return row:sum() end, cusp.ones{2, 3}):tolist()[1]) --> 3.0
local function map(f, xs)
  loops.check_callable("map", f)
  xs = loops.tensors_of(xs)
  local length = length_of("map", xs)
  if not length then errors.raise "map: expected at least one tensor" end
  local function graph()
    local function item(_, x) return nil, (f(x)) end
    return (select(2, loops.scan({name = "map", count = length}, item, nil, xs)))
  end
  if engine.tracing() then return graph() end
  if length == 0 then return loops.empty(graph) end
  local items = {}
  for i = 1, length do items[i] = f(pick(xs, i)) end
  if #items == 0 then errors.raise "map: the function returned nothing" end
  return stack_structures(items)
end

local function scan_graph(f, carry, xs, length, reverse)
  local last, ys = loops.scan({
    name = "scan", value = "carried value", body = "function", count = length, reverse = reverse,
  }, f, carry, xs)
  return last, ys
end

-- A length without a number leaves no shape for stacked outputs.
local function scan_traced_length(f, carry, length)
  local function round(now, i)
    local next_carry, output = f(now, nil)
    if structure.find({output}, function(leaf) return type(leaf) == "userdata" end) then
      errors.raise("scan: the length is a traced tensor, so stacked outputs have no shape; return "
        .. "nil as the output, or give the length as a number")
    end
    return {next_carry, i + 1}
  end
  local function below(_, i) return rows.less(i, length) end
  return (loops.repeat_while("scan", below, round, table.pack(carry, define.tensor(0)))), nil
end

--- `carry, y = f(carry, x)` along the first axis.
-- @tparam function f gets the carry and an item, returns the next carry and an output
-- @param init the first carry
-- @param[opt] xs tensor, or a nested table of them
-- @tparam[opt] integer length of the first axis, where there are no xs
-- @tparam[opt=false] boolean reverse from the last item to the first
-- @tparam[opt=false] boolean unroll trace every step apart
-- @return the last carry
-- @return the outputs, stacked
-- @usage
-- local function add(carry, x) return carry + x, carry + x end
-- local last, sums = cusp.ops.scan(add, cusp.tensor(0.0), cusp.tensor{1.0, 2.0, 3.0})
-- print(last:item(), sums:item(2)) --> 6.0 3.0
local function scan(f, carry, xs, length, reverse, unroll)
  loops.check_callable("scan", f)
  xs = loops.tensors_of(xs)
  if xs == nil and engine.is_traced(length) then
    return scan_traced_length(f, loops.values_of(carry), length)
  end
  length = length_of("scan", xs or {}, integer_of(length))
  if not length then errors.raise "scan: expected xs or length" end
  if engine.tracing() and not unroll then
    return scan_graph(f, loops.values_of(carry), xs, length, reverse)
  elseif length == 0 then
    return carry, loops.empty(function() return select(2, scan_graph(f, carry, xs, 0)) end)
  end
  local outputs = {}
  for step = 1, length do
    local i = reverse and length + 1 - step or step
    local output
    carry, output = f(carry, pick(xs, i))
    outputs[i] = output
  end
  if #outputs == 0 then return carry, nil end
  return carry, stack_structures(outputs)
end

---------------------------------------------------------------- vectorize

-- "(n,k),(k)->(n)": the number of core axes of each argument.
local function core_ranks(signature)
  local ranks = {}
  if not signature then return ranks end
  for axes in signature:match "^(.-)%->":gmatch "%((.-)%)" do
    local rank = 0
    for _ in axes:gmatch "[^,%s]+" do rank = rank + 1 end
    ranks[#ranks + 1] = rank
  end
  return ranks
end

local function broadcast(a, b)
  local result, n = {}, math.max(#a, #b)
  for i = 0, n - 1 do
    local x, y = a[#a - i] or 1, b[#b - i] or 1
    if x ~= y and x ~= 1 and y ~= 1 then
      errors.raise("vectorize: shapes %s and %s do not broadcast", errors.shape(a), errors.shape(b))
    end
    result[n - i] = x == 1 and y or x
  end
  return result
end

local function vectorized_call(f, ranks, values)
  local loop, cores = {}, {}
  for i, value in ipairs(values) do
    local shape, rank = value.shape, ranks[i] or 0
    cores[i] = table.move(shape, #shape - rank + 1, #shape, 1, {})
    loop = broadcast(loop, table.move(shape, 1, #shape - rank, 1, {}))
  end
  local count = require("cusp.base.shape").size(loop)
  for i, value in ipairs(values) do
    local full = table.move(cores[i], 1, #cores[i], #loop + 1, {table.unpack(loop)})
    values[i] = rows.reshape(rows.broadcast_to(value, full), {count, table.unpack(cores[i])})
  end
  local results = map(function(items) return f(table.unpack(items)) end, values)
  return structure.map(results, function(leaf)
    local shape = leaf.shape
    return rows.reshape(leaf, table.move(shape, 2, #shape, #loop + 1, {table.unpack(loop)}))
  end)
end

--- A function of scalars as one of tensors, with broadcasting.
-- @tparam function pyfunc
-- @tparam[opt] {integer,...} excluded positions of arguments that are passed as they are
-- @tparam[opt] string signature of the axes that the function takes: "(n),(n)->()"
-- @treturn function
-- @usage
-- local larger = cusp.ops.vectorize(function(a, b) return cusp.ops.maximum(a, b) end)
-- print(larger(cusp.tensor{1, 5}, cusp.tensor(3)):item(1)) --> 3
local function vectorize(f, excluded, signature)
  loops.check_callable("vectorize", f)
  local ranks, left_alone = core_ranks(signature), {}
  for _, position in ipairs(excluded or {}) do left_alone[position] = true end
  return function(...)
    local given = table.pack(...)
    local values, positions = {}, {}
    for i = 1, given.n do
      if not left_alone[i] then
        values[#values + 1] = define.tensor(given[i])
        positions[#positions + 1] = i
      end
    end
    return vectorized_call(function(...)
      for at, position in ipairs(positions) do given[position] = (select(at, ...)) end
      return f(table.unpack(given, 1, given.n))
    end, ranks, values)
  end
end

define.ops{
  {"cond", "pred: any, true_fn: any, false_fn: any",
    "The result of one of two functions, and its effects; where the condition is traced, both "
    .. "are, and one runs.", cond, plain = true},
  {"while_loop", "cond: any, body: any, loop_vars: any, maximum_iterations: int = nil",
    "Repeats a function of the loop variables while a condition holds; returns them as several "
    .. "values.", while_loop, plain = true},
  {"fori_loop", "lower: any, upper: any, body_fun: any, init_val: any",
    "val = body_fun(i, val) for i from lower to upper - 1.", fori_loop,
    plain = true},
  {"map", "f: any, xs: any", "A function of each item along the first axis; the results stacked.",
    map, plain = true},
  {"vectorized_map", "function: any, elements: any",
    "A function of each item along the first axis; the results stacked.", map,
    plain = true},
  {"scan", "f: any, init: any, xs: any = nil, length: any = nil, reverse: bool = false, unroll: "
    .. "any = nil",
    "carry, y = f(carry, x) along the first axis; returns the last carry and the stacked ys.", scan,
    plain = true},
  {"vectorize", "pyfunc: any, excluded: list = nil, signature: string = nil",
    "A function of scalars (or of what the signature says) as one of tensors, with broadcasting.",
    vectorize, plain = true},
}

-- `switch` takes any number of operands for its branches after them.
define.functions.switch, define.bodies.switch = switch, switch
