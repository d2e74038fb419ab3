-- Two and three processes compute what one does with the whole batch.
local launch = require "spec.support.launch"
local numbers = require "spec.support.numbers"

local programs = {["cases of their own"] = {"spec/support/distributed_cases.lua", 45},
  ["Keras's trainings"] = {"spec/support/distributed_golden.lua", 36}}

for name, given in pairs(programs) do
  local program, least = table.unpack(given)
  describe("several processes, in " .. name .. ",", function()
    local alone

    setup(function()
      if launch.is_possible() then alone = numbers.read((launch.run(nil, program))) end
    end)

    for _, count in ipairs{2, 3} do
      it(("of %d compute what one does"):format(count), function()
        if not launch.is_possible() then return pending "mpirun is not here" end
        local text, ok = launch.run(count, program)
        assert.is_true(ok, text:sub(-1500))
        assert.is_true(numbers.count(alone) > least, tostring(numbers.count(alone)))
        assert.same({}, numbers.differing(alone, numbers.read(text)))
      end)
    end
  end)
end
