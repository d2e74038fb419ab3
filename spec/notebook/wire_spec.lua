local wire = require "cusp.notebook.wire"
local has_zmq, zmq = pcall(require, "cusp.native.zmq")
local test = has_zmq and it or pending

describe("signatures", function()
  -- RFC 4231, test cases 1, 2 and 6.
  test("are HMAC-SHA256", function()
    assert.equal("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      zmq.sign(("\x0b"):rep(20), {"Hi There"}))
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      zmq.sign("Jefe", {"what do ya ", "want ", "", "for nothing?"}))
    assert.equal("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      zmq.sign(("\xaa"):rep(131), {"Test Using Larger Than Block-Size Key - Hash Key First"}))
  end)

  test("are empty without a key", function() assert.equal("", zmq.sign("", {"text"})) end)
end)

describe("messages", function()
  local function sign(key, parts) return key .. table.concat(parts, "|") end

  it("are read as they were written", function()
    local session = wire.session(sign, "k")
    local request = {header_text = '{"msg_id":"1"}'}
    local parts = session.write("status", {execution_state = "busy"}, request, {"a", "b"})
    local message = wire.read(parts, sign, "k")
    assert.same({"a", "b"}, message.identities)
    assert.equal("status", message.header.msg_type)
    assert.matches("^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d+Z$", message.header.date)
    assert.equal("busy", message.content.execution_state)
    assert.equal('{"msg_id":"1"}', parts[6])
  end)

  it("are refused where the signature, a part or the JSON is wrong", function()
    local session = wire.session(sign, "k")
    local parts = session.write("status", {}, nil, {})
    assert.is_nil(wire.read(parts, sign, "other"))
    assert.is_nil(wire.read({table.unpack(parts, 1, 5)}, sign, "k"))
    parts[6] = "{"
    parts[2] = sign("k", {table.unpack(parts, 3, 6)})
    assert.is_nil(wire.read(parts, sign, "k"))
    assert.is_nil(wire.read({}, sign, "k"))
  end)

  it("have names of their own", function()
    assert.not_equal(wire.new_id(), wire.new_id())
    assert.equal(32, #wire.new_id())
  end)
end)
