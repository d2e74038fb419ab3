-- The progress line, as the tutorial shows it.
local progress = require "cusp.base.progress"

local function bar(options)
  local text = {}
  options.write = function(piece) text[#text + 1] = piece end
  return progress.new(options), function() return table.concat(text) end
end

describe("progress", function()
  it("draws a line in place on a terminal", function()
    local line, text = bar{target = 1000, verbose = 1, dynamic = true, columns = 120}
    line:update(320, {"loss", "accuracy"}, {loss = 2.30121, accuracy = 0.11})
    assert.is_truthy(
      text():find(
        "\r 320/1000 [========>.....................] - ETA: 0s - loss: 2.3012 - accuracy: 0.1100",
        1, true),
      text())
  end)

  it("shortens the bar where the terminal is narrow", function()
    local line, text = bar{target = 1000, verbose = 1, dynamic = true, columns = 80}
    line:update(320, {"loss", "accuracy"}, {loss = 2.30121, accuracy = 0.11})
    assert.are.equal(80, #text()) -- the carriage return and 79 columns
    assert.is_truthy(text():find("accuracy: 0.1100", 1, true), text())
  end)

  it("draws at most 20 times a second, and asks for values only then", function()
    local line = bar{target = 1000, verbose = 1, dynamic = true}
    local asked = 0
    for step = 1, 500 do
      line:update(step, {"loss"}, function()
        asked = asked + 1
        return {loss = 1}
      end)
    end
    assert.are.equal(1, asked)
  end)

  it("steps aside for what the program prints, and goes on below it", function()
    local out, print_before, write_before = {}, print, io.write
    local function note(...) out[#out + 1] = table.concat({...}, " ") end
    local line = progress.new{target = 10, dynamic = true, columns = 60, write = note}
    _G.print = function(...) note(..., "\n") end
    rawset(io, "write", note)
    local ok, message = pcall(function()
      local own_print, own_write = print, io.write
      line:update(3, {}, {})
      local width = #out[1] - 1
      print "hello"
      assert.are.same({"\r" .. (" "):rep(width) .. "\r", "hello \n"}, {out[2], out[3]})
      assert.are.equal(own_print, print)
      line:update(4, {}, {}) -- at once, whenever it was drawn last
      assert.is_truthy(out[4]:find("^\r 4/10 "))
      io.write "more\n"
      assert.are.equal("more\n", out[6])
      line:update(5, {}, {})
      line:finish({}, {})
      assert.are.same({own_print, own_write}, {print, io.write})
      line:update(6, {}, {})
      line:abandon()
      assert.are.same({own_print, own_write}, {print, io.write})
    end)
    _G.print = print_before
    rawset(io, "write", write_before)
    assert.is_true(ok, message)
  end)

  it("writes one line where there is no terminal", function()
    local line, text = bar{target = 10, verbose = 1, dynamic = false}
    for step = 1, 10 do line:update(step, {"loss"}, {loss = 1}) end
    line:finish({"loss"}, {loss = 0.0001})
    assert.is_truthy(
      text():find(
        "^10/10 %[==============================%] %- 0s %d+us/step %- loss: 1%.0000e%-04\n$"),
        text())
  end)

  it("writes Keras's line for verbose 2", function()
    local line, text = bar{target = 10, verbose = 2, dynamic = true}
    line:update(10, {}, {})
    line:finish({"loss"}, {loss = 0 / 0})
    assert.is_truthy(text():find("^10/10 %- 0s %- %d+us/step %- loss: nan\n$"), text())
  end)

  it("shows the time and the rate where the number of steps is not known", function()
    local line, text = bar{verbose = 1, dynamic = true, columns = 100}
    line:update(7, {"loss"}, {loss = 1})
    assert.is_truthy(text():find "^\r7/Unknown %- %d+%a*s? %d+%a?s/step %- loss: 1%.0000", text())
    line:finish({"loss"}, {loss = 1})
    assert.is_truthy(text():find "\r7/7 %[=+%] %- 0s %d+%a?s/step %- loss: 1%.0000%s*\n$", text())
  end)

  it("counts rates from where an earlier run ended", function()
    local line, text = bar{target = 10, verbose = 2, dynamic = false}
    line.before, line.started = 8, line.started - 4
    line:update(10, {}, {})
    line:finish({}, {})
    assert.is_truthy(text():find "^10/10 %- 4s %- 2s/step", text())
  end)

  it("gives times in fitting units", function()
    assert.are.equal("2s", progress.format_time(2))
    assert.are.equal("13ms", progress.format_time(0.013))
    assert.are.equal("31us", progress.format_time(31e-6))
  end)
end)
