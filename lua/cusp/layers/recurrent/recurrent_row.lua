--- Recurrences that the engine runs over a whole sequence as one operation: `lstm` and `gru`, with
-- their usual activations.
-- @module cusp.layers.recurrent.recurrent_row
local activations = require "cusp.activations"
local engine = require "cusp.engine"
local ops = require "cusp.ops"

local row = {}

--- Whether a layer's settings are those of the operation; others run step by step.
function row.fits(layer)
  return layer.activation == activations.tanh and layer.recurrent_activation == activations.sigmoid
    and layer.recurrent_dropout == 0
    and not layer.unroll
end

--- Runs the operation, in place of `Recurrent:loop`.
-- @tparam cusp.layers.Recurrent layer whose `cell` has `kernel`, `recurrent_kernel` and perhaps
-- `bias`
-- @tparam string name of the operation
-- @treturn tensor the last output `[batch, units]`
-- @treturn tensor all outputs `[batch, time, units]`, in the order in which they were computed
-- @treturn table the last states
function row.run(layer, name, inputs, states, mask)
  local cell = layer.cell
  local dropped = cell.__own.input_mask
  if dropped then inputs = ops.multiply(inputs, ops.expand_dims(dropped, 2)) end
  local arguments = {inputs, table.unpack(states)}
  arguments[#arguments + 1] = cell.kernel
  arguments[#arguments + 1] = cell.recurrent_kernel
  arguments.bias, arguments.mask, arguments.go_backwards = cell.bias, mask, layer.go_backwards
  local results = {engine.ops[name](arguments)}
  local sequence, last = results[1], results[2]
  if mask and layer.zero_output_for_mask then
    if layer.go_backwards then mask = ops.flip(mask, 2) end
    sequence = ops.where(ops.expand_dims(ops.cast(mask, "bool"), -1), sequence, 0)
    last = ops.take(sequence, sequence.shape[2] - 1, 2)
  end
  return last, sequence, {table.unpack(results, 2)}
end

return row
