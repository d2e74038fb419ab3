-- Numbers and replacement fields in Python's formats.
local python = require "cusp.callbacks.python_format"

describe("python_format", function()
  it("writes numbers as repr does", function()
    local wanted = {
      [0.1] = "0.1", [1e-05] = "1e-05", [0.0001] = "0.0001", [3] = "3", [2.0] = "2.0",
      [1e15] = "1000000000000000.0", [1e16] = "1e+16",
      [100000.0] = "100000.0", [123456.0] = "123456.0",
      [0.08900000154972076] = "0.08900000154972076", [-2.5] = "-2.5",
      [1234567890123456.0] = "1234567890123456.0", [1.5e300] = "1.5e+300", [math.huge] = "inf",
      [-math.huge] = "-inf",
    }
    for number, text in pairs(wanted) do assert.are.equal(text,
      python.repr(math.type(number) == "integer" and text ~= "3" and number + 0.0
      or number)) end
    assert.are.equal("nan", python.repr(0 / 0))
  end)

  it("formats as format does", function()
    local cases = {
      {3, "02d", "03"}, {3, "d", "3"}, {3, "", "3"}, {-3, "04d", "-003"}, {3, "+d", "+3"},
      {3, ".2f", "3.00"},
      {1.14284, ".2f", "1.14"}, {1.14284, ".3e", "1.143e+00"}, {1.14284, "g", "1.14284"},
      {1.14284, "", "1.14284"},
      {0.5, ".1%", "50.0%"}, {0.5, "8.2f", "    0.50"}, {0.5, "<8.2f", "0.50    "},
      {0.5, "*^8.2f", "**0.50**"},
      {1234567, ",d", "1,234,567"}, {"abc", "5s", "abc  "}, {"abc", ">5", "  abc"},
      {"abc", ".2", "ab"}, {0 / 0, ".2f", "nan"},
      {1.5, "d", nil}, {"abc", "d", nil}, {1, "q", nil}, {1, ".", nil}, {255, "x", "ff"},
    }
    for _, case in ipairs(cases) do
      assert.are.equal(case[3], python.format(case[1], case[2]), case[2])
    end
  end)

  it("fills templates, and says what is wrong with one", function()
    local values = {epoch = 4, val_loss = 1.139, accuracy = 0.5}
    local function fill(template) return python.fill("filepath", template, values) end
    assert.are.equal("best-04-1.14.h5", fill "best-{epoch:02d}-{val_loss:.2f}.h5")
    assert.are.equal("{4}", fill "{{{epoch}}}")
    local function refused(template, ...)
      local ok, message = pcall(fill, template)
      assert.is_false(ok)
      for _, part in ipairs{...} do assert(message:find(part, 1, true), message) end
    end
    refused("{val_los:.2f}", "`val_los`", "did you mean 'val_loss'", "accuracy, epoch, val_loss")
    refused("{epoch:02q}", "'02q' does not fit epoch")
    refused("{epoch", "a single '{' at 1")
    refused("{}", "``")
  end)
end)
