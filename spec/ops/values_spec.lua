-- Operations without a golden case, compared with values computed by hand.
local cases = require "spec.support.cases"
local ops = require("cusp").ops

describe("values of operations:", function()
  for _, row in ipairs(require "spec.support.op_values") do
    local name, arguments, expected, shape = table.unpack(row)
    it(name, function()
      local got = ops[name](table.unpack(arguments))
      cases.compare(got, {data = expected}, {}, name)
      if shape then assert.same(shape, {table.unpack(got.shape)}) end
    end)
  end
end)
