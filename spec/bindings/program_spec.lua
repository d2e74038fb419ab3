local folder = require "spec.support.folder"

local build = os.getenv "CUSP_BUILD" or "build"
local program = build .. "/cusp"

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Runs a shell command; returns its output including errors, and the exit code.
local function run(command)
  local pipe = io.popen("{ " .. command .. "\n} 2>&1; echo \"exit $?\"")
  local text = pipe:read "a"
  pipe:close()
  local output, code = text:match "^(.-)exit (%d+)\n$"
  return output, tonumber(code)
end

local function cusp(arguments) return run(program .. " " .. arguments) end

local function with_script(text, f)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  local ok, problem = pcall(f, path)
  os.remove(path)
  if not ok then error(problem, 0) end
end

describe("the program", function()
  it("runs code, scripts and standard input as lua does", function()
    assert.same({"3\n", 0}, {cusp("-e " .. quote "x = 1" .. " -e " .. quote "print(x + 2)")})
    with_script("print(arg[0] ~= nil, arg[1], arg[2], arg[-1], ...)", function(path)
      assert.same({"true\ta\tb\t" .. program .. "\ta\tb\n", 0}, {cusp(path .. " a b")})
      assert.same({"true\t-e\tnil\t--\t-e\n", 0}, {cusp("-- " .. path .. " -e")})
    end)
    assert.same({"in\n", 0}, {run("echo 'print \"in\"' | " .. program)})
    assert.same({"in\tx\n", 0}, {run("echo 'print(\"in\", ...)' | " .. program .. " - x")})
    assert.same({"2\n", 0}, {cusp("-l string -e " .. quote "print(#string.rep('x', 2))")})
  end)

  it("takes LUA_INIT, -E and -W as lua does", function()
    local print_x = " -e " .. quote "print(X)"
    assert.same({"5\n", 0}, {run("LUA_INIT='X = 5' " .. program .. print_x)})
    assert.same({"6\n", 0}, {run("LUA_INIT='X = 5' LUA_INIT_5_4='X = 6' " .. program .. print_x)})
    assert.same({"nil\n", 0}, {run("LUA_INIT='X = 5' " .. program .. " -E" .. print_x)})
    with_script("X = 7", function(path)
      assert.same({"7\n", 0}, {run("LUA_INIT=@" .. path .. " " .. program .. print_x)})
    end)
    local output, code = run("LUA_INIT='error \"no\"' " .. program .. print_x)
    assert.equal(1, code)
    assert.matches("LUA_INIT:1: no", output)
    assert.same({"Lua warning: hello\n", 0}, {cusp("-W -e " .. quote "warn 'hello'")})
    assert.same({"", 0}, {cusp("-e " .. quote "warn 'hello'")})
  end)

  it("finds cusp beside itself, from any directory", function()
    local output, code = run("here=$PWD; cd / && $here/" .. program .. " -e "
      .. quote 'print(require("cusp").ones{2} + 1)')
    assert.same({"tensor([2, 2], shape = {2}, dtype = float32)\n", 0}, {output, code})
  end)

  it("tells versions, the processor and threads", function()
    local output, code = cusp "-v"
    assert.equal(0, code)
    assert.matches("^Cusp %S+, Lua 5%.4", output)
    assert.matches("%d+ threads?", output)
    assert.matches("usage:", (cusp "-h"))
  end)

  it("ends with 1 after an error, its message and the user's frames on standard error", function()
    local output, code = cusp("-e " .. quote 'local function f() error("oops") end f()')
    assert.equal(1, code)
    assert.matches("%(command line%):1: oops\nstack traceback:\n", output)
    with_script(
      'local cusp = require "cusp"\nlocal function g()\n  cusp.ones{2}:reshape{3}\nend\ng()\n',
      function(path)
      output, code = cusp(path)
      assert.equal(1, code)
      assert.matches(path:match "[^/]+$" .. ":3: reshape: ", output, 1, true)
      assert.is_nil(output:find("lua/cusp/", 1, true))
      assert.is_nil(output:find("[C]", 1, true))
    end)
    assert.equal(1, select(2, cusp "/nowhere.lua"))
    assert.equal(1, select(2, cusp "-q"))
    assert.equal(1, select(2, cusp("-e " .. quote "x = (")))
    assert.equal(1, select(2, cusp("-e " .. quote "error{}")))
    assert.equal(3, select(2, cusp("-e " .. quote "os.exit(3)")))
  end)

  it("refuses Python's constants, and says what Lua writes", function()
    with_script("local x = 1\nlocal t = {flag = False}\nprint(t.flag)\n", function(path)
      local output, code = cusp(path)
      assert.equal(1, code)
      assert.matches(path .. ":2: 'False' is Python's: Lua writes false\n", output, 1, true)
    end)
    assert.same({"nil\ttrue\n", 0}, {cusp("-e "
      .. quote "None = rawget(_G, 'None') True = true print(rawget(_G, 'None'), True)")})
    assert.same({"nil\n", 0}, {cusp("-e " .. quote "print(undefined)")})
    assert.matches("(global 'len'); Lua writes #x\n", cusp("-e " .. quote "len{1}"), 1, true)
  end)

  it("says what was meant by a line that Lua cannot read", function()
    with_script("local f = print\nf(3, name = 1)\n", function(path)
      assert.matches(path .. ":2: ')' expected near '=' (arguments by name stand in braces: "
        .. "f{3, name = value})\n", cusp(path), 1, true)
    end)
    assert.matches("(Lua has no +=: write x = x + 1)", cusp("-e " .. quote "x = 1 x += 1"), 1, true)
    assert.matches("1: unexpected symbol near '='\n", cusp("-e " .. quote "= ="), 1, true)
  end)

  it("ends with 130 after an interrupt, in Lua code and in the engine", function()
    local function interrupted(code)
      return run("timeout --preserve-status -k 20 -s INT 1 " .. program .. " -e " .. quote(code))
    end
    local output, code = interrupted "while true do end"
    assert.equal(130, code)
    assert.matches("interrupted!", output)
    output, code = interrupted [[
      local cusp = require "cusp"
      local x = cusp.ones{512, 512}
      while true do (x:matmul(x)):item(1, 1) end]]
    assert.equal(130, code)
    assert.matches("interrupted!", output)
    -- Like any other error: code that catches it continues.
    output, code = interrupted 'print(pcall(function() while true do end end)) print "on"'
    assert.same({"false\tinterrupted!\non\n", 0}, {output, code})
    assert.equal(130, (select(2,
      interrupted "local _, problem = pcall(function() while true do end end) error(problem)")))
  end)

  it("lets an interrupt reach the coroutine that runs", function()
    local _, code = run("timeout --preserve-status -k 20 -s INT 1 " .. program .. " -e "
      .. quote("coroutine.wrap(function() coroutine.wrap(function() while true do end end)() "
        .. "end)()"))
    assert.equal(130, code)
    local output = run("timeout --preserve-status -k 20 -s INT 1 " .. program .. " -e "
      .. quote("print(coroutine.resume(coroutine.create(function() while true do end end))) "
        .. "print 'on'"))
    assert.equal("false\tinterrupted!\non\n", output)
  end)

  it("keeps the meaning of resume and wrap", function()
    local code = [[
      local f = coroutine.wrap(function(...)
        coroutine.yield(...)
        coroutine.yield()
        return "end"
      end)
      print(f(1, nil, 3)) print(f()) print(f())
      print(pcall(f))
      print(pcall(coroutine.wrap(function() error "boo" end)))
      print(pcall(function() coroutine.wrap(function() error({}) end)() end) == false)
      print(coroutine.resume(coroutine.create(function(a) error("no " .. a, 0) end), 1))
      print(pcall(coroutine.resume, 1))]]
    local output = cusp("-e " .. quote(code))
    assert.matches("1\tnil\t3\n\nend\nfalse\tcannot resume dead coroutine\nfalse\t", output, 1,
      true)
    assert.matches(
      "boo\ntrue\nfalse\tno 1\nfalse\tbad argument #1 to 'coroutine.resume' (thread expected",
      output, 1, true)
  end)

  -- Runs code that prints "ready", then sends it SIGINT that many times, half a second apart.
  local function pressed(times, code)
    local scope <close> = folder.new()
    local log = scope.path .. "/log"
    local presses = ("kill -INT $pid 2>/dev/null; sleep 0.5; "):rep(times)
    local start = ("folder=%s %s -e %s > %s 2>&1 & pid=$!; "):format(scope.path, program,
      quote(code), log)
    local wait = ("until grep -q ready %s; do sleep 0.1; done; "):format(log)
    local finish = "sleep 3; kill -9 $pid 2>/dev/null; wait $pid; status=$?; "
    local output, status = run(start .. wait .. presses .. finish .. "cat " .. log
      .. "; (exit $status)")
    return status, select(2, output:gsub("interrupted!", "")), output
  end

  it("ends after a second interrupt where a pcall swallowed the first", function()
    for _, work in ipairs{"local n = 0",
      "local cusp = require 'cusp' local _ = (cusp.ones{64, 64} + 1):item(1, 1)"} do
      local code = "while true do pcall(function() while true do " .. work
        .. " io.write 'ready\\n' io.flush() end end) end"
      local status, count, output = pressed(2, code)
      assert.same({130, 1}, {status, count}, output:sub(-500))
    end
  end)

  it("ends after an interrupt that comes while files are written", function()
    local status, count, output = pressed(1, [[
      local cusp = require "cusp"
      local path = os.getenv "folder" .. "/model"
      local model = cusp.Sequential{cusp.Input{shape = {3}}, cusp.layers.Dense(2)}
      print "ready"
      io.flush()
      while true do
        model:save(path .. ".keras")
        model:save(path .. ".h5")
        model:save_weights(path)
      end]])
    assert.same({130, 1}, {status, count}, output)
  end)
end)
