--- Operators with sliding windows. ONNX's have channels after the batch.
-- @module cusp.onnx.load.windows
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local values = require "cusp.onnx.load.values"

local operators = {}

---------------------------------------------------------------- geometry

-- Zeros before and after each spatial axis, and the number of windows.
local function same_padding(auto, size, window, stride)
  local count = math.ceil(size / stride)
  local whole = math.max(0, (count - 1) * stride + window - size)
  local before = auto == "SAME_LOWER" and whole - whole // 2 or whole // 2
  return before, whole - before, count
end

local function count_windows(size, window, stride, rounded_up)
  local count = (size - window) / stride
  return (rounded_up and math.ceil(count) or math.floor(count)) + 1
end

-- What a node says of its windows; `kernel` are their sizes.
local function geometry(node, x, kernel)
  local a, n = node.a, #x.shape - 2
  local g = {n = n, kernel = kernel, strides = a.strides or values.fill(n, 1),
    dilations = a.dilations or values.fill(n, 1), low = {}, high = {}, sizes = {}}
  local auto = a.auto_pad or "NOTSET"
  for i = 1, n do
    local size, reach = x.shape[i + 2], (kernel[i] - 1) * g.dilations[i] + 1
    if auto == "SAME_UPPER" or auto == "SAME_LOWER" then
      g.low[i], g.high[i], g.sizes[i] = same_padding(auto, size, reach, g.strides[i])
    else
      g.low[i] = a.pads and auto ~= "VALID" and a.pads[i] or 0
      g.high[i] = a.pads and auto ~= "VALID" and a.pads[n + i] or 0
      local padded = size + g.low[i] + g.high[i]
      g.sizes[i] = count_windows(padded, reach, g.strides[i], a.ceil_mode == 1)
      -- a window that begins in the padding at the end is none
      if a.ceil_mode == 1 and (g.sizes[i] - 1) * g.strides[i] >= size + g.low[i] then
        g.sizes[i] = g.sizes[i] - 1
      end
    end
    if g.sizes[i] < 1 then
      errors.raise("no window of %d elements fits an axis of %d", reach, size)
    end
  end
  return g
end

local function channels_last(x) return ops.moveaxis(x, 2, -1) end
local function channels_first(x) return ops.moveaxis(x, -1, 2) end

-- [filters, channels, spatial...] to [spatial..., channels, filters]
local function kernel_last(w)
  local order = {}
  for i = 3, #w.shape do order[#order + 1] = i end
  order[#order + 1], order[#order + 2] = 2, 1
  return ops.transpose(w, order)
end

local function spatial(shape) return {table.unpack(shape, 3)} end

local function add_bias(y, bias) return bias and ops.add(y, bias) or y end

---------------------------------------------------------------- convolutions

local function check_groups(node, x, w)
  local groups = node.a.group or 1
  if #x.shape < 3 or #x.shape ~= #w.shape then
    errors.raise("expected inputs and weights of one rank from 3 on, got shapes %s and %s",
      errors.shape(x.shape), errors.shape(w.shape))
  end
  if groups < 1 then errors.raise("group should be at least 1, got %d", groups) end
  return groups
end

-- The engine's rows are of float32 and float64.
local function widened(x)
  return (x.dtype == "float16" or x.dtype == "bfloat16") and ops.cast(x, "float32") or x
end

function operators.Conv(node, x, w, bias)
  check_groups(node, x, w)
  local g = geometry(node, x, spatial(w.shape))
  local y = engine.ops.conv_forward(channels_last(widened(x)), kernel_last(widened(w)), g.strides,
    g.low, g.dilations, g.sizes)
  return values.cast(channels_first(add_bias(y, bias)), x.dtype)
end

local function transposed_sizes(node, x, w)
  local a, n, low, sizes = node.a, #x.shape - 2, {}, {}
  for i = 1, n do
    local stride, dilation = (a.strides or {})[i] or 1, (a.dilations or {})[i] or 1
    local reach = (w.shape[i + 2] - 1) * dilation + 1
    local whole = stride * (x.shape[i + 2] - 1) + ((a.output_padding or {})[i] or 0) + reach
    local auto = a.auto_pad or "NOTSET"
    local same = auto:find "^SAME"
    local wanted = a.output_shape and a.output_shape[#a.output_shape - n + i]
      or same and x.shape[i + 2] * stride
    if wanted then
      local cut = math.max(0, whole - wanted)
      low[i] = auto == "SAME_UPPER" and cut // 2 or cut - cut // 2
      sizes[i] = wanted
    else
      low[i] = a.pads and a.pads[i] or 0
      sizes[i] = whole - low[i] - (a.pads and a.pads[n + i] or 0)
    end
  end
  return low, sizes
end

function operators.ConvTranspose(node, x, w, bias)
  local groups, n = check_groups(node, x, w), #x.shape - 2
  local low, sizes = transposed_sizes(node, x, w)
  sizes[n + 1] = w.shape[2] * groups
  local y = engine.ops.conv_input_gradient(channels_last(widened(x)), kernel_last(widened(w)),
    node.a.strides or values.fill(n, 1), low, node.a.dilations or values.fill(n, 1), sizes)
  return values.cast(channels_first(add_bias(y, bias)), x.dtype)
end

---------------------------------------------------------------- windows as axes

-- [batch, channels, spatial...] to [batch, channels, windows..., elements of a window]; the last
-- windows may reach over the end.
local function padded_windows(x, g, fill)
  local widths = {{0, 0}, {0, 0}}
  for i = 1, g.n do
    local reach = (g.sizes[i] - 1) * g.strides[i] + (g.kernel[i] - 1) * g.dilations[i] + 1
    widths[i + 2] = {g.low[i], math.max(g.high[i], reach - g.low[i] - x.shape[i + 2])}
  end
  local padded = ops.pad(x, widths, "constant", values.scalar(fill, x.dtype))
  for i = 1, g.n do
    local indices = {}
    values.limit(g.sizes[i] * g.kernel[i], "what the windows read")
    for window = 0, g.sizes[i] - 1 do
      for k = 0, g.kernel[i] - 1 do
        indices[#indices + 1] = window * g.strides[i] + k * g.dilations[i]
      end
    end
    padded = ops.take(padded, values.integers(indices), i + 2)
  end
  local shape, order = {x.shape[1], x.shape[2]}, {1, 2}
  for i = 1, g.n do
    shape[#shape + 1], shape[#shape + 2] = g.sizes[i], g.kernel[i]
    order[2 + i], order[2 + g.n + i] = 1 + 2 * i, 2 + 2 * i
  end
  local apart = ops.transpose(ops.reshape(padded, shape), order)
  return ops.reshape(apart, {x.shape[1], x.shape[2], table.unpack((function()
    local sizes = {table.unpack(g.sizes)}
    sizes[#sizes + 1] = values.product(g.kernel)
    return sizes
  end)())})
end

---------------------------------------------------------------- pooling

local function is_plain(g)
  for i = 1, g.n do
    if g.dilations[i] ~= 1 then return false end
  end
  return true
end

local least = {float32 = -math.huge, float64 = -math.huge, float16 = -math.huge,
  bfloat16 = -math.huge, int8 = -128, uint8 = 0, int32 = -2147483648}

-- The place of each window's greatest element in its channel, row by row or column by column.
local function max_indices(x, g, best, order)
  local sizes = spatial(x.shape)
  local count = values.product(sizes)
  local places = ops.reshape(ops.cast(ops.arange(count), "int64"), {1, 1, table.unpack(sizes)})
  if order == 1 then
    local back = {1, 2}
    for i = #sizes, 1, -1 do back[#back + 1] = i + 2 end
    places = ops.transpose(ops.reshape(places, {1, 1, table.unpack((function()
      local reversed = {}
      for i = #sizes, 1, -1 do reversed[#reversed + 1] = sizes[i] end
      return reversed
    end)())}), back)
  end
  local within = padded_windows(places, g, 0)
  within = ops.broadcast_to(within, {best.shape[1], best.shape[2],
    table.unpack(within.shape, 3)})
  local chosen = ops.take_along_axis(within, ops.expand_dims(best, -1), -1)
  local planes = ops.reshape(ops.cast(ops.arange(x.shape[1] * x.shape[2]), "int64"),
    {x.shape[1], x.shape[2], table.unpack(values.fill(g.n, 1))})
  return ops.add(ops.squeeze(chosen, -1), ops.multiply(planes, count))
end

function operators.MaxPool(node, x)
  local g = geometry(node, x, node.a.kernel_shape)
  if is_plain(g) and #node.outputs < 2 and values.is_float(x.dtype) then
    return channels_first(engine.ops.pool_max(channels_last(x), g.kernel, g.strides, g.low,
      g.sizes))
  end
  local windows = padded_windows(x, g, least[x.dtype] or 0)
  if #node.outputs < 2 then return ops.amax(windows, -1) end
  local best = ops.cast(ops.argmax(windows, -1), "int64")
  return ops.amax(windows, -1), max_indices(x, g, best, node.a.storage_order)
end

function operators.MaxUnpool(node, x, indices, shape_input)
  local a, n, shape = node.a, #x.shape - 2, {x.shape[1], x.shape[2]}
  for i = 1, n do
    shape[i + 2] = (x.shape[i + 2] - 1) * ((a.strides or {})[i] or 1) + a.kernel_shape[i]
      - (a.pads and a.pads[i] + a.pads[n + i] or 0)
  end
  local flat_indices = ops.reshape(indices, {-1, 1})
  if shape_input then
    -- the indices count in the smaller tensor
    local inner = shape
    shape = values.list(shape_input, "MaxUnpool's output_shape")
    local parts, rest = {}, ops.reshape(indices, {-1})
    for i = #inner, 1, -1 do
      parts[i] = ops.mod(rest, inner[i])
      rest = ops.floor_divide(rest, inner[i])
    end
    flat_indices = ops.stack(parts, 2)
    return engine.ops.scatter_nd(ops.zeros(shape, {dtype = x.dtype}), flat_indices,
      ops.reshape(x, {-1}), 0)
  end
  local flat = engine.ops.scatter_nd(ops.zeros({values.product(shape)}, {dtype = x.dtype}),
    flat_indices, ops.reshape(x, {-1}), 0)
  return ops.reshape(flat, shape)
end

-- The padding that counts as elements, as part of x.
local function with_zeros(x, g)
  local widths = {{0, 0}, {0, 0}}
  local inner = {}
  for i = 1, g.n do
    widths[i + 2], inner[i] = {g.low[i], g.high[i]}, 0
  end
  local whole = {}
  for key, value in pairs(g) do whole[key] = value end
  whole.low, whole.high = inner, inner
  return ops.pad(x, widths, "constant", values.scalar(0, x.dtype)), whole
end

function operators.AveragePool(node, x)
  local g = geometry(node, x, node.a.kernel_shape)
  if node.a.count_include_pad == 1 then x, g = with_zeros(x, g) end
  if is_plain(g) then
    return channels_first(engine.ops.pool_average(channels_last(x), g.kernel, g.strides, g.low,
      g.sizes))
  end
  local counts = ops.sum(padded_windows(ops.ones_like(x), g, 0), -1)
  return ops.divide(ops.sum(padded_windows(x, g, 0), -1), counts)
end

function operators.LpPool(node, x)
  local g, p = geometry(node, x, node.a.kernel_shape), node.a.p or 2
  local powers = ops.power(ops.absolute(padded_windows(x, g, 0)), p)
  return ops.power(ops.sum(powers, -1), 1 / p)
end

local function spatial_axes(x)
  local axes = {}
  for i = 3, #x.shape do axes[#axes + 1] = i end
  return axes
end

function operators.GlobalAveragePool(_, x) return ops.mean(x, spatial_axes(x), true) end
function operators.GlobalMaxPool(_, x) return ops.amax(x, spatial_axes(x), true) end

function operators.GlobalLpPool(node, x)
  local p = node.a.p or 2
  return ops.power(ops.sum(ops.power(ops.absolute(x), p), spatial_axes(x), true), 1 / p)
end

---------------------------------------------------------------- windows put together

--- Adds blocks of an image where they were taken from.
function operators.Col2Im(node, x, image_input, block_input)
  local image = values.list(image_input, "Col2Im's image_shape")
  local block = values.list(block_input, "Col2Im's block_shape")
  local n, a = #image, node.a
  local channels = x.shape[2] // values.product(block)
  local dilations, strides = a.dilations or values.fill(n, 1), a.strides or values.fill(n, 1)
  local pads = a.pads or values.fill(2 * n, 0)
  local padded, sizes = {}, {}
  for i = 1, n do
    padded[i] = image[i] + pads[i] + pads[n + i]
    sizes[i] = (padded[i] - (block[i] - 1) * dilations[i] - 1) // strides[i] + 1
  end
  local g = {n = n, kernel = block, strides = strides, dilations = dilations, sizes = sizes,
    low = values.fill(n, 0), high = values.fill(n, 0)}
  local count = values.product(padded)
  local places = padded_windows(ops.reshape(ops.cast(ops.arange(count), "int64"),
    {1, 1, table.unpack(padded)}), g, 0)
  places = ops.reshape(ops.moveaxis(places, -1, 3), {-1, 1})
  local blocks = ops.reshape(x, {x.shape[1] * channels, values.product(block) *
    values.product(sizes)})
  local flat = engine.ops.scatter_nd(ops.zeros({count, blocks.shape[1]}, {dtype = x.dtype}),
    places, ops.transpose(blocks), 1)
  local whole = ops.reshape(ops.transpose(flat), {x.shape[1], channels, table.unpack(padded)})
  local starts, shape = {0, 0}, {x.shape[1], channels}
  for i = 1, n do starts[i + 2], shape[i + 2] = pads[i], image[i] end
  return ops.slice(whole, starts, shape)
end

---------------------------------------------------------------- responses across channels

function operators.LRN(node, x)
  local a, size = node.a, node.a.size
  local before, channels = (size - 1) // 2, x.shape[2]
  local widths = values.fill(#x.shape, {0, 0})
  widths[2] = {before, size - 1 - before}
  local squares, sum = ops.pad(ops.square(x), widths), nil
  for i = 0, size - 1 do
    local indices = {}
    for c = 0, channels - 1 do indices[c + 1] = c + i end
    local part = ops.take(squares, values.integers(indices), 2)
    sum = sum and ops.add(sum, part) or part
  end
  local base = ops.add(ops.multiply(sum, (a.alpha or 0.0001) / size), a.bias or 1.0)
  return ops.divide(x, ops.power(base, a.beta or 0.75))
end

return operators
