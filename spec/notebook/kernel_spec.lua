-- A frontend talks to the kernel over sockets.
local Frontend = require "spec.support.frontend"
local test = Frontend.possible and it or pending

local frontend

local function kinds(list)
  local names = {}
  for i, message in ipairs(list) do names[i] = message.kind end
  return table.concat(names, " ")
end

-- The text of a stream among messages.
local function stream(list, name)
  local parts = {}
  for _, message in ipairs(list) do
    if message.kind == "stream" and message.content.name == name then
      parts[#parts + 1] = message.content.text
    end
  end
  return table.concat(parts)
end

local function first(list, kind)
  for _, message in ipairs(list) do
    if message.kind == kind then return message.content end
  end
end

describe("the notebook's kernel", function()
  setup(function()
    if Frontend.possible then frontend = Frontend.open():wait() end
  end)

  teardown(function()
    if not frontend then return end
    frontend:close()
    assert.is_true(frontend.ended)
  end)

  test("says what it is", function()
    local info = frontend:ask("kernel_info_request", {})
    frontend:published()
    assert.equal("5.3", info.protocol_version)
    assert.equal("lua", info.language_info.name)
  end)

  test("answers the heartbeat while it computes", function()
    frontend:send("execute_request", {code = "local t = cusp.time()\n"
      .. "while cusp.time() - t < 0.5 do end"})
    frontend.hb:send{"ping"}
    assert.is_true(require("cusp.native.zmq").poll({frontend.hb}, 300000)[1])
    assert.same({"ping"}, frontend.hb:receive())
    frontend:receive(frontend.shell)
    frontend:published()
  end)

  test("publishes the input, what is printed, and the value, in this order", function()
    local reply, list = frontend:run "print 'one' io.stderr:write 'two' io.write 'three'\n_x = 1"
    assert.equal("ok", reply.status)
    assert.equal("one\nthree", stream(list, "stdout"))
    assert.equal("two", stream(list, "stderr"))
    local after, values = frontend:run "_x + 41"
    assert.equal(reply.execution_count + 1, after.execution_count)
    assert.equal("execute_input execute_result", kinds(values))
    assert.equal("42", values[2].content.data["text/plain"])
    assert.equal(after.execution_count, values[2].content.execution_count)
  end)

  test("publishes what child processes write", function()
    local _, list = frontend:run "os.execute 'echo child'"
    assert.equal("child\n", stream(list, "stdout"))
  end)

  test("passes any bytes on as Unicode", function()
    local _, list = frontend:run [[io.write("\xff\"\\\27é\xe2\x82")]]
    assert.equal("\u{fffd}\"\\\27é\u{fffd}\u{fffd}", stream(list, "stdout"))
  end)

  test("passes much text on whole", function()
    local _, list = frontend:run "for i = 1, 20000 do print(i, ('€'):rep(10)) end"
    local text = stream(list, "stdout")
    assert.equal(20000, select(2, text:gsub("\n", "")))
    assert.is_nil(text:find("\u{fffd}", 1, true))
  end)

  test("shows tensors and models as tables, and pictures as such", function()
    local _, list = frontend:run "cusp.tensor{{1, 2}, {3, 4}}"
    assert.matches("<td>3</td><td>4</td>", list[2].content.data["text/html"], 1, true)
    _, list = frontend:run "m = cusp.Sequential{cusp.Input{shape = {2}}, layers.Dense(3)}\nm"
    assert.matches("<td>(None, 3)</td><td>9</td>", list[2].content.data["text/html"], 1, true)
    _, list = frontend:run "ops.cast(cusp.zeros{8, 8, 3}, 'uint8')"
    assert.matches("^iVBORw0KGgo", list[2].content.data["image/png"])
  end)

  test("shows the value of an expression behind statements", function()
    local function shown(code)
      local _, list = frontend:run(code)
      local result = first(list, "execute_result")
      return result and result.data["text/plain"]
    end
    assert.equal("3", shown "local p = 1\nlocal q = 2\np + q")
    assert.equal("2", shown "q")
    assert.equal("7", shown "p = 7; p")
    assert.equal("7", shown "local function seven() return p end\nseven()")
    assert.equal("false", shown "p = 7\nnot p")
    assert.is_nil(shown "p = 8\np;")
    assert.is_nil(shown "for _ = 1, 2 do\n  seven()\nend")
    -- a bracket goes on with the line before
    assert.is_nil(shown "r = math.abs\n(-3)")
    assert.equal("3", shown "r")
  end)

  test("shows what a class of the user's says", function()
    local _, list = frontend:run [[
      local meta = {__mimebundle = function() return {["text/html"] = "<i>x</i>"} end}
      cusp.display(setmetatable({}, meta))]]
    assert.equal("<i>x</i>", first(list, "display_data").data["text/html"])
  end)

  test("draws progress as one output that is replaced", function()
    local _, list = frontend:run [[
      m:compile{optimizer = "sgd", loss = "mse"}
      h = m:fit{cusp.ones{64, 2}, cusp.ones{64, 3}, batch_size = 1, epochs = 1}]]
    local shown, updates = {}, 0
    for _, message in ipairs(list) do
      if message.kind == "display_data" then shown[#shown + 1] = message.content end
      if message.kind == "update_display_data" then
        updates = updates + 1
        assert.equal(shown[#shown].transient.display_id, message.content.transient.display_id)
      end
    end
    assert.equal(1, #shown)
    local last = list[#list].content.data["text/plain"]
    assert.matches("^64/64 %[=+%] ", last)
    _, list = frontend:run "h:plot()"
    assert.matches("<svg", first(list, "display_data").data["image/svg+xml"], 1, true)
  end)

  test("publishes an error with its place, and answers with it", function()
    local reply, list = frontend:run "local function f(t) return t.a.b end\nf{}"
    assert.equal("error", reply.status)
    assert.matches("attempt to index a nil value (field 'a')", reply.evalue, 1, true)
    local problem = first(list, "error")
    assert.same(reply.traceback, problem.traceback)
    assert.matches("in 'f'", table.concat(problem.traceback, "\n"), 1, true)
    reply = frontend:run "x = = 1"
    assert.matches("unexpected symbol near '='", reply.evalue, 1, true)
  end)

  test("does not run what waits behind an error", function()
    for _, code in ipairs{"error 'stop'", "never = 1", "never = 2"} do
      frontend:send("execute_request", {code = code})
    end
    local states = {}
    for i = 1, 3 do
      states[i] = frontend:receive(frontend.shell).content.status
      frontend:published()
    end
    assert.same({"error", "aborted", "aborted"}, states)
    local _, list = frontend:run "rawget(_G, 'never')"
    assert.equal("nil", first(list, "execute_result").data["text/plain"])
  end)

  test("is interrupted by a signal, and goes on", function()
    frontend:send("execute_request",
      {code = "print 'begun' pcall(function() while true do end end)"})
    repeat local message = frontend:receive(frontend.iopub) until message.kind == "stream"
    frontend:interrupt()
    assert.equal("interrupted!", frontend:receive(frontend.shell).content.evalue)
    frontend:published()
    assert.equal("ok", (frontend:run "1 + 1").status)
  end)

  test("is not ended by a signal while it waits", function()
    frontend:interrupt()
    assert.equal("ok", (frontend:run "2 + 2").status)
  end)

  test("asks the frontend for input", function()
    frontend:send("execute_request", {code = "print(io.read(), io.read 'n')", allow_stdin = true})
    for _, answer in ipairs{"Ada", "36"} do
      assert.equal("input_request", frontend:receive(frontend.stdin).kind)
      frontend:send("input_reply", {value = answer}, frontend.stdin)
    end
    assert.equal("ok", frontend:receive(frontend.shell).content.status)
    assert.equal("Ada\t36\n", stream(frontend:published(), "stdout"))
    local reply = frontend:run "io.read()"
    assert.matches("io.read: this frontend takes no input", reply.evalue, 1, true)
  end)

  test("completes, also behind other letters than ASCII's", function()
    local code = 'é = layers.Dense{3, activation = "re'
    local reply = frontend:ask("complete_request", {code = code, cursor_pos = utf8.len(code)})
    frontend:published()
    assert.same({"relu", "relu6"}, reply.matches)
    assert.equal(utf8.len(code) - 2, reply.cursor_start)
    reply = frontend:ask("complete_request", {code = "x\nlayers.Embeddi + 1", cursor_pos = 16})
    frontend:published()
    assert.same({"layers.Embedding"}, reply.matches)
    assert.same({2, 16}, {reply.cursor_start, reply.cursor_end})
  end)

  test("tells what a name means", function()
    local reply = frontend:ask("inspect_request", {code = "layers.Dense{3, ", cursor_pos = 16,
      detail_level = 0})
    frontend:published()
    assert.is_true(reply.found)
    assert.matches("class Dense", reply.data["text/plain"], 1, true)
    reply = frontend:ask("inspect_request", {code = "nothing_of_the_kind", cursor_pos = 3})
    frontend:published()
    assert.is_false(reply.found)
  end)

  test("tells whole inputs from unfinished and wrong ones", function()
    local states = {}
    for i, code in ipairs{"x = 1", "for i = 1, 2 do", "x = = 1", "?softmax", ""} do
      states[i] = frontend:ask("is_complete_request", {code = code}).status
      frontend:published()
    end
    assert.same({"complete", "incomplete", "invalid", "complete", "complete"}, states)
  end)

  test("keeps the history", function()
    frontend:run "remember = 1"
    local reply = frontend:ask("history_request", {hist_access_type = "tail", n = 1})
    frontend:published()
    assert.equal("remember = 1", reply.history[1][3])
    reply = frontend:ask("history_request", {hist_access_type = "search", pattern = "rem?mber*"})
    frontend:published()
    assert.equal(1, #reply.history)
  end)

  test("does not count a silent cell, and answers expressions beside one", function()
    local before = frontend:run("1").execution_count
    local reply, list = frontend:run("quiet = 5", {silent = true})
    assert.equal("ok", reply.status)
    assert.equal("", kinds(list))
    reply = frontend:run("0", {user_expressions = {a = "quiet + 1", b = "no.thing"}})
    assert.equal(before + 1, reply.execution_count)
    assert.equal("6", reply.user_expressions.a.data["text/plain"])
    assert.equal("error", reply.user_expressions.b.status)
  end)

  test("closes connections of widgets", function()
    frontend:send("comm_open", {comm_id = "7", target_name = "x", data = {}})
    assert.equal("7", first(frontend:published(), "comm_close").comm_id)
    assert.equal("ok", frontend:ask("comm_info_request", {}).status)
    frontend:published()
  end)

  test("takes no notice of messages that are wrong or signed with another key", function()
    local wire = require "cusp.notebook.wire"
    local other = wire.session(require("cusp.native.zmq").sign, "another key")
    frontend.shell:send(other.write("execute_request", {code = "forged = 1"}, nil, {}))
    frontend.shell:send{"<IDS|MSG>", "", "{", "}"}
    frontend.shell:send{"nothing"}
    frontend:send("request_of_another_time", {})
    frontend:published()
    local _, list = frontend:run "rawget(_G, 'forged')"
    assert.equal("nil", first(list, "execute_result").data["text/plain"])
  end)
end)
