local engine = require "cusp.engine"
local message = require "spec.support.message"

describe("cusp.engine", function()
  it("sets threads and floatx within limits", function()
    local before = engine.get_num_threads()
    engine.set_num_threads(1)
    assert.equal(1, engine.get_num_threads())
    engine.set_num_threads(before)
    assert.matches("expected an integer from 1 to 1024, got 0", message(engine.set_num_threads, 0),
      1, true)
    assert.matches("got nil", message(engine.set_num_threads), 1, true)
    assert.equal("float32", engine.get_floatx())
    engine.set_floatx("float64")
    assert.equal("float64", engine.tensor(1.5).dtype)
    engine.set_floatx("float32")
    assert.matches("expected a float dtype, got int32", message(engine.set_floatx, "int32"), 1,
      true)
  end)

  it("promotes as Keras does", function()
    assert.equal("float16", engine.promote("int32", "float16"))
    assert.equal("int16", engine.promote("uint8", "int8"))
    assert.equal("float32", engine.promote("bfloat16", "float16"))
  end)

  it("evaluates several tensors at once", function()
    local a = engine.tensor({1.0}) + 1
    local b = a * 2
    assert.is_false(engine.is_evaluated(a))
    engine.evaluate{a, b}
    assert.is_true(engine.is_evaluated(a))
    assert.is_true(engine.is_evaluated(b))
    assert.matches("evaluate: expected a tensor, got 1", message(engine.evaluate, {1}), 1, true)
  end)

  it("raises at the user's line from inside Cusp's own files", function()
    local cusp = require "cusp"
    local line = debug.getinfo(1, "l").currentline + 1
    local text = message(function() cusp.tensor({{1}, {2, 3}}) end)
    assert.matches("engine_spec.lua:" .. line .. ": tensor: ragged data", text, 1, true)
    assert.matches("engine_spec.lua:%d+: note", message(function() engine.raise "note" end))
    assert.matches("^[^:]*engine_spec.lua:%d+: $", engine.where())
  end)

  it("names the line that made a tensor in an error at run time", function()
    local x = engine.tensor(1.0, {shape = {1000, 1000}}) + 1
    engine.fail_after(0)
    local text = message(function() return x:item(1, 1) end)
    engine.fail_after(-1)
    assert.matches("memory", text)
  end)

  it("tells of the machine", function()
    assert.is_string(engine.cpu().name)
    assert.is_string(engine.cpu().isa)
    assert.is_true(engine.terminal_width() > 0)
    assert.is_boolean(engine.is_terminal(1))
    local before = engine.monotonic()
    assert.is_true(engine.monotonic() >= before)
    assert.equal("integer", math.type(engine.stats().plans_made))
  end)

  it("forgets an interrupt that was taken", function()
    engine.interrupt()
    assert.is_true(engine.interrupted())
    assert.is_true(engine.take_interrupt())
    assert.is_false(engine.take_interrupt())
    engine.interrupt()
    assert.equal("interrupted!", message(engine.ops.add, 1, 2))
    assert.is_false(engine.interrupted())
  end)

  it("draws digits and reads IDX files", function()
    local images, labels = engine.draw_digits(5, 1)
    assert.same({5, 28, 28}, images.shape)
    assert.equal("uint8", labels.dtype)
    assert.matches("nowhere.idx", message(engine.read_idx, "nowhere.idx"), 1, true)
  end)
end)
