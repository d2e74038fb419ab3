--- What happens when a layer is called: inputs converted and checked, the layer built, `call` run
-- with the training flag and the masks of its inputs, the losses and masks of its outputs kept; or,
-- for symbolic inputs, a node recorded.
-- @module cusp.layers.machinery.calling

local config = require "cusp.base.config"
local context = require "cusp.base.context"
local deferred = require "cusp.base.deferred"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local input_spec = require "cusp.layers.machinery.input_spec"
local lists = require "cusp.base.lists"
local masks = require "cusp.base.masks"
local methods = require "cusp.base.methods"
local names = require "cusp.base.names"
local Node = require "cusp.symbolic.node"
local places = require "cusp.layers.machinery.places"
local policy = require "cusp.layers.machinery.policy"
local sharding = require "cusp.base.sharding"
local signature = require "cusp.layers.machinery.signature"
local remat = require "cusp.layers.machinery.remat"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"
local symbolic = require "cusp.symbolic.tensors"
local warnings = require "cusp.base.warnings"
local whole = require "cusp.base.whole"

local calling = {}
local is_symbolic, is_container = Node.is_symbolic, structure.is_container

-- Whether any layer has ever held losses, and the message that was last given a layer's name.
local any_losses, annotated = false, nil

--- The training flag of the outermost call that set it, nil outside calls.
function calling.training() return context.get().training end

--- Notes that some layer holds a loss now.
function calling.note_loss() any_losses = true end

---------------------------------------------------------------- arguments

--- Whether a last argument holds keywords: string keys, or nothing at all (`{mask = nil}`).
local function is_keywords(t)
  if next(t) == nil then return true end
  for key in pairs(t) do
    if type(key) == "string" then return true end
  end
  return false
end

--- Splits a call into inputs, further positional arguments (with their count `n`) and keyword
-- arguments (a fresh table).
local function split(layer, ...)
  local n = select("#", ...)
  if not (...) then
    errors.raise("%s (%s): called without inputs", layer.name, getmetatable(layer).__name)
  end
  local inputs = (...)
  if n == 1 then return inputs, {n = 0}, {} end
  local extras, args = {select(2, ...)}, {}
  n = n - 1
  while n > 0 and extras[n] == nil do n = n - 1 end
  local last = extras[n]
  if is_container(last) and is_keywords(last) then
    for key, value in pairs(last) do args[key] = value end
    extras[n] = nil
    n = n - 1
  end
  while n > 0 and extras[n] == nil do n = n - 1 end
  extras.n = n
  return inputs, extras, args
end

local standard_arguments = {training = true, mask = true}

local function check_keywords(layer, args)
  local class = getmetatable(layer)
  if not class.__library then return end
  local known
  for key in pairs(args) do
    if not standard_arguments[key] then
      if not known then
        known = {training = true, mask = true}
        for _, name in ipairs(class.call_arguments or {}) do known[name] = true end
      end
      if not known[key] then
        errors.raise("%s (%s): unknown argument '%s' of the call%s", layer.name, class.__name, key,
          errors.suggestion(key, known))
      end
    end
  end
end

local function first_leaf(value)
  local outer = value
  while is_container(value) do
    value = value[1]
    if value == outer then return nil end
  end
  return value
end

--- Numbers and nested tables of numbers become tensors, and with `strings` those of strings;
-- floating-point tensors get the dtype that the layer computes in.
local function convert(layer, value, dtype, strings, depth)
  local kind = type(value)
  if kind == "userdata" then
    local own = value.dtype
    if own and own ~= dtype and dtype and policy.is_float(own) then
      local cast = engine.ops.cast(value, dtype)
      local mask = masks.get(value)
      if mask then masks.set(cast, mask) end
      return cast
    end
    return value
  elseif kind == "number" or kind == "boolean" and value then
    return convert(layer, engine.tensor(value), dtype)
  elseif is_container(value) then
    local leaf = first_leaf(value)
    if type(leaf) == "number" or type(leaf) == "boolean" and leaf
      or strings and type(leaf) == "string" then
      return convert(layer, engine.tensor(value), dtype)
    end
    lists.check(layer.name, value)
    local result = {}
    depth = structure.deeper(depth or 0)
    for key, item in pairs(lists.plain(value)) do
      result[key] = convert(layer, item, dtype, strings, depth)
    end
    return result
  end
  return value
end

calling.convert = convert

local function convert_arguments(layer, inputs, extras, args, dtype)
  local parameters = signature.of(layer).names
  args.mask = masks.without_holes(inputs, args.mask)
  for i = 1, extras.n do
    if parameters[i] == "mask" then extras[i] = masks.without_holes(inputs, extras[i]) end
    if type(extras[i]) == "table" or type(extras[i]) == "userdata" then
      extras[i] = convert(layer, extras[i], dtype)
    end
  end
  for _, name in ipairs(parameters) do
    local value = args[name]
    if type(value) == "table" or type(value) == "userdata" then
      args[name] = convert(layer, value, dtype)
    end
  end
end

local function is_tensor(value)
  return type(value) == "userdata" and value.dtype ~= nil
end

local function check_inputs(layer, inputs)
  if is_symbolic(inputs) or is_tensor(inputs) then return end
  local flat = structure.flatten(inputs)
  for i = 1, #flat do
    if not is_tensor(flat[i]) and not is_symbolic(flat[i]) then
      errors.raise("%s (%s): expected a tensor or a table of tensors, got %s", layer.name,
        getmetatable(layer).__name,
        errors.describe(flat[i]))
    end
  end
end

local function any_symbolic(inputs, extras, args)
  if is_symbolic(inputs) then return true end
  if is_container(inputs) and structure.find(inputs, is_symbolic) then return true end
  for i = 1, extras.n do
    if structure.find(extras[i], is_symbolic) then return true end
  end
  return next(args) ~= nil and structure.find(args, is_symbolic) ~= nil
end

local function shape_of(tensor) return tensor.shape end

local function shapes_of(inputs)
  if not is_container(inputs) then return inputs.shape end
  return structure.map(inputs, function(leaf) return leaf and shape_of(leaf) or false end)
end
calling.shapes_of = shapes_of

---------------------------------------------------------------- errors

local function input_text(inputs)
  local ok, text = pcall(function() return structure.describe(shapes_of(inputs)) end)
  return ok and text or "?"
end

-- What a layer of the library says in Lua's own words is about inputs that it was not made for.
local function in_other_words(layer, inputs, message)
  if not errors.is_raw(message) or not config.is_traceback_filtering_enabled() then
    return message
  end
  local _, text = pcall(errors.raise, "%s (%s): cannot be called on inputs of shape %s", layer.name,
    getmetatable(layer).__name,
    input_text(inputs))
  return text
end

--- The message with the layer's name and its inputs' shapes, once: by the innermost layer.
local function annotate(layer, inputs, message)
  if type(message) ~= "string" or message == annotated then return message end
  message = in_other_words(layer, inputs, message)
  local position, text = message:match "^([^\n]-:%d+: )(.*)$"
  if not position then position, text = "", message end
  if not text:find "^[%w_/%-]+ %(%u%w*%): " then
    local first, rest = text:match "^([^\n]*)(.*)$"
    text = ("%s (%s): %s (called on an input of shape %s)%s"):format(layer.name,
      getmetatable(layer).__name, first,
      input_text(inputs), rest)
  end
  annotated = position .. text
  return annotated
end

---------------------------------------------------------------- building

local function without_batch_stand_in(value)
  local size = symbolic.standing()
  if not size then return value end
  return structure.map(value, function(shape)
    local result = shapes.copy(shape)
    for i = 1, #result do
      if result[i] == size then result[i] = shapes.None end
    end
    return result
  end, structure.is_shape)
end

--- Gives a layer that has all its variables now the values that wait for it (read from a file
-- before it was built).
local function settle_if_complete(layer)
  if not layer.__own.when_built then return end
  if deferred.is_built(layer) then deferred.run(layer) end
end
calling.settle = settle_if_complete

local function build(layer, shape, others)
  local own = layer.__own
  own.path = context.get().path or layer.name
  policy.settle(layer)
  own.build_shape = shape
  own.build_others = type(others) == "table" and next(others) ~= nil and others or nil
  getmetatable(layer).build(layer, shape, others)
  layer.built = true
  settle_if_complete(layer)
end

--- Makes a layer's weights for inputs of this shape, outside any trace, with the layer's name on
-- their paths. Once.
-- @tparam ?boolean named whether the layer's name is on the path already
function calling.build(layer, shape, others, named)
  if layer.built then return end
  if not named then return names.within(layer.name, calling.build, layer, shape, others, true) end
  shape = without_batch_stand_in(shape)
  if engine.tracing() then
    whole.with({layer}, engine.untraced, build, layer, shape, others)
  else
    whole.with({layer}, build, layer, shape, others)
  end
end

local function other_shapes(args)
  local result
  for key, value in pairs(args) do
    if not tostring(key):find "mask$" and (type(value) == "userdata" or is_symbolic(value)) then
      result = result or {}
      result[key] = value.shape
    end
  end
  return result
end

---------------------------------------------------------------- on tensors

local function regularize_activity(layer, outputs)
  local regularizer = layer.activity_regularizer
  if not regularizer or symbolic.standing() then return end
  for _, output in ipairs(structure.flatten(outputs)) do
    local loss = regularizer(output)
    local shape = output.shape
    if #shape > 0 then loss = loss / math.max(shape[1], 1) end
    layer:add_loss(loss)
  end
end

local warned = setmetatable({}, {__mode = "k"}) -- layers of which it was said that they lose masks

local function warn_of_lost_mask(layer, previous)
  if previous == nil or warned[layer]
    or not structure.find(previous, function(mask) return type(mask) == "userdata" end) then
    return
  end
  warned[layer] = true
  warnings.warn(
    "%s (%s): the input has a mask, which this layer does not hand on: layers behind it will not "
    .. "see it", layer.name,
    getmetatable(layer).__name)
end

local function keep_masks(layer, inputs, outputs, previous)
  if not layer.supports_masking then return warn_of_lost_mask(layer, previous) end
  if previous == nil and layer.compute_mask == calling.default_compute_mask then return end
  local flat = structure.flatten(outputs)
  local all = #flat > 0
  for i = 1, #flat do all = all and masks.get(flat[i]) ~= nil end
  if all then return end
  masks.attach(outputs, layer:compute_mask(inputs, previous))
end

local function stand_in_outputs(layer, inputs)
  local dtype = layer:output_dtype(inputs)
  return structure.map(layer:compute_output_shape(shapes_of(inputs)), function(shape)
    return engine.ops.zeros(shape, dtype)
  end, structure.is_shape)
end

--- The fields of a layer that hold trainable variables of another dtype than it computes in, with
-- casts for them.
local function cast_weights(layer, fields)
  local dtype = layer.compute_dtype
  for _, name in ipairs(layer.__order) do
    local value = rawget(layer, name)
    if engine.is_variable(value) and value.trainable and value.dtype ~= dtype
      and not value.keeps_dtype and policy.is_float(value.dtype) then
      table.move({layer, name, sharding.cast(value, dtype)}, 1, 3, #fields + 1, fields)
    end
  end
  local cell = rawget(layer, "cell")
  if type(cell) == "table" and cell.__is_layer then cast_weights(cell, fields) end
  return fields
end

--- Runs `call` under a mixed policy: with weights in the dtype that the layer computes in.
local function call_mixed(layer, inputs, extras, args)
  return engine.with_fields(cast_weights(layer, {}), signature.run, layer, inputs, extras, args)
end

local settle_before_call

--- The mask that `call` gets and the one that `compute_mask` gets: that of the inputs where none is
-- given. Like Keras, `call` gets that only where the inputs are its one tensor argument, and what
-- is given by position is none of `compute_mask`'s.
local function find_masks(layer, inputs, extras, args)
  local given, own = args.mask, masks.of(inputs)
  if given ~= nil and extras.mask_by_position then return given, own end
  if given ~= nil then return given, given end
  if own == nil or extras.n == 0 and next(args) == "training" and next(args, "training") == nil then
    return own, own
  end
  return signature.count_tensors(extras, args) == 1 and own or nil, own
end

local function check_outputs(layer, outputs, second)
  local what = ("%s (%s): call"):format(layer.name, getmetatable(layer).__name)
  if outputs == nil then errors.raise(what .. " returned nothing") end
  methods.single(what, outputs, second)
end

local function run(layer, inputs, extras, args)
  if not layer.built then calling.build(layer, shapes_of(inputs), other_shapes(args), true) end
  if layer.__own.when_built and not symbolic.standing() then
    settle_before_call(layer, inputs, extras, args)
  end
  local mask, previous = find_masks(layer, inputs, extras, args)
  args.mask = mask
  local outputs, second
  if layer.stands_in and symbolic.standing() then
    outputs = stand_in_outputs(layer, inputs)
  elseif layer.autocast and layer.compute_dtype ~= layer.dtype
    and policy.is_float(layer.compute_dtype) then
    outputs, second = call_mixed(layer, inputs, extras, args)
  else
    outputs, second = signature.run(layer, inputs, extras, args)
  end
  if outputs == nil or second ~= nil then check_outputs(layer, outputs, second) end
  if layer.activity_regularizer then regularize_activity(layer, outputs) end
  keep_masks(layer, inputs, outputs, previous)
  layer.__own.ran = true
  return outputs
end

--- Forgets the losses of a layer and of all below it.
local function clear_losses(layer)
  layer.__own.losses = nil
  for _, sublayer in ipairs(layer:sublayers()) do clear_losses(sublayer) end
end

-- The first call makes what is still missing, in this layer and below it: whole or not at all.
local function run_first(layer, ...) return whole.with({layer}, run, layer, ...) end

local function call_on_tensors(layer, inputs, extras, args)
  local around = context.get()
  if not around.called then
    annotated = nil
    if any_losses then clear_losses(layer) end
  end
  local training = args.training
  if training == nil then training = around.training end
  if training == nil then training = layer.training_by_default end
  args.training = training or false
  local inner = {called = true, training = training, place = places.of(layer),
    path = around.path and around.path .. "/" .. layer.name or layer.name}
  local own = layer.__own
  local runs = own.ran and run or run_first
  if own.remat then runs = remat.of(own.remat, runs) end
  local ended = around.observe_call and around.observe_call(inner.path)
  local ok, outputs = context.attempt(inner, runs, layer, inputs, extras, args)
  if ended then ended() end
  if not ok then error(annotate(layer, inputs, outputs), 0) end
  return outputs
end

---------------------------------------------------------------- on symbolic tensors

local function infer(layer, inputs, extras, args)
  local arguments = table.move(extras, 1, extras.n, 3, {n = extras.n + 2, inputs, args})
  local types = symbolic.infer(function(given, keywords, ...)
    return call_on_tensors(layer, given,
      {n = extras.n, mask_by_position = extras.mask_by_position, ...}, keywords)
  end, arguments)
  return types[1]
end

calling.infer = infer

local function as_symbol(value)
  return type(value) == "userdata" and symbolic.tensor(value.shape, value.dtype, "input") or value
end

--- Before the first call of a layer for which values wait: builds all layers below it, as a trial
-- of the call on shapes alone does.
settle_before_call = function(layer, inputs, extras, args)
  if not deferred.is_built(layer) then
    local symbols = {n = extras.n}
    for i = 1, extras.n do symbols[i] = structure.map(extras[i], as_symbol) end
    infer(layer, structure.map(inputs, as_symbol), symbols, structure.map(args, as_symbol))
  end
  deferred.run(layer)
end

local function is_string(value) return value and value.dtype == "string" end

--- The types (`{shape =, dtype =}`) of what a layer gives for symbolic inputs: by its
-- `compute_output_shape` if its class has one, else by tracing `call`, which tells of the masks,
-- too.
-- @treturn table
-- @treturn boolean whether the types say which outputs have masks
function calling.output_types(layer, inputs, extras, args)
  local class = getmetatable(layer)
  local known = layer.known_output_types and layer:known_output_types(inputs)
  if known then return known, false end
  -- a trial refuses strings where the layer computes with numbers
  local strings = layer.input_dtype ~= "string" and structure.find(inputs, is_string)
  if strings or class.compute_output_shape == calling.default_compute_output_shape
    or next(args) ~= nil and class.shape_depends_on_arguments then
    return infer(layer, inputs, extras, args), true
  end
  if class.build == calling.default_build and deferred.has_unbuilt_parts(layer) then
    infer(layer, inputs, extras, args)
  end
  local dtype = layer:output_dtype(inputs)
  local marked = {__name = "type"}
  return structure.map(layer:compute_output_shape(shapes_of(inputs)), function(shape)
    return setmetatable({shape = shape, dtype = dtype}, marked)
  end, structure.is_shape), false
end

--- Symbolic tensors of the types of what a layer would give, without a call that is recorded.
function calling.output_spec(layer, ...)
  local inputs, extras, args = split(layer, ...)
  if extras.n > 0 then signature.bind(layer, extras, args) end
  if not layer.built then calling.build(layer, shapes_of(inputs), other_shapes(args)) end
  return symbolic.from_types((calling.output_types(layer, inputs, extras, args)), layer.name)
end

local function any_mask(inputs, args)
  if args.mask or masks.of(inputs) then return true end
  for _, value in pairs(args) do
    if masks.of(value) then return true end
  end
  return false
end

--- Gives symbolic outputs masks where tensors would have some: by tracing, unless there is nothing
-- to find.
local function mark_masks(layer, inputs, extras, args, outputs)
  if not layer.supports_masking then return end
  local given = any_mask(inputs, args)
  if layer.compute_mask == calling.default_compute_mask then
    if given then masks.attach(outputs, args.mask or masks.of(inputs)) end
  elseif given or layer.makes_masks or not getmetatable(layer).__library then
    masks.attach(outputs, masks.of(symbolic.from_types(infer(layer, inputs, extras, args))))
  end
end

--- Records a call with its arguments where the user put them.
local function record(layer, inputs, extras, args, outputs)
  local arguments, keywords = table.move(extras, 1, extras.n, 2, {n = extras.n + 1, inputs}), {}
  for key, value in pairs(args) do keywords[key] = value end
  for _, name in ipairs(extras.by_name or {}) do keywords[name] = nil end
  Node.new(layer, arguments, next(keywords) ~= nil and keywords or nil, outputs)
end

local function build_and_infer(layer, inputs, extras, args)
  calling.build(layer, shapes_of(inputs), other_shapes(args), true)
  local types, with_masks = calling.output_types(layer, inputs, extras, args)
  settle_if_complete(layer)
  local outputs = symbolic.from_types(types, layer.name)
  if not with_masks then mark_masks(layer, inputs, extras, args, outputs) end
  record(layer, inputs, extras, args, outputs)
  return outputs
end

local function call_on_symbols(layer, inputs, extras, args)
  if not context.get().called then annotated = nil end
  local inner = {called = true, path = names.path(layer.name)}
  local ok, outputs = context.attempt(inner, whole.with, {layer}, build_and_infer, layer, inputs,
    extras, args)
  if not ok then error(annotate(layer, inputs, outputs), 0) end
  return outputs
end

--- Calls a layer: `layer(inputs, more..., {training =, mask =})`.
function calling.call(layer, ...)
  local inputs, extras, args = split(layer, ...)
  if next(args) ~= nil then check_keywords(layer, args) end
  if layer.prepare_inputs then
    inputs = layer:prepare_inputs(inputs)
  else
    local dtype = layer.autocast and layer.compute_dtype or nil
    inputs = convert(layer, inputs, dtype, true)
    if extras.n > 0 or next(args) ~= nil then
      convert_arguments(layer, inputs, extras, args, dtype)
    end
  end
  if extras.n > 0 then signature.bind(layer, extras, args) end
  check_inputs(layer, inputs)
  input_spec.check(layer, inputs)
  if any_symbolic(inputs, extras, args) then return call_on_symbols(layer, inputs, extras, args) end
  return call_on_tensors(layer, inputs, extras, args)
end

local function tensors_of_shapes(layer, shape)
  local dtype = layer.input_dtype or layer.compute_dtype
  return structure.map(shape, function(one)
    return symbolic.tensor(one, dtype, "input")
  end, structure.is_shape)
end

--- The shapes of what a layer gives for inputs of these shapes, found by tracing; further shapes
-- are those of further tensors that the layer is called with.
function calling.infer_shape(layer, shape, ...)
  local extras, args = table.pack(...), {}
  for i = 1, extras.n do
    input_spec.check_shape_argument(layer, "compute_output_shape", extras[i], true)
    extras[i] = tensors_of_shapes(layer, extras[i])
  end
  if extras.n > 0 then signature.bind(layer, extras, args) end
  -- Not a call of the user's: losses stay.
  local inputs = tensors_of_shapes(layer, shape)
  local types = context.within({called = true}, infer, layer, inputs, extras, args)
  return structure.map(types, function(type) return type.shape end)
end

return calling
