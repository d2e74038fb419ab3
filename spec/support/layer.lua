-- The check that every layer goes through: configuration round trip, eager against compiled,
-- symbolic against real shapes, numbers of weights, a training step, and a model with it through
-- JSON.
local cusp = require "cusp"

local function shape_text(shape)
  if type(shape[1]) == "table" and shape[1] ~= cusp.None then
    local parts = {}
    for i, one in ipairs(shape) do parts[i] = shape_text(one) end
    return table.concat(parts, " ")
  end
  local parts = {}
  for i, size in ipairs(shape) do parts[i] = tostring(size) end
  return "[" .. table.concat(parts, ", ") .. "]"
end

local function is_list(value) return type(value) == "table" and getmetatable(value) == nil end

local function each(value, f)
  if not is_list(value) then return f(value) end
  local result = {}
  for i, item in ipairs(value) do result[i] = each(item, f) end
  return result
end

local function same(a, b, what)
  if is_list(a) then
    for i = 1, #a do same(a[i], b[i], what) end
    return
  end
  assert(shape_text(a.shape) == shape_text(b.shape),
    ("%s: shapes %s and %s"):format(what, shape_text(a.shape), shape_text(b.shape)))
  local x, y = a:flat(), b:flat()
  for i = 1, #x do
    local p, q = x[i], y[i]
    assert(p == q or math.abs(p - q) <= 1e-5 + 1e-5 * math.abs(q),
      ("%s: value %d is %s and %s"):format(what, i, p, q))
  end
end

local function random_input(shape, dtype)
  if dtype and dtype:find "int" then return cusp.random.randint(shape, 0, 4, {dtype = dtype}) end
  return cusp.random.uniform(shape, -1, 1)
end

local function is_shape(value) return type(value[1]) ~= "table" end

local function map_shapes(value, f)
  if is_shape(value) then return f(value) end
  local result = {}
  for i, shape in ipairs(value) do result[i] = f(shape) end
  return result
end

local function without_batch(shape) return {table.unpack(shape, 2)} end

--- @tparam table options
--   class: the layer's class; arguments: its keyword arguments;
--   input_shape: with the batch axis, or a list of them; input_dtype; output_shape;
--   weights, trainable: their numbers; training: the flag for calls;
--   several: inputs are separate arguments
return function(options)
  local class, arguments = options.class, options.arguments or {}
  local keywords = options.training ~= nil and {training = options.training} or nil
  local function spread(f, values)
    if options.several then return f(table.unpack(values)) end
    return f(values, keywords)
  end
  local layer = class(arguments)
  local inputs = map_shapes(options.input_shape, function(shape)
    return random_input(shape, options.input_dtype)
  end)

  -- Configuration: through JSON and back.
  local text = cusp.json.encode(layer:get_config())
  local copy = class:from_config(cusp.json.decode(text))
  assert(cusp.json.encode(copy:get_config()) == text,
    "the configuration does not come back the same")
  assert(cusp.layers.deserialize(cusp.layers.serialize(layer)).name == layer.name,
    "does not come back from its serialised form")
  assert(tostring(layer):find(class.__name, 1, true), "tostring does not name the class")

  -- Runs eagerly; checks the result.
  local outputs = spread(layer, inputs)
  local got = shape_text(each(outputs, function(tensor) return tensor.shape end))
  if options.output_shape then
    assert(got == shape_text(options.output_shape),
      ("output shape %s, expected %s"):format(got, shape_text(options.output_shape)))
  end
  assert(layer.built, "the layer is not built after a call")
  if options.weights then
    assert(#layer.weights == options.weights,
      ("%d weights, expected %d"):format(#layer.weights, options.weights))
  end
  if options.trainable then
    assert(#layer.trainable_weights == options.trainable,
      ("%d trainable weights"):format(#layer.trainable_weights))
  end
  for _, variable in ipairs(layer.weights) do
    assert(variable.path and variable.name, "a weight has no name")
  end
  layer:set_weights(layer:get_weights())

  -- Compiled gives the same.
  local compiled = cusp.compile(function(x) return spread(layer, x) end)
  same(compiled(inputs), spread(layer, inputs), "compiled against eager")

  -- Symbolic shapes equal those of the data, except for the batch.
  local symbols = map_shapes(options.input_shape, function(shape)
    return cusp.Input{shape = without_batch(shape), dtype = options.input_dtype}
  end)
  local symbolic = spread(copy, symbols)
  local want = each(outputs, function(tensor) return without_batch(tensor.shape) end)
  local found = each(symbolic, function(tensor) return without_batch(tensor.shape) end)
  assert(shape_text(want) == shape_text(found),
    ("symbolic shape %s, real %s"):format(shape_text(found), shape_text(want)))
  local input_shape = options.input_shape
  local computed = layer:compute_output_shape(
    table.unpack(options.several and input_shape or {input_shape}))
  assert(shape_text(computed) == got,
    ("compute_output_shape gives %s, the call %s"):format(shape_text(computed), got))

  -- A model with it: the same numbers, also after a round trip through JSON.
  local model = cusp.Model{inputs = symbols, outputs = symbolic}
  copy:set_weights(layer:get_weights())
  same(model(inputs), spread(layer, inputs), "model against layer")
  local again = cusp.models.model_from_json(model:to_json())
  again:set_weights(model:get_weights())
  same(again(inputs), model(inputs), "model from JSON against model")

  -- A step of training.
  if #model.trainable_weights > 0 and not is_list(outputs) then
    model:compile{optimizer = "sgd", loss = "mse"}
    local loss = model:train_on_batch(inputs, outputs)
    if type(loss) == "userdata" then loss = loss:item() end
    assert(loss == loss, "the loss is not a number")
  end
  return layer, outputs
end
