--- One input: Lua runs and its values are echoed; `:name`, `?name` and `$ command` are for the
-- prompt itself.
-- @module cusp.prompt.evaluate
local chunks = require "cusp.prompt.chunks"
local engine = require "cusp.engine"
local globals = require "cusp.prompt.globals"
local inputs = require "cusp.prompt.inputs"
local inspect = require "cusp.base.inspect"
local lexer = require "cusp.prompt.lexer"
local problems = require "cusp.prompt.problems"

local evaluate = {}

local write = io.write

---------------------------------------------------------------- what is shown

local function write_error(message)
  io.stdout:flush()
  io.stderr:write(tostring(message), "\n")
end

-- Values of an expression as one text.
local function show_values(results)
  local texts = {}
  for i = 2, results.n do
    local ok, text = engine.attempt(inspect, results[i])
    texts[#texts + 1] = ok and text or "(cannot be shown: " .. tostring(text) .. ")"
  end
  local many = #texts > 1 and table.concat(texts):find "\n"
  return table.concat(texts, many and "\n" or "\t")
end

-- Where values and problems go.
local output = {
  values = function(results) write(show_values(results), "\n") end,
  problem = write_error,
}

--- Shows values and problems elsewhere: the notebook does.
-- @tparam table to `{values = function(results), problem = function(text)}`; the results are
-- packed, from 2 on
function evaluate.show_in(to) output = to end

evaluate.text_of = show_values

-- A semicolon at the end asks for silence.
local function is_silent(text)
  local code = lexer.code(text)
  return code[#code] and code[#code].text == ";"
end

--- `print` at the prompt: tables and functions as an expression shows them.
function evaluate.print(...)
  local texts = table.pack(...)
  for i = 1, texts.n do
    local value = texts[i]
    local kind = type(value)
    texts[i] = (kind == "table" or kind == "function") and inspect(value) or tostring(value)
  end
  write(table.concat(texts, "\t", 1, texts.n), "\n")
end

---------------------------------------------------------------- running

local last_frames -- of the last error, for :debug

-- The handler of errors; it runs where the error was raised, so that the frames are there.
local function handle(message)
  local frames = problems.frames(2)
  for _, info in ipairs(frames) do
    require("cusp.prompt.debugger").read_locals(info, info.level)
  end
  last_frames = {message = message, frames = frames}
  return problems.text(message, frames)
end

--- The frames of the last error: `{message =, frames =}`; nil where there was none.
function evaluate.last_error() return last_frames end

--- Forgets the last error.
function evaluate.forget_error() last_frames = nil end

local function say_interrupted()
  local history = package.loaded["cusp.callbacks.history"]
  local latest = history and history.interrupted()
  if not latest then return end
  if rawget(_G, "history") == nil then rawset(_G, "history", latest) end
  write_error(tostring(latest))
end

-- What failed, on standard error. The value of an interrupt is its own text.
local function fail(problem)
  output.problem(problem)
  if engine.is_interrupt(problem) then say_interrupted() end
end

--- Calls a function as an input is called: errors are shown, Ctrl-C ends it.
-- @tparam function call as xpcall
-- @tparam function f
-- @treturn boolean
function evaluate.protected(call, f)
  local ok, problem = call(f, handle)
  if not ok then fail(problem) end
  return ok
end

--- Runs a compiled input and shows its values.
-- @tparam function call as xpcall
-- @tparam table chunk
-- @tparam string text
-- @tparam integer number of the input
-- @treturn boolean whether it ran to its end
function evaluate.run(call, chunk, text, number)
  globals.begin_input()
  local results = chunks.run(chunk, call, handle)
  if not results[1] then
    fail(results[2])
    return false
  end
  if results.n < 2 then return true end
  inputs.set_value(number, results[2])
  if is_silent(text) then return true end
  return evaluate.protected(call, function() output.values(results) end)
end

--- Compiles and runs a text as an input.
-- @tparam function call as xpcall
-- @tparam string text
-- @tparam[opt] string name of the chunk; by default the input's
-- @treturn boolean whether it ran to its end
function evaluate.input(call, text, name)
  local number = inputs.add(text)
  local chunk, problem = chunks.compile(text, name or inputs.chunk_name(number))
  if chunk then return evaluate.run(call, chunk, text, number) end
  output.problem(name and problem or problems.syntax(problem, text))
  return false
end

---------------------------------------------------------------- what kind of input

-- A text that is not Lua in its usual form: "?x", "??x", "x?", "help x", ":who", "$ ls".
local function special(text)
  text = text:match "^%s*(.-)%s*$"
  if text:find "^%?" or text:find "^:[%a]" or text:find "^%$" then return text end
  local name = text:match "^([%a_][%w_.:]*)%?$" or text:match "^help%s+([%a_][%w_.:]*)$"
  if name then return "?" .. name end
  local word = text:match "^apropos%s+([%w_]+)$"
  return word and ("apropos %q"):format(word) or nil
end
evaluate.special = special

--- Whether a text can be run as it is; false where more lines have to follow.
function evaluate.is_complete(text)
  if special(text) or not text:find "%S" then return true end
  local _, _, unfinished = chunks.compile(text, "=input")
  return not unfinished
end

return evaluate
