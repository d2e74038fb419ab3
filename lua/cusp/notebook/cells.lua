--- Cells: inputs of the prompt whose values and errors become messages.
-- @module cusp.notebook.cells
local bars = require "cusp.notebook.bars"
local display = require "cusp.base.display"
local engine = require "cusp.engine"
local evaluate = require "cusp.prompt.evaluate"
local forms = require "cusp.notebook.forms"
local globals = require "cusp.prompt.globals"
local history = require "cusp.prompt.history"
local inputs = require "cusp.prompt.inputs"
local progress = require "cusp.base.progress"
local read_from = require "cusp.notebook.input"
local scripts = require "cusp.prompt.scripts"

local cells = {}

local kernel, prompt
local problem -- of the cell that runs

---------------------------------------------------------------- values

local function show(bundle, id, is_update)
  kernel:publish(is_update and "update_display_data" or "display_data", {
    data = bundle, metadata = cells.object(), transient = cells.object{display_id = id},
  })
end

local function clear(wait) kernel:publish("clear_output", {wait = wait}) end

-- Several values are one text, as at the prompt.
local function publish_values(results)
  local bundle = results.n == 2 and forms.of(results[2])
    or {["text/plain"] = evaluate.text_of(results)}
  kernel:publish("execute_result", {execution_count = inputs.number() - 1, data = bundle,
    metadata = cells.object()})
end

---------------------------------------------------------------- errors

local RED, CYAN, PLAIN = "\27[0;31m", "\27[0;36m", "\27[0m"

-- The message in red, the mark below the line in cyan.
local function colored(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do
    if #lines == 0 then
      line = RED .. line .. PLAIN
    elseif line:find "^%s+%^$" then
      line = CYAN .. line .. PLAIN
    end
    lines[#lines + 1] = line
  end
  return lines
end

-- An error as messages have it: its kind, its first line, and all of it.
local function describe(value)
  local text = tostring(value)
  local kind = engine.is_interrupt(value) and "Interrupt" or "Error"
  return {ename = kind, evalue = text:match "^[^\n]*", traceback = colored(text)}
end

local function note_problem(value)
  if problem then return end
  problem = describe(value)
  kernel:publish("error", problem)
end

---------------------------------------------------------------- running

local silent = {values = function() end, problem = note_problem}
local shown = {values = publish_values, problem = note_problem}

local function run_text(text, stores)
  local special = evaluate.special(text)
  if special then return require("cusp.prompt.commands").run(prompt, special) end
  if not stores then
    local load_text = load("return " .. text, "=input") or load(text, "=input")
    if not load_text then return note_problem "the code is not Lua" end
    return evaluate.protected(prompt.call, load_text)
  end
  prompt.remember(text)
  if evaluate.input(prompt.call, text) then scripts.note(text) end
end

--- Runs a cell.
-- @tparam string text
-- @tparam boolean is_silent whether values are not shown
-- @tparam boolean stores whether it counts as an input
-- @treturn ?table the error as messages have it; nil where it ran to its end
function cells.run(text, is_silent, stores)
  problem = nil
  evaluate.show_in(is_silent and silent or shown)
  if text:find "%S" then run_text(text, stores) end
  io.stdout:flush()
  return problem
end

--- The value of an expression, for a frontend that asks for it beside a cell.
-- @treturn table as the reply has it
function cells.expression(text)
  local f, message = load("return " .. text, "=expression")
  if not f then return {status = "error", ename = "Error", evalue = message, traceback = {}} end
  local results = table.pack(prompt.call(f, tostring))
  if results[1] then
    return {status = "ok", data = forms.of(results[2]), metadata = cells.object()}
  end
  local described = describe(results[2])
  described.status = "error"
  return described
end

---------------------------------------------------------------- opening

local function open_history()
  local path = history.path()
  cells.past = path and history.load(path) or {}
  return function(text)
    if path then history.add(path, text) end
  end
end

--- Prepares to run cells.
-- @tparam table of the kernel
-- @tparam function call as xpcall; interrupts end there
-- @tparam function object marks a table as a JSON object
function cells.open(of, call, object)
  kernel, cells.object = of, object
  prompt = {call = call, initial = globals.open(), remember = open_history(),
    read_line = function(text) return kernel:ask(text, false) end}
  display.open(show, forms.of, clear)
  progress.surface = bars
  read_from(function() return kernel:ask("", false) end)
end

--- Ends what cells have declared `<close>`.
function cells.close()
  globals.close_all()
  display.open(nil)
  progress.surface = nil
end

return cells
