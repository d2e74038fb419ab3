-- Every layer, operation, regularizer and constraint against what Keras computed.
local cases = require "spec.support.cases"
local golden = require "spec.support.golden"

local files = {}
local pipe = assert(io.popen "find spec/fixtures/golden -name '*.json.gz' | sort")
for path in pipe:lines() do files[#files + 1] = path:match "^spec/fixtures/(.*)$" end
pipe:close()

for _, path in ipairs(files) do
  describe("golden " .. path:match "golden/(.*)%.json%.gz" .. ":", function()
    local document = cases.read(path)
    for _, case in ipairs(document.cases) do
      it(case.name, function() golden.run(case, document.kind) end)
    end
  end)
end
