-- A fixed number of damaged files of every format; scripts/fuzz/files.lua runs longer.
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
