--- What a kernel answers, by kind of request. Source: "Messaging in Jupyter", version 5.3.
-- @module cusp.notebook.requests
local cells = require "cusp.notebook.cells"
local chunks = require "cusp.prompt.chunks"
local complete = require "cusp.prompt.complete"
local engine = require "cusp.engine"
local evaluate = require "cusp.prompt.evaluate"
local inputs = require "cusp.prompt.inputs"
local json = require "cusp.formats.json"
local wire = require "cusp.notebook.wire"

local requests = {}

local function empty() return json.object{} end

---------------------------------------------------------------- about the kernel

local function kernel_info()
  return {
    status = "ok", protocol_version = wire.version, implementation = "cusp",
    implementation_version = engine.version,
    language_info = {name = "lua", version = _VERSION:match "%d+%.%d+", mimetype = "text/x-lua",
      file_extension = ".lua", pygments_lexer = "lua", codemirror_mode = "lua"},
    banner = ("Cusp %s on %s"):format(engine.version, _VERSION), debugger = false,
    help_links = {},
  }
end

function requests.kernel_info_request(kernel) kernel:reply("kernel_info_reply", kernel_info()) end

function requests.shutdown_request(kernel, content)
  kernel:reply("shutdown_reply", {status = "ok", restart = content.restart == true})
  kernel.done = true
end

function requests.interrupt_request(kernel) kernel:reply("interrupt_reply", {status = "ok"}) end

---------------------------------------------------------------- cells

local function expressions(content)
  local results = empty()
  for name, text in pairs(type(content.user_expressions) == "table" and content.user_expressions
    or {}) do
    results[name] = cells.expression(tostring(text))
  end
  return results
end

local leaving = {quit = true, exit = true, ["quit()"] = true, ["exit()"] = true}

local function execute(kernel, content)
  local code, is_silent = tostring(content.code or ""), content.silent == true
  local stores = not is_silent and content.store_history ~= false
  local number = inputs.number()
  if stores then
    kernel:publish("execute_input", {code = code, execution_count = number})
  end
  if leaving[code:match "^%s*(.-)%s*$"] then
    return number, nil, {{source = "ask_exit", keepkernel = false}}
  end
  return number, cells.run(code, is_silent, stores), {}
end

function requests.execute_request(kernel, content)
  local number, problem, payload = execute(kernel, content)
  local reply = problem or {status = "ok", payload = payload,
    user_expressions = expressions(content)}
  if problem then
    reply.status = "error"
    if content.stop_on_error ~= false then kernel:abort_waiting() end
  end
  reply.execution_count = number
  kernel:reply("execute_reply", reply)
end

--- The answer to an input that is not run, because one before it failed.
function requests.abort(kernel)
  kernel:reply("execute_reply", {status = "aborted", execution_count = inputs.number() - 1})
end

---------------------------------------------------------------- typing

-- Bytes before a place that is counted in characters.
local function bytes_before(code, position)
  local offset = utf8.len(code) and utf8.offset(code, position + 1)
  return (offset or #code + 1) - 1
end

local function characters(text) return utf8.len(text) or #text end

-- Where the word before the cursor begins; within a string all of it is one word.
local function word_start(before)
  local line = before:match "[^\n]*$"
  local quote
  local at = 1
  for i = 1, #line do
    local c = line:sub(i, i)
    if quote and c == quote then
      quote = nil
    elseif not quote and c:find "[\"']" then
      quote, at = c, i + 1
    end
  end
  local start = quote and at or line:match "()[%w_.:?]*$"
  return #before - #line + start
end

function requests.complete_request(kernel, content)
  local code = tostring(content.code or "")
  local cursor = math.tointeger(content.cursor_pos) or characters(code)
  local before = code:sub(1, bytes_before(code, cursor))
  local first = word_start(before)
  local word = before:sub(first)
  local ok, matches = engine.attempt(complete, word, before, first)
  kernel:reply("complete_reply", {status = "ok", matches = ok and matches or {},
    cursor_start = cursor - characters(word), cursor_end = cursor, metadata = empty()})
end

function requests.is_complete_request(kernel, content)
  local code = tostring(content.code or "")
  if not evaluate.is_complete(code) then
    return kernel:reply("is_complete_reply", {status = "incomplete", indent = "  "})
  end
  local ok = evaluate.special(code) or not code:find "%S" or chunks.compile(code, "=input")
  kernel:reply("is_complete_reply", {status = ok and "complete" or "invalid"})
end

---------------------------------------------------------------- help

-- What a function prints.
local function printed(f, ...)
  local own_print, lines = print, {}
  rawset(_G, "print", function(...)
    local texts = table.pack(...)
    for i = 1, texts.n do texts[i] = tostring(texts[i]) end
    lines[#lines + 1] = table.concat(texts, "\t")
  end)
  local ok = engine.attempt(f, ...)
  rawset(_G, "print", own_print)
  return ok and #lines > 0 and table.concat(lines, "\n") or nil
end

-- The name that the cursor is in or behind; before a bracket, that of what is called.
local function name_at(code, cursor)
  local at = bytes_before(code, cursor)
  local head = code:sub(1, at):match "[%w_.:]*$"
  local tail = code:sub(at + 1):match "^[%w_]*"
  local name = head .. tail
  if name ~= "" then return name end
  return code:sub(1, at):match "([%a_][%w_.:]*)%s*[({][^(){}]*$"
end

local function help_on(name, detail)
  local help, lookup = require "cusp.prompt.help", require "cusp.prompt.lookup"
  if lookup.program_value(name) == nil and #lookup.find(name) == 0 then return nil end
  return printed(detail == 1 and help.source or help.print_name, name)
end

function requests.inspect_request(kernel, content)
  local code = tostring(content.code or "")
  local name = name_at(code, math.tointeger(content.cursor_pos) or characters(code))
  local text = name and help_on(name, content.detail_level)
  local data = empty()
  data["text/plain"] = text
  kernel:reply("inspect_reply", {status = "ok", found = text ~= nil, data = data,
    metadata = empty()})
end

---------------------------------------------------------------- history

-- All inputs: those of earlier times are session 1, those of this one session 2.
local function all_inputs()
  local list = {}
  for number, text in ipairs(cells.past) do list[#list + 1] = {1, number, text} end
  for number, text in ipairs(inputs.all()) do list[#list + 1] = {2, number, text} end
  return list
end

-- A pattern of shells as one of Lua's.
local function glob_pattern(glob)
  return "^" .. glob:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("?", ".") .. "$"
end

local select_inputs = {
  tail = function(list, content)
    local count = math.tointeger(content.n) or #list
    return table.move(list, math.max(#list - count + 1, 1), #list, 1, {})
  end,
  range = function(list, content)
    local session = math.tointeger(content.session) or 0
    session = session > 0 and session or 2 + session
    local first, stop = content.start or 1, content.stop or math.huge
    local found = {}
    for _, entry in ipairs(list) do
      if entry[1] == session and entry[2] >= first and entry[2] < stop then
        found[#found + 1] = entry
      end
    end
    return found
  end,
  search = function(list, content)
    local pattern, found, seen = glob_pattern(tostring(content.pattern or "*")), {}, {}
    for _, entry in ipairs(list) do
      if entry[3]:find(pattern) and not (content.unique and seen[entry[3]]) then
        found[#found + 1], seen[entry[3]] = entry, true
      end
    end
    return found
  end,
}
select_inputs.search_tail = function(list, content)
  return select_inputs.tail(select_inputs.search(list, content), content)
end

function requests.history_request(kernel, content)
  local kind = content.hist_access_type
  local choose = kind == "search" and select_inputs.search_tail or select_inputs[kind]
  local list = choose and choose(all_inputs(), content) or {}
  if content.output then
    for i, entry in ipairs(list) do list[i] = {entry[1], entry[2], {entry[3], json.null}} end
  end
  kernel:reply("history_reply", {status = "ok", history = list})
end

---------------------------------------------------------------- widgets, of which there are none

function requests.comm_info_request(kernel)
  kernel:reply("comm_info_reply", {status = "ok", comms = empty()})
end

--- Who opens a connection to a widget is told that nobody is there.
function requests.comm_open(kernel, content)
  kernel:publish("comm_close", {comm_id = content.comm_id, data = empty()})
end

return requests
