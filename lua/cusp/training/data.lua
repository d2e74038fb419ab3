--- Data for fit, evaluate and predict: tensors, nested tables of numbers or strings, lists and
-- tables of them by name.
-- @module cusp.training.data
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local null = require "cusp.base.null"
local ops = require "cusp.ops"
local structure = require "cusp.base.structure"
local plain = require "cusp.base.plain"
local replicas = require "cusp.base.replicas"

local data = {}

local elements = {number = true, boolean = true, string = true}

-- Whether a plain table is numbers or strings all the way down, and so one tensor rather than
-- several.
local function is_leaf_table(value)
  return #value > 0 and elements[type(structure.first_leaf(value))] ~= nil
end

local function to_tensor(owner, name, value)
  if type(value) == "userdata" then
    if engine.is_variable(value) then value = value.value
    elseif not engine.is_tensor(value) then errors.raise("%s: %s should be a tensor, got %s", owner,
      name, errors.describe(value)) end
    if not engine.types_text{value} then
      errors.raise("%s: %s is a tensor that has been closed", owner, name)
    end
  elseif structure.is_container(value) then
    value = engine.tensor(value)
  else
    errors.raise(
      "%s: %s should be a tensor, a table of numbers or strings, or a list or table of those by"
      .. " name, got %s",
      owner, name, errors.describe(value))
  end
  if value.dtype == "string" and not name:find "^x" then
    errors.raise("%s: %s should be numbers, got strings; labels become numbers before, by "
      .. "layers.StringLookup", owner, name)
  end
  if value.dtype == "float64" and engine.get_floatx() ~= "float64" then
    value = ops.cast(value, engine.get_floatx())
  end
  return value
end

local function is_nothing(value) return value == nil or value == null end

local function collect(owner, name, value, out)
  if type(value) == "userdata" or not structure.is_container(value) or is_leaf_table(value) then
    out.tensors[#out.tensors + 1] = to_tensor(owner, name, value)
    out.names[#out.names + 1] = name
    return #out.tensors
  end
  local form, none = {}, nil
  -- an output without weights, which is another thing than one left out
  if name == "sample_weight" then none = false end
  if structure.is_list(value) then
    for i = 1, #value do
      local given = value[i] and not is_nothing(value[i])
      form[i] = given and collect(owner, ("%s[%d]"):format(name, i), value[i], out) or false
    end
  else
    for _, key in ipairs(structure.keys(value)) do
      local given = value[key] and not is_nothing(value[key])
      form[key] = given and collect(owner, ("%s.%s"):format(name, key), value[key], out) or none
    end
  end
  return form
end

local function separated(value, count)
  if not count or count < 2 or not structure.is_container(value) or #value ~= count
    or not is_leaf_table(value) then
    return value
  end
  local result = {}
  for i = 1, count do result[i] = engine.tensor(value[i]) end
  return result
end

local function count_of(model, key)
  local list = model.__own.graph and model[key]
  return list and #list
end

local function for_key(model, value, key)
  if type(value) ~= "table" then return value end
  return separated(value, count_of(model, key))
end

--- Nested tables of numbers as the inputs and targets of a model that has several: one table each.
-- @tparam Model model
-- @param x
-- @param[opt] y
function data.for_model(model, x, y)
  return for_key(model, x, "inputs"), for_key(model, y, "outputs")
end

local parts_of_batch = {"x", "y", "sample_weight"}
local simple_keys = {} -- which parts there are, each a tensor → text of the form

--- Takes data apart.
-- @tparam string owner name of the method, for messages
-- @tparam table given `x`, `y`, `sample_weight`; each nil, or what may stand for tensors
-- @treturn table `tensors`: all of them in one list; `names` of them; `form`: `x`, `y`,
-- `sample_weight` with places in the list for
--   tensors; `key`: text of the form
function data.flatten(owner, given)
  local out, simple = {tensors = {}, names = {}, form = {}}, 0
  for i = 1, #parts_of_batch do
    local name = parts_of_batch[i]
    local value = given[name]
    if not is_nothing(value) then
      local place = collect(owner, name, value, out)
      out.form[name] = place
      simple = type(place) == "number" and simple and simple | 1 << i
    end
  end
  out.key = simple and simple_keys[simple] or structure.describe(out.form)
  if simple then simple_keys[simple] = out.key end
  return out
end

--- Puts tensors in place of their numbers in a form.
local function fill(form, tensors)
  if form == nil or form == false then return form end
  if type(form) == "number" then return tensors[form] end
  local result = {}
  for key, item in pairs(form) do result[key] = fill(item, tensors) end
  return result
end

local function path_of(form, place)
  if form == place then return "" end
  if type(form) ~= "table" then return nil end
  for key, item in pairs(form) do
    local rest = path_of(item, place)
    if rest then return (type(key) == "number" and "[%d]" or ".%s"):format(key) .. rest end
  end
end

--- What a tensor of a form is called: "x", "y[2]", "x.image".
-- @tparam table form
-- @tparam integer place of the tensor
function data.name(form, place) return (path_of(form, place) or ("." .. place)):sub(2) end

--- A batch as train_step and test_step get it: `{x, y, sample_weight}`.
function data.pack(form, tensors)
  return {fill(form.x, tensors), fill(form.y, tensors), fill(form.sample_weight, tensors)}
end

--- The three parts of a batch; nil where there is none.
function data.unpack(batch)
  if structure.is_container(batch) then return batch[1], batch[2], batch[3] end
  return batch
end

--- Checks that all tensors have the same number of samples, and at least one.
-- @tparam ?string advice ends the message about other numbers
-- @treturn integer the number
function data.count_samples(owner, flat, advice)
  if #flat.tensors == 0 then
    errors.raise(
      "%s: x is missing; expected a tensor, a table of numbers, or a function that gives batches",
      owner)
  end
  local counts = {}
  for i, tensor in ipairs(flat.tensors) do
    local shape = tensor.shape
    if #shape == 0 then
      errors.raise("%s: %s is a scalar; expected one entry for each sample on the first axis",
        owner, flat.names[i])
    end
    counts[i] = shape[1]
  end
  for i = 2, #counts do
    if counts[i] ~= counts[1] then
      errors.raise("%s: %s has %d samples, but %s has %d; expected as many of each%s", owner,
        flat.names[1], counts[1], flat.names[i],
        counts[i], advice or "")
    end
  end
  if counts[1] == 0 then
    errors.raise("%s: the data is empty: %s has shape %s", owner, flat.names[1],
      errors.shape(flat.tensors[1].shape))
  end
  return counts[1]
end

local function take_apart(owner, given)
  local flat = data.flatten(owner, given)
  flat.rows = data.count_samples(owner, flat)
  return flat
end

local most_known = 100 -- texts of types
-- What is known of batches of x, and of x and y: `by_types`, and how many.
local known_x, known_y = {by_types = {}, count = 0}, {by_types = {}, count = 0}

-- What is found of tensors depends on their types alone, but for float64, which may be converted.
local function take_known(owner, given, tensors, known)
  local types = engine.types_text(tensors)
  local flat = types and known.by_types[types]
  if not flat then
    flat = take_apart(owner, given)
    if not types or types:find("float64", 1, true) then return flat end
    if known.count == most_known then known.by_types, known.count = {}, 0 end
    known.by_types[types], known.count = flat, known.count + 1
    tensors, flat.tensors = flat.tensors, nil
  end
  return {tensors = tensors, names = flat.names, form = flat.form, key = flat.key,
    rows = flat.rows, types = types}
end

--- A batch that came by itself, taken apart as a source does it. Batches of plain tensors have the
-- text of their types, `types`.
-- @tparam string owner name of the method, for messages
-- @tparam table given `x`, `y`, `sample_weight`
-- @treturn table
function data.single(owner, given)
  local x, y = given.x, given.y
  if given.sample_weight ~= nil or not engine.is_tensor(x) then return take_apart(owner, given) end
  if y == nil then return take_known(owner, given, {x}, known_x) end
  if not engine.is_tensor(y) then return take_apart(owner, given) end
  return take_known(owner, given, {x, y}, known_y)
end

--- The samples of a batch that a source gives by itself. For a step of the program's, its parts may
-- differ, such as labelled and unlabelled samples.
-- @treturn integer the number, of the first part where they differ
function data.count_batch(owner, flat, options, advice)
  local first = flat.tensors[1]
  if options.own_step and not replicas.active and first and #first.shape > 0 then
    return first.shape[1]
  end
  return data.count_samples(owner, flat, advice)
end

-- Whether a batch is of plain tensors with as many samples.
local function is_even(x, y, weight)
  return weight == nil and engine.is_tensor(x)
    and (y == nil or engine.is_tensor(y) and y.shape[1] == x.shape[1])
end

--- Rows `first` to `last` of a tensor, counted from 1.
local function rows(tensor, first, last) return tensor:slice{{first, last}} end
data.rows = rows

local function is_batch_table(value)
  return structure.is_container(value) and #value > 0 and type(value[1]) ~= "number"
    and type(value[1]) ~= "string"
end

--- A batch that came by itself, as a source gives it.
-- @tparam string owner
-- @tparam table options `class_weight`, `inputs_only`, `own_step`
-- @param x inputs, or a table of all three
-- @param[opt] y
-- @param[opt] weight
function data.batch(owner, options, x, y, weight)
  if y == nil and is_batch_table(x) then
    if #x > 3 then
      errors.raise("%s: a batch should be x, (x, y) or (x, y, sample_weight), got %d parts", owner,
        #x)
    end
    x, y, weight = x[1], x[2], x[3]
  end
  if options.inputs_only then y, weight = nil, nil end
  if options.class_weight then
    if weight then
      errors.raise("%s: class_weight cannot be given where the batches have sample weights", owner)
    end
    weight = data.class_weights(owner, y, options.class_weight)
  end
  local given = {x = x, y = y, sample_weight = weight}
  if not options.own_step or is_even(x, y, weight) then return data.single(owner, given) end
  local flat = data.flatten(owner, given)
  flat.rows = data.count_batch(owner, flat, options)
  return flat
end

--- Splits off the last share of the samples, before any shuffling.
-- @return data for training: `x`, `y`, `sample_weight`
-- @return data for validation, likewise
function data.split(owner, given, share)
  if type(given.x) == "function"
    or type(given.x) == "table" and not structure.is_container(given.x) then
    errors.raise(
      "%s: validation_split is for tensors and tables of numbers, got x = %s; give "
      .. "validation_data instead "
      .. "(dataset:take and dataset:skip make two datasets of one)", owner,
      errors.describe(given.x))
  end
  local flat = data.flatten(owner, given)
  local samples = data.count_samples(owner, flat)
  local kept = math.floor(samples * (1 - share))
  if kept == 0 or kept == samples then
    errors.raise("%s: validation_split = %s of %d samples leaves no samples for %s", owner,
      plain.tostring(share), samples,
      kept == 0 and "training" or "validation")
  end
  local first, second = {}, {}
  for i, tensor in ipairs(flat.tensors) do
    first[i], second[i] = rows(tensor, 1, kept), rows(tensor, kept + 1, samples)
  end
  local function parts(tensors)
    local batch = data.pack(flat.form, tensors)
    return {x = batch[1], y = batch[2], sample_weight = batch[3]}
  end
  return parts(first), parts(second)
end

--- Weights of samples from weights of classes.
-- @param y class ids `[samples]` or `[samples, 1]`, or one-hot `[samples, classes]`
-- @tparam table class_weight weight by class id (from 0); classes that it does not name weigh 1
-- @treturn tensor `[samples]`
function data.class_weights(owner, y, class_weight)
  if type(class_weight) ~= "table" then
    errors.raise("%s: class_weight should be a table from class ids (from 0) to weights, got %s",
      owner, errors.describe(class_weight))
  end
  if is_nothing(y) or structure.is_container(y) and not is_leaf_table(y) then
    errors.raise(
      "%s: class_weight is for models with one output; weigh samples with sample_weight instead",
      owner)
  end
  y = to_tensor(owner, "y", y)
  if y.ndim > 2 then
    errors.raise(
      "%s: class_weight wants targets of shape [samples], [samples, 1] or [samples, classes], got "
      .. "%s", owner,
      errors.shape(y.shape))
  end
  if y.ndim == 2 then
    if y.shape[2] == 1 then y = ops.squeeze(y, 2) else y = ops.argmax(y, 2) end
  end
  y = ops.cast(y, "int32")
  local weights = ops.ones(y.shape, {dtype = engine.get_floatx()})
  for id, weight in pairs(class_weight) do
    id = math.tointeger(tonumber(id))
    if not id or type(weight) ~= "number" then
      errors.raise("%s: class_weight should map class ids (from 0) to weights, got %s = %s", owner,
        errors.describe(id),
        errors.describe(weight))
    end
    weights = ops.where(ops.equal(y, id), weight, weights)
  end
  return weights
end

--- What was given, with weights of samples made of weights of classes where there are any.
-- @tparam table given `x`, `y`, `sample_weight`
-- @treturn table
function data.with_class_weight(owner, given, class_weight)
  if class_weight == nil then return given end
  if given.sample_weight ~= nil then
    errors.raise("%s: class_weight and sample_weight cannot be given together", owner)
  end
  local weights = data.class_weights(owner, given.y, class_weight)
  return {x = given.x, y = given.y, sample_weight = weights}
end

return data
