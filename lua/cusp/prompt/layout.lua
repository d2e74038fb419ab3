--- Text in lines that fit the terminal.
-- @module cusp.prompt.layout
local engine = require "cusp.engine"

local layout = {}

--- Prints text in lines that fit the terminal, the later ones indented.
function layout.print_wrapped(text, indent)
  local width = math.max(engine.terminal_width() - 1, 40)
  while utf8.len(text) and utf8.len(text) > width do
    local limit = utf8.offset(text, width + 1)
    local cut = text:sub(1, limit):match "^.*()%s"
    if not cut or cut <= indent + 1 then break end
    print((text:sub(1, cut - 1)))
    text = (" "):rep(indent) .. text:sub(cut + 1)
  end
  print(text)
end

--- Prints a call in lines that fit; an argument and its default stay together.
function layout.print_signature(text)
  text = text:gsub(" = ", "\1=\1")
  local width = math.max(engine.terminal_width() - 1, 40)
  while #text > width do
    local cut = text:sub(1, width + 1):match "^.*()%s"
    if not cut or cut <= 3 then break end
    print((text:sub(1, cut - 1):gsub("\1", " ")))
    text = "  " .. text:sub(cut + 1)
  end
  print((text:gsub("\1", " ")))
end

--- Prints lines of a comment: those that follow one another are one paragraph; indented ones, which
-- are code, stay as they are.
function layout.print_text(lines)
  local paragraph = {}
  local function finish()
    if #paragraph > 0 then layout.print_wrapped(table.concat(paragraph, " "), 0) end
    paragraph = {}
  end
  for _, line in ipairs(lines) do
    if line == "" or line:find "^%s" then
      finish()
      print(line)
    else
      paragraph[#paragraph + 1] = line
    end
  end
  finish()
end

--- Prints names side by side.
function layout.print_columns(names)
  local width, line = engine.terminal_width() - 2, " "
  for _, name in ipairs(names) do
    if #line + 1 + #name > width then
      print(line)
      line = " "
    end
    line = line .. " " .. name
  end
  if #line > 1 then print(line) end
end

--- Prints code below a heading.
function layout.print_code(heading, code)
  local least
  for spaces in code:gmatch "\n( *)%S" do least = math.min(least or #spaces, #spaces) end
  code = code:gsub("\n" .. (" "):rep(least or 0), "\n"):gsub("^%s+", ""):gsub("%s+$", "")
  print(heading .. "\n  " .. code:gsub("\n", "\n  "))
end

return layout
