--- Sequences of different lengths as one tensor.
-- @module cusp.utils.sequences
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local sequences = {}

local side = {"pre", "post"}
local bind = arguments.binder("pad_sequences", {
  {"sequences", "list"},
  {"maxlen", "integer", optional = true, min = 0},
  {"dtype", "dtype", default = "int32"},
  {"padding", "choice", choices = side, default = "pre"},
  {"truncating", "choice", choices = side, default = "pre"},
  {"value", "number", default = 0},
}, "nested")

local function longest(list)
  local length = 0
  for i, sequence in ipairs(list) do
    if type(sequence) ~= "table" then
      errors.raise("pad_sequences: sequence %d should be a list of numbers, got %s", i,
        errors.describe(sequence))
    end
    length = math.max(length, #sequence)
  end
  return length
end

--- Cuts and pads lists of numbers to one length.
-- @tparam {{number,...},...} sequences
-- @tparam[opt] integer maxlen by default that of the longest
-- @tparam[opt="int32"] string dtype
-- @tparam[opt="pre"] string padding "pre" or "post": where to pad
-- @tparam[opt="pre"] string truncating "pre" or "post": where to cut
-- @tparam[opt=0] number value to fill with
-- @treturn tensor `[sequences, maxlen]`
function sequences.pad_sequences(...)
  local list, maxlen, dtype, padding, truncating, value = bind(...)
  maxlen = maxlen or longest(list)
  errors.check_items("pad_sequences", "maxlen", maxlen)
  longest(list)
  local flat = {}
  for row, sequence in ipairs(list) do
    local kept = math.min(#sequence, maxlen)
    local skipped = truncating == "pre" and #sequence - kept or 0
    local before = padding == "pre" and maxlen - kept or 0
    for column = 1, maxlen do
      local at = column - before
      flat[(row - 1) * maxlen + column] = at >= 1 and at <= kept and sequence[skipped + at] or value
    end
  end
  return engine.tensor(flat, {dtype = dtype, shape = {#list, maxlen}})
end

return sequences
