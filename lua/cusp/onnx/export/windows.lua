--- Convolutions and pooling. Cusp's have their channels last, ONNX's after the batch.
-- @module cusp.onnx.export.windows
local errors = require "cusp.base.errors"

local rules = {}

-- [batch, spatial..., channels] to [batch, channels, spatial...]
local function channels_first(rank)
  local order = {0, rank - 1}
  for i = 1, rank - 2 do order[#order + 1] = i end
  return order
end

local function channels_last(rank)
  local order = {0}
  for i = 2, rank - 1 do order[#order + 1] = i end
  order[#order + 1] = 1
  return order
end

-- Runs `write` on the values with channels first.
local function within(g, node, value, write)
  local rank = #node.shape
  local result = write(g:transpose(value, channels_first(rank)))
  local turned = g:transpose({name = result.name}, channels_last(rank))
  turned.node = result.node
  return turned
end

-- kernel [spatial..., channels, filters] to [filters, channels, spatial...]
local function kernel_first(g, kernel)
  local rank = #kernel.shape
  local order = {rank - 1, rank - 2}
  for i = 0, rank - 3 do order[#order + 1] = i end
  return g:transpose(kernel, order)
end

-- Zeros after the elements of an axis: what the last window needs of them.
local function high(size, low, windows, window, stride)
  return (windows - 1) * stride + window - low - size
end

-- Padding as ONNX's `pads`; nil where sizes that are not known decide it, and it is "same".
local function pads_of(node, window, strides, dilations)
  local from, to, low = node.input_shapes[1], node.shape, node.attributes.low
  local before, after, same = {}, {}, false
  for i in ipairs(low) do
    local reach = (window[i] - 1) * (dilations[i] or 1) + 1
    before[i] = low[i]
    after[i] = math.max(0, high(from[i + 1], low[i], to[i + 1], reach, strides[i]))
    if type(node:input_sizes(1)[i + 1]) ~= "number" then
      same = same or before[i] + after[i] > 0
    end
  end
  if same then return nil end
  table.move(after, 1, #after, #before + 1, before)
  return before
end

local function with_padding(node, window, strides, dilations, attributes)
  attributes.pads = pads_of(node, window, strides, dilations)
  if not attributes.pads then attributes.auto_pad = "SAME_UPPER" end
  return attributes
end

local function spatial(shape)
  local sizes = {}
  for i = 1, #shape - 2 do sizes[i] = shape[i] end
  return sizes
end

local function convolved(g, node, inputs, op, attributes)
  return within(g, node, inputs[1], function(x)
    local result = g:node(op, {x, kernel_first(g, inputs[2])}, attributes)
    result.node = g.nodes[#g.nodes]
    return result
  end)
end

rules.conv_forward = function(g, node, inputs)
  local a, kernel = node.attributes, node.input_shapes[2]
  local attributes = with_padding(node, spatial(kernel), a.strides, a.dilations, {
    strides = a.strides, dilations = a.dilations, kernel_shape = spatial(kernel),
    group = node.input_shapes[1][#node.shape] // kernel[#kernel - 1]})
  return convolved(g, node, inputs, "Conv", attributes)
end

-- What a transposed convolution cuts at the end; what it adds there is the output's padding.
local function transposed_padding(node, window)
  local a, from, to = node.attributes, node.input_shapes[1], node.shape
  local pads, extra = {}, {}
  local count = #a.low
  for i, low in ipairs(a.low) do
    local reach = (window[i] - 1) * a.dilations[i] + 1
    local cut = (from[i + 1] - 1) * a.strides[i] + reach - low - to[i + 1]
    pads[i], pads[count + i], extra[i] = low, math.max(0, cut), math.max(0, -cut)
    if extra[i] >= math.max(a.strides[i], a.dilations[i]) then
      errors.raise("onnx.export: a transposed convolution with an output padding of %d and strides"
        .. " of %d cannot be said in ONNX", extra[i], a.strides[i])
    end
  end
  return pads, extra
end

rules.conv_input_gradient = function(g, node, inputs)
  local a, kernel = node.attributes, node.input_shapes[2]
  local pads, extra = transposed_padding(node, spatial(kernel))
  local attributes = {strides = a.strides, dilations = a.dilations, kernel_shape = spatial(kernel),
    pads = pads, output_padding = extra,
    group = node.shape[#node.shape] // kernel[#kernel - 1]}
  return convolved(g, node, inputs, "ConvTranspose", attributes)
end

for name, op in pairs{pool_max = "MaxPool", pool_average = "AveragePool"} do
  rules[name] = function(g, node, inputs)
    local a = node.attributes
    local attributes = with_padding(node, a.size, a.strides, {},
      {strides = a.strides, kernel_shape = a.size})
    return within(g, node, inputs[1], function(x) return g:node(op, {x}, attributes) end)
  end
end

local windows = {rules = rules}

--- Puts a bias into the convolution whose result it is added to, as ONNX has a place for it.
-- @treturn ?value the sum, or nil if it is something else
function windows.add_bias(g, value, bias)
  if not (value.node and #value.node.input == 2 and bias.constant) then return nil end
  local shape = bias.constant.shape
  if #shape ~= 1 then return nil end
  value.node.input[3] = g:name(bias)
  return {name = value.name, order = value.order}
end

return windows
