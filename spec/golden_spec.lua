-- Compares every layer, operation, regularizer and constraint with Keras's results.
local cases = require "spec.support.cases"
local gaps = require "spec.support.golden_gaps"
local golden = require "spec.support.golden"

local files = {}
local pipe = assert(io.popen "find spec/fixtures/golden -name '*.json.gz' | sort")
for path in pipe:lines() do files[#files + 1] = path:match "^spec/fixtures/(.*)$" end
pipe:close()

for _, path in ipairs(files) do
  describe("golden " .. path:match "golden/(.*)%.json%.gz" .. ":", function()
    local document = cases.read(path)
    for _, case in ipairs(document.cases) do
      local gap = gaps[case.name]
      if gap then
        pending(("%s: %s"):format(case.name, gap))
      else
        it(case.name, function() golden.run(case, document.kind) end)
      end
    end
  end)
end
