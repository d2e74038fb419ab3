--- The prompt: reads inputs with editing and history, runs them, echoes values.
-- `require "cusp.prompt.repl"()` starts it; the program `cusp` does so when it is alone on a
-- terminal.
-- @module cusp.prompt.repl
local engine = require "cusp.engine"
local evaluate = require "cusp.prompt.evaluate"
local globals = require "cusp.prompt.globals"
local history = require "cusp.prompt.history"
local inputs = require "cusp.prompt.inputs"
local scripts = require "cusp.prompt.scripts"

---------------------------------------------------------------- reading

local pending = "" -- what was read of an input that goes on

local function is_complete(text) return evaluate.is_complete(pending .. text) end

-- Where the terminal cannot go up a line, lines are read one by one until they make an input; where
-- the screen is full, a block after the other.
local function read_lines(readline, text)
  while text and not evaluate.is_complete(text) do
    pending = text .. "\n"
    local line = readline.read ">> "
    pending = ""
    if line == nil then return text end
    if line == false then return "" end
    text = text .. "\n" .. line
  end
  return text
end

-- An input; nil at the end of input, "" after Ctrl-C.
local function read_input(readline)
  local text = readline.read(("[%d]> "):format(inputs.number()))
  if not text then return text == false and "" or nil end
  return read_lines(readline, text)
end

---------------------------------------------------------------- opening

local function open_history(readline)
  local path = history.path()
  if path then
    for _, text in ipairs(history.load(path)) do readline.add(text) end
  end
  local last
  return function(text)
    if text == last then return end
    last = text
    readline.add(text)
    if path then history.add(path, text) end
  end
end

local function open(readline)
  local prompt = {
    call = require("cusp.interrupts").call, remember = open_history(readline),
    read_line = readline.read, initial = globals.open(),
  }
  readline.complete(require "cusp.prompt.complete")
  readline.finish(is_complete)
  if not os.getenv "NO_COLOR" or os.getenv "NO_COLOR" == "" then
    readline.paint(require "cusp.prompt.highlight")
  end
  -- the names that completion may be asked for
  readline.idle(function() require("cusp.prompt.lookup").names "" end)
  return prompt
end

---------------------------------------------------------------- the loop

local leaving = {quit = true, exit = true, ["quit()"] = true, ["exit()"] = true}

local function run(prompt, text)
  prompt.remember(text)
  local special = evaluate.special(text)
  if special then return require("cusp.prompt.commands").run(prompt, special) end
  if evaluate.input(prompt.call, text) then scripts.note(text) end
end

--- Runs the prompt until the end of input.
return function()
  local readline = require "cusp.readline"
  local prompt = open(readline)
  print(('Cusp %s on %s. help() says how to begin; Ctrl-D leaves.'):format(engine.version,
    _VERSION))
  while not prompt.done do
    local text = read_input(readline)
    if not text then
      print()
      break
    end
    if leaving[text:match "^%s*(.-)%s*$"] then break end
    if text:find "%S" then run(prompt, text) end
  end
  globals.close_all()
end
