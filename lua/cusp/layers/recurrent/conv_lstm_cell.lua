--- One step of a convolutional LSTM (Shi et al., "Convolutional LSTM network", 2015): an LSTM whose
-- products are convolutions. Inputs `[batch, spatial..., channels]` and states `{h, c}`, each
-- `[batch, new spatial..., filters]`; returns `{h, {h, c}}`. The kernels hold the input, forget,
-- cell and output gates side by side in their last axis.
-- @classmod cusp.layers.ConvLSTMCell
local Layer = require "cusp.layers.machinery.layer"
local convolution = require "cusp.layers.convolution.convolution"
local errors = require "cusp.base.errors"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"
local shapes = require "cusp.base.shape"

local ConvLSTMCell = Layer:extend("ConvLSTMCell", {call_arguments = {"states", "training"}})

local function rate(name) return {name, "number", min = 0, max = 1, default = 0.0} end

--- Rows in Keras's order for so many spatial axes; `activity`: whether an activity regularizer is
-- among them, as in the layers.
function ConvLSTMCell.rows(rank, activity)
  return options.join(
    {{"filters", "integer", min = 1}, convolution.window("kernel_size", rank),
      convolution.window("strides", rank, 1),
      {"padding", "choice", choices = {"valid", "same"}, default = "valid"}, options.data_format(),
      convolution.window("dilation_rate", rank, 1), options.activation("activation", "tanh"),
      options.activation("recurrent_activation", "sigmoid"), options.flag("use_bias", true),
      options.initializer("kernel", "glorot_uniform"),
      options.initializer("recurrent", "orthogonal"),
      options.initializer("bias", "zeros"), options.flag("unit_forget_bias", true),
      options.regularizer "kernel",
      options.regularizer "recurrent", options.regularizer "bias"},
    activity and {options.regularizer "activity"} or {},
    {options.constraint "kernel", options.constraint "recurrent", options.constraint "bias",
      rate "dropout", rate "recurrent_dropout",
      options.seed()})
end

--- The cell of a layer: it has the layer's arguments.
-- @tparam integer rank the number of spatial axes
-- @tparam Layer layer whose fields hold the arguments
function ConvLSTMCell.of(rank, layer)
  local args = {name = "conv_lstm_cell", dtype = layer.dtype_policy, layer = layer, rank = rank}
  return ConvLSTMCell(args)
end

function ConvLSTMCell:init(args)
  local layer = args.layer
  self.rank = args.rank
  for _, row in ipairs(ConvLSTMCell.rows(self.rank)) do self[row[1]] = rawget(layer, row[1]) end
  Layer.init(self, args)
  convolution.check_strides(layer)
end

---------------------------------------------------------------- shapes and states

--- The shape of a state for one step's inputs.
function ConvLSTMCell:state_shape(input_shape)
  return convolution.output_shape(self, input_shape, self.filters,
    convolution.forward_size(self, input_shape))
end

function ConvLSTMCell.__getters.state_size(self) return {self.filters, self.filters} end

--- Zeros for a batch.
function ConvLSTMCell:get_initial_state(batch)
  local shape = shapes.copy(self.__own.state_shape)
  shape[1] = batch
  local zeros = ops.zeros(shape, self.compute_dtype)
  return {zeros, zeros}
end

---------------------------------------------------------------- weights

local function build_bias(self)
  local filters, initializer = self.filters, self.bias_initializer
  self.bias = self:add_weight{
    name = "bias", shape = {4 * filters}, regularizer = self.bias_regularizer,
    constraint = self.bias_constraint,
    initializer = not self.unit_forget_bias and initializer or function(_, kwargs)
      return ops.concatenate{initializer({filters}, kwargs), ops.ones({filters}, kwargs.dtype),
        initializer({2 * filters}, kwargs)}
    end,
  }
end

--- Makes the weights for one step's inputs.
-- @raise if the size of a spatial axis is not known: the states need it
function ConvLSTMCell:build(shape)
  local channels = convolution.channels(self, shape)
  for axis = 2, #shape do
    if shape[axis] == shapes.None then
      errors.raise(
        "the spatial axes of a convolutional LSTM's inputs should have known sizes, got steps of "
        .. "shape %s", errors.shape(shape))
    end
  end
  self.__own.state_shape = self:state_shape(shape)
  self.kernel = options.weight(self, "kernel",
    convolution.kernel_shape(self, channels, 4 * self.filters))
  self.recurrent_kernel = options.weight(self, "recurrent_kernel",
    convolution.kernel_shape(self, self.filters, 4 * self.filters),
    "recurrent")
  if self.use_bias then build_bias(self) end
  self.built = true
end

---------------------------------------------------------------- dropout

--- A mask for each gate.
local function draw(self, like, dropout)
  self.generator = self.generator or random.SeedGenerator{self.seed}
  local masks, ones = {}, ops.ones_like(like)
  for gate = 1, 4 do masks[gate] = random.dropout(ones, dropout, {seed = self.generator}) end
  return masks
end

--- Draws the masks of one call: every step of a sequence drops the same.
function ConvLSTMCell:prepare_dropout(inputs, states, training)
  if not training then return end
  if self.dropout > 0 then self.__own.input_masks = draw(self, inputs, self.dropout) end
  if self.recurrent_dropout > 0 then
    self.__own.state_masks = draw(self, states[1], self.recurrent_dropout)
  end
end

function ConvLSTMCell:forget_dropout()
  self.__own.input_masks = nil
  self.__own.state_masks = nil
end

---------------------------------------------------------------- calls

local function channel_axis(self) return options.channels_first(self) and 2 or self.rank + 2 end

--- The four gates' convolutions: at once, or, where each gate has its own mask, one by one.
local function convolve(self, x, kernel, masks, how)
  how.data_format = self.data_format
  if not masks then return ops.split(ops.conv(x, kernel, how), 4, channel_axis(self)) end
  local gates = ops.split(kernel, 4, -1)
  for gate, part in ipairs(gates) do
    gates[gate] = ops.conv(ops.multiply(x, masks[gate]), part, how)
  end
  return gates
end

--- The bias of each gate, in a shape that goes with the states.
local function biases(self)
  local shape = {}
  for axis = 1, self.rank + 2 do shape[axis] = axis == channel_axis(self) and self.filters or 1 end
  local parts = ops.split(self.bias, 4, 1)
  for gate, part in ipairs(parts) do parts[gate] = ops.reshape(part, shape) end
  return parts
end

--- What the gates get from the inputs of a step: a list of four.
function ConvLSTMCell:input_gates(inputs)
  local gates = convolve(self, inputs, self.kernel, self.__own.input_masks, {
    strides = self.strides, padding = self.padding, dilation_rate = self.dilation_rate,
  })
  if not self.use_bias then return gates end
  for gate, bias in ipairs(biases(self)) do gates[gate] = ops.add(gates[gate], bias) end
  return gates
end

function ConvLSTMCell:call(inputs, states)
  local c = states[2]
  local x = self:input_gates(inputs)
  local h = convolve(self, states[1], self.recurrent_kernel, self.__own.state_masks,
    {strides = 1, padding = "same"})
  local input = self.recurrent_activation(ops.add(x[1], h[1]))
  local forget = self.recurrent_activation(ops.add(x[2], h[2]))
  c = ops.add(ops.multiply(forget, c), ops.multiply(input, self.activation(ops.add(x[3], h[3]))))
  local output = self.recurrent_activation(ops.add(x[4], h[4]))
  h = ops.multiply(output, self.activation(c))
  return {h, {h, c}}
end

return ConvLSTMCell
