--- What the cells of SimpleRNN, LSTM and GRU share: their declared arguments, their weights and
-- dropout.
-- @classmod cusp.layers.RecurrentCell
local Layer = require "cusp.layers.machinery.layer"
local errors = require "cusp.base.errors"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"

local RecurrentCell = Layer:extend("RecurrentCell",
  {call_arguments = {"states", "training"}, gates = 1})

local rate = {min = 0, max = 1}
local function rate_row(name)
  return {name, "number", min = rate.min, max = rate.max, default = 0.0}
end

--- Rows in Keras's order. `own`: those between the activation and `use_bias`; `after_bias`: those
-- after the initializers; `activity`: whether an activity regularizer comes with the regularizers,
-- as in the layers but not in the cells.
function RecurrentCell.rows(own, after_bias, activity)
  return options.join(
    {{"units", "integer", min = 1}, options.activation("activation", "tanh")}, own,
    {options.flag("use_bias", true), options.initializer("kernel", "glorot_uniform"),
      options.initializer("recurrent", "orthogonal"),
      options.initializer("bias", "zeros")},
    after_bias,
    {options.regularizer "kernel", options.regularizer "recurrent", options.regularizer "bias"},
    activity and {options.regularizer "activity"} or {},
    {options.constraint "kernel", options.constraint "recurrent", options.constraint "bias",
      rate_row "dropout",
      rate_row "recurrent_dropout"})
end

--- The keyword of Keras 2 that chose between equal ways of computing.
RecurrentCell.implementation = {"implementation", "integer", optional = true, transient = true,
  keyword_only = true}

--- The arguments of a layer's fields that its cell takes, to make it.
function RecurrentCell.arguments_from(class, layer)
  local args = {name = class.cell_name, dtype = layer.dtype_policy}
  for _, row in ipairs(class.config) do
    if not row.transient then args[row[1]] = rawget(layer, row[1]) end
  end
  return args
end

--- Makes kernel, recurrent kernel and bias for so many gates.
function RecurrentCell:build(shape)
  local features, units, gates = shape[#shape], self.units, self.gates
  self.kernel = options.weight(self, "kernel", {features, units * gates})
  self.recurrent_kernel = options.weight(self, "recurrent_kernel", {units, units * gates},
    "recurrent")
  if self.use_bias then self:build_bias() end
end

function RecurrentCell:build_bias()
  self.bias = options.weight(self, "bias", {self.units * self.gates})
end

function RecurrentCell.__getters.state_size(self) return self.units end
function RecurrentCell.__getters.output_size(self) return self.units end

function RecurrentCell:get_initial_state(batch)
  return {ops.zeros({batch, self.units}, self.compute_dtype)}
end

---------------------------------------------------------------- dropout

local function draw(self, like, dropout)
  self.generator = self.generator or random.SeedGenerator{self.seed}
  return random.dropout(ops.ones_like(like), dropout, {seed = self.generator})
end

RecurrentCell.__checks = setmetatable({
  call = function(cell, _, states, args)
    if args == nil or type(states) ~= "userdata" and type(states) ~= "table" then
      errors.raise(
        "expected the states after the inputs, as in cell(inputs, states); see `get_initial_state`")
    end
  end,
}, {__index = RecurrentCell.__checks})

--- Draws the masks of one call: every step of a sequence drops the same.
function RecurrentCell:prepare_dropout(inputs, states, training)
  if not training then return end
  if self.dropout > 0 then self.__own.input_mask = draw(self, inputs, self.dropout) end
  if self.recurrent_dropout > 0 then
    self.__own.state_mask = draw(self, states[1], self.recurrent_dropout)
  end
end

function RecurrentCell:forget_dropout()
  self.__own.input_mask = nil
  self.__own.state_mask = nil
end

--- A step's inputs and first state with what is dropped.
function RecurrentCell:dropped(inputs, state, args)
  if not args.training or self.dropout == 0 and self.recurrent_dropout == 0 then
    return inputs, state
  end
  local alone = not self.__own.input_mask and not self.__own.state_mask
  if alone then self:prepare_dropout(inputs, {state}, true) end
  local input_mask, state_mask = self.__own.input_mask, self.__own.state_mask
  if alone then self:forget_dropout() end
  return input_mask and ops.multiply(inputs, input_mask) or inputs,
    state_mask and ops.multiply(state, state_mask) or state
end

return RecurrentCell
