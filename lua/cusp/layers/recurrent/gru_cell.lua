--- One step of a gated recurrent unit (Cho et al., "Learning phrase representations using RNN
-- encoder-decoder", 2014). Inputs `[batch, features]` and states `{h}`; returns `{h, {h}}`. The
-- kernels hold the update, reset and candidate gates side by side; with `reset_after` (as cuDNN
-- computes it) the bias is `[2, 3 * units]`, for inputs and state.
-- @classmod cusp.layers.GRUCell
-- @tparam integer units
-- @param[opt="tanh"] activation
-- @param[opt="sigmoid"] recurrent_activation
-- @tparam[opt=true] boolean use_bias
-- @tparam[opt=true] boolean reset_after apply the reset gate after the recurrent product
local RecurrentCell = require "cusp.layers.recurrent.recurrent_cell"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"

local GRUCell = RecurrentCell:extend("GRUCell", {
  gates = 3,
  cell_name = "gru_cell",
  config = options.join(
    RecurrentCell.rows({options.activation("recurrent_activation", "sigmoid")}, {}),
    {options.flag("reset_after", true), options.seed(), RecurrentCell.implementation}),
})

function GRUCell:build_bias()
  local width = 3 * self.units
  self.bias = options.weight(self, "bias", self.reset_after and {2, width} or {width})
end

local function biases(self)
  if not self.use_bias then return nil, nil end
  if not self.reset_after then return self.bias, nil end
  return ops.take(self.bias, 0, 1), ops.take(self.bias, 1, 1)
end

local function plus(x, bias) return bias and ops.add(x, bias) or x end

--- The candidate state.
local function candidate(self, x, inner, h, reset, state_kernel)
  if self.reset_after then return self.activation(ops.add(x, ops.multiply(reset, inner))) end
  return self.activation(ops.add(x, ops.matmul(ops.multiply(reset, h), state_kernel)))
end

function GRUCell:call(inputs, states, args)
  local before = states[1]
  local x, h = self:dropped(inputs, before, args)
  local input_bias, state_bias = biases(self)
  local from_inputs = ops.split(plus(ops.matmul(x, self.kernel), input_bias), 3, 2)
  local from_state, candidate_kernel
  if self.reset_after then
    from_state = ops.split(plus(ops.matmul(h, self.recurrent_kernel), state_bias), 3, 2)
  else
    local kernels = ops.split(self.recurrent_kernel, 3, 2)
    from_state = {ops.matmul(h, kernels[1]), ops.matmul(h, kernels[2])}
    candidate_kernel = kernels[3]
  end
  local update = self.recurrent_activation(ops.add(from_inputs[1], from_state[1]))
  local reset = self.recurrent_activation(ops.add(from_inputs[2], from_state[2]))
  local new = candidate(self, from_inputs[3], from_state[3], h, reset, candidate_kernel)
  local result = ops.add(ops.multiply(update, before), ops.multiply(ops.subtract(1, update), new))
  return {result, {result}}
end

return GRUCell
