--- Loops that are traced once: their body becomes a graph within the graph.
-- @module cusp.ops.traced_loops
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local structure = require "cusp.base.structure"

local loops = {}
local rows = engine.ops

---------------------------------------------------------------- arguments

function loops.check_callable(name, f)
  local meta = getmetatable(f)
  if type(f) ~= "function" and not (type(meta) == "table" and meta.__call) then
    errors.raise("%s: expected a function, got %s", name, errors.describe(f))
  end
end

--- What is scanned: tensors as they are, tables of numbers as one.
function loops.tensors_of(xs)
  if xs == nil then return nil end
  if structure.is_container(xs)
    and not structure.find(xs, function(leaf) return type(leaf) == "userdata" end) then
    return define.tensor(xs)
  end
  return structure.map(xs, define.tensor)
end

---------------------------------------------------------------- results

-- Marks the position of a tensor in a result.
local place = setmetatable({}, {__name = "a tensor"})

--- The form of some results, and their tensors and numbers.
function loops.take_apart(results)
  local values, form = {}, {n = results.n}
  for i = 1, results.n do
    form[i] = structure.map(results[i], function(leaf)
      local kind = type(leaf)
      if kind ~= "userdata" and kind ~= "number" and kind ~= "boolean" then return leaf end
      values[#values + 1] = leaf
      return place
    end)
  end
  return form, values
end

--- Whether two forms are alike.
local function same_form(a, b)
  if a == b then return true end
  if not structure.is_container(a) or not structure.is_container(b) then return false end
  for key, value in pairs(a) do
    if not same_form(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

--- The results of a form, with these tensors from position `at` on.
function loops.put_together(form, values, at)
  local results = {}
  at = (at or 1) - 1
  for i = 1, form.n do
    results[i] = structure.map(form[i], function(leaf)
      if leaf ~= place then return leaf end
      at = at + 1
      return values[at]
    end)
  end
  return table.unpack(results, 1, form.n)
end

loops.same_form = same_form

--- Replaces variables in results by their present values, also in a trace: later assignments are
-- not visible.
function loops.values_of(...)
  local results = table.pack(...)
  for i = 1, results.n do
    results[i] = structure.map(results[i], function(leaf)
      return engine.is_variable(leaf) and leaf.value or leaf
    end)
  end
  return table.unpack(results, 1, results.n)
end

---------------------------------------------------------------- loops

--- What a loop's body returned, several values or a list of them, as a list of `n`.
function loops.as_list(name, n, ...)
  local values = table.pack(...)
  if values.n == 1 and structure.is_container(values[1]) then
    values = {n = math.max(n, #values[1]), table.unpack(values[1], 1, math.max(n, #values[1]))}
  end
  if values.n ~= n then
    errors.raise("%s: the body should return %d values, got %d", name, n, values.n)
  end
  return values
end

-- What stands for some values while a body is traced; the values become tensors.
local function stand_ins_of(values, slices)
  local stand_ins = {}
  for i, value in ipairs(values) do
    values[i] = define.tensor(value)
    stand_ins[i] = engine.stand_in(values[i], i > #values - slices)
  end
  return stand_ins
end

local function check_form(name, body, value, form, own)
  if same_form(form, own) then return end
  errors.raise("%s: the %s should return the same structure as the %ss", name, body, value)
end

--- Repeats a body while a condition gives true.
-- @tparam string name for messages
-- @tparam function condition
-- @tparam function body returns the next values, or a list of them
-- @tparam table values packed
-- @tparam[opt] integer limit at most so many rounds
-- @return the last values
function loops.repeat_while(name, condition, body, values, limit)
  local form, initial = loops.take_apart(values)
  if limit then initial[#initial + 1] = 0 end
  local stand_ins = stand_ins_of(initial, 0)
  local test <close> = engine.branch(true)
  local go_on = engine.as_condition(condition, loops.put_together(form, stand_ins))
  go_on = rows.cast(loops.one_element(name, "condition", define.tensor(go_on)), "bool")
  if limit then go_on = rows.logical_and(go_on, rows.less(stand_ins[#stand_ins], limit)) end
  test:finish{go_on}
  local round <close> = engine.branch(true)
  local own, results = loops.take_apart(
    loops.as_list(name, form.n, body(loops.put_together(form, stand_ins))))
  check_form(name, "body", "loop value", form, own)
  if limit then results[#results + 1] = stand_ins[#stand_ins] + 1 end
  round:finish(results)
  return loops.put_together(form, engine["repeat"](name, initial, stand_ins,
    {condition = test, body = round}))
end

--- The tensor as a scalar, if it has one element.
function loops.one_element(name, what, value)
  for _, size in ipairs(value.shape) do
    if size ~= 1 then
      errors.raise("%s: expected one element as the %s, got shape %s", name, what,
        errors.shape(value.shape))
    end
  end
  return rows.reshape(value, {})
end

-- What is carried besides, whose first value is known only within the body.
local function carry_more(initial, stand_ins, n)
  local added = 0
  return function(value)
    added = added + 1
    value = define.tensor(value)
    local stand_in = engine.stand_in(value)
    table.insert(initial, n + added, value)
    table.insert(stand_ins, n + added, stand_in)
    return stand_in
  end
end

local function append(list, more) return table.move(more, 1, #more, #list + 1, list) end

--- Runs a body a number of times, on one slice of some tensors after the other.
-- @tparam table options `name`, and what messages call a carried `value` and the `body`; the
-- `count` of rounds; `reverse` from the last slice to the first
-- @tparam function body gets the carried value, a slice, and a function that makes a tensor the
-- first value of something else to carry and returns what stands for it; returns the next value, an
-- output, and a list of the next values of those
-- @param carry tensor, or a nested table of them
-- @param xs tensor, or a nested table of them; nil
-- @return the last carried value
-- @return the outputs, stacked
-- @treturn table the last values of what else is carried
function loops.scan(options, body, carry, xs)
  local carried, initial = loops.take_apart{n = 1, carry}
  local sliced, slices = loops.take_apart{n = 1, xs}
  local n = #initial
  append(initial, slices)
  local stand_ins = stand_ins_of(initial, #slices)
  local round <close> = engine.branch(true)
  local next_carry, output, others = loops.values_of(body(loops.put_together(carried, stand_ins),
    (loops.put_together(sliced, stand_ins, n + 1)), carry_more(initial, stand_ins, n)))
  local own, results = loops.take_apart{n = 1, next_carry}
  check_form(options.name, options.body or "body", options.value or "loop value", carried, own)
  local form, outputs = loops.take_apart{n = 1, output}
  others = others or {}
  round:finish(append(append(results, others), outputs))
  local found = engine["repeat"](options.name, initial, stand_ins, {
    body = round, slices = #slices, count = options.count, reverse = options.reverse,
    value_name = options.value, body_name = options.body,
  })
  return (loops.put_together(carried, found)),
    (loops.put_together(form, found, n + #others + 1)), table.move(found, n + 1, n + #others, 1, {})
end

--- The results of a loop of no rounds: tensors without elements of the shapes that it would give.
-- @tparam function f traces the loop and returns them
function loops.empty(f)
  local types = {}
  local form = engine.traced(function()
    local results = f()
    if results == nil then return nil end
    return structure.map(results, function(leaf)
      types[#types + 1] = {leaf.shape, leaf.dtype}
      return false
    end)
  end)
  local at = 0
  if form == nil then return nil end
  return structure.map(form, function()
    at = at + 1
    return rows.zeros(table.unpack(types[at]))
  end)
end

return loops
