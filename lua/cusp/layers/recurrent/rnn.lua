--- Runs a cell over the steps of a sequence.
-- A cell is a layer with a `state_size` (a number, or a list of numbers) and a `call(self, inputs,
-- states, args)` that returns `{output, new_states}`.
-- @classmod cusp.layers.RNN
-- @param cell a cell, or a list of cells to be stacked
-- @tparam[opt=false] boolean return_sequences
-- @tparam[opt=false] boolean return_state
-- @tparam[opt=false] boolean go_backwards
-- @tparam[opt=false] boolean stateful
-- @tparam[opt=false] boolean unroll
-- @tparam[opt=false] boolean zero_output_for_mask
local Recurrent = require "cusp.layers.recurrent.recurrent"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local options = require "cusp.layers.machinery.options"
local registry = require "cusp.base.registry"

local function is_cell(value)
  return type(value) == "table" and not kinds.is_plain(value) and value.state_size ~= nil
    and value.call ~= nil
end

kinds.define("cell", {
  check = function(value)
    if kinds.is_plain(value) and value.class_name then
      value = registry.deserialize(value, {module = "keras.layers"})
    end
    if kinds.is_plain(value) then
      value = require("cusp.layers.recurrent.stacked_rnn_cells"){cells = value}
    end
    return is_cell(value), value
  end,
  expects = "a cell (a layer with a state_size) or a list of cells",
  to_config = function(value) return registry.serialize(value) end,
})

local RNN = Recurrent:extend("RNN", {
  first_is_list = function(given) return is_cell(given[1]) and is_cell(given[2]) end,
  config = options.join({{"cell", "cell"}}, Recurrent.flags,
    {{"zero_output_for_mask", "boolean", default = false}}),
})

function RNN:init(args)
  self:configure(args, RNN)
  Recurrent.init(self, args)
  if self.cell == nil then errors.raise "RNN: argument 'cell' is missing" end
end

return RNN
