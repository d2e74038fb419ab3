-- Damaged files of every format, a fixed portion: scripts/fuzz/files.lua goes on for as long as it
-- is told.
package.path = "scripts/fuzz/?.lua;" .. package.path
local files = require "files"

describe("damaged files", function()
  it("are read or refused in words", function()
    local failures = {}
    local counts = files.fuzz{seconds = 4, seed = 7, report = function(_, what)
      failures[#failures + 1] = what
    end}
    assert.equal("", table.concat(failures, "\n\n"))
    assert.is_true(counts.tried > 20)
  end)
end)
