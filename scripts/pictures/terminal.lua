--- A program in a terminal of tmux, and its screen as SVG.
local terminal = {}

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function output_of(command)
  local pipe <close> = io.popen(command)
  return pipe:read "a"
end

local Session = {}
Session.__index = Session

function Session:tmux(arguments) return output_of("tmux -L " .. self.socket .. " " .. arguments) end

-- The screen after it has not changed for a while.
function Session:screen()
  local before, now
  repeat
    before = now
    os.execute "sleep 0.5"
    now = self:tmux "capture-pane -e -p"
  until now == before
  return now
end

--- Types text and presses keys.
function Session:type(text, ...)
  self:tmux("send-keys -l -- " .. quoted(text))
  for _, key in ipairs{...} do
    self:screen()
    self:tmux("send-keys " .. key)
  end
  self:screen()
end

function Session:__close() self:tmux "kill-server" end

--- Starts a program.
-- @tparam string program
-- @tparam integer columns
-- @tparam integer rows
function terminal.open(program, columns, rows)
  local session = setmetatable({socket = "cusp-" .. math.random(1 << 30)}, Session)
  local command = "env CUSP_HISTORY=/dev/null INPUTRC=/dev/null " .. program
  session:tmux(("-f /dev/null new-session -d -x %d -y %d %s"):format(columns, rows,
    quoted(command)))
  session:screen()
  return session
end

---------------------------------------------------------------- SVG

local width, height, margin = 8, 17, 12
local colors = {[30] = "#545d68", [31] = "#f47067", [32] = "#8ddb8c", [33] = "#f69d50",
  [34] = "#6cb6ff", [35] = "#dcbdfb", [36] = "#76e3ea", [90] = "#768390", [91] = "#ff938a",
  [92] = "#b4f1b4", [93] = "#f0c674", [94] = "#96d0ff", [95] = "#eedcff", [96] = "#b3f0ff"}
local entities = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;"}

-- How later text looks after an escape sequence of the given numbers.
local function styled(style, numbers)
  local new = {color = style.color, bold = style.bold, reverse = style.reverse}
  for number in numbers:gmatch "%d+" do
    number = tonumber(number)
    if number == 0 then new = {} end
    if number == 1 then new.bold = true end
    if number == 7 then new.reverse = true end
    if number == 39 then new.color = nil end
    new.color = colors[number] or new.color
  end
  return numbers == "" and {} or new
end

local function text_of(style, text, x, y)
  local length = utf8.len(text) * width
  local attributes = style.bold and ' font-weight="bold"' or ""
  if style.reverse then attributes = attributes .. ' text-decoration="underline"' end
  return ('<text x="%d" y="%d" textLength="%d" fill="%s"%s>%s</text>\n'):format(x, y, length,
    style.color or "#d0d7de", attributes, (text:gsub("[&<>]", entities)))
end

-- The pieces of a line; blanks between words keep their width.
local function add_line(pieces, line, y, style)
  local column = 0
  for text, numbers in (line .. "\27[m"):gmatch "([^\27]*)\27%[([%d;]*)m" do
    for blanks, word in text:gmatch "( *)(%S*)" do
      column = column + #blanks
      if word ~= "" then pieces[#pieces + 1] = text_of(style, word, margin + column * width, y) end
      column = column + utf8.len(word)
    end
    style = styled(style, numbers)
  end
  return style
end

--- A screen with the escape sequences of its colours as SVG.
function terminal.svg(screen, columns, rows)
  local pieces, y, style = {}, margin + 13, {}
  for line in screen:gmatch "([^\n]*)\n" do
    style = add_line(pieces, line, y, style)
    y = y + height
  end
  local all = {columns * width + 2 * margin, rows * height + 2 * margin}
  return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
    .. 'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13">\n'
    .. '<rect width="100%%" height="100%%" rx="8" fill="#22272e"/>\n%s</svg>\n'):format(all[1],
    all[2], all[1], all[2], table.concat(pieces))
end

return terminal
