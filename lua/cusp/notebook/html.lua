--- Values as HTML: tensors as tables of numbers, models as tables of layers.
-- @module cusp.notebook.html
local plain = require "cusp.base.plain"

local html = {}

-- Rows and columns that are shown at each end of a longer axis.
local EDGE = 5

local entities = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;"}

--- A text within HTML.
function html.escape(text) return (text:gsub('[&<>"]', entities)) end

---------------------------------------------------------------- tables

local function row(cells, tag)
  local parts = {}
  for i, cell in ipairs(cells) do
    parts[i] = ("<%s>%s</%s>"):format(tag, html.escape(cell), tag)
  end
  return "<tr>" .. table.concat(parts) .. "</tr>"
end

--- A table.
-- @tparam ?{string,...} titles of the columns
-- @tparam {{string,...},...} rows
-- @tparam string caption
function html.table(titles, rows, caption)
  local parts = {"<table>"}
  if titles then parts[#parts + 1] = "<thead>" .. row(titles, "th") .. "</thead>" end
  parts[#parts + 1] = "<tbody>"
  for _, cells in ipairs(rows) do parts[#parts + 1] = row(cells, "td") end
  parts[#parts + 1] = "</tbody></table>"
  parts[#parts + 1] = ("<div>%s</div>"):format(html.escape(caption))
  return table.concat(parts, "\n")
end

---------------------------------------------------------------- tensors

-- Indices that are shown of an axis; false stands for those left out.
local function shown(size)
  local list = {}
  for i = 1, size do
    if size <= 2 * EDGE + 1 or i <= EDGE or i > size - EDGE then
      list[#list + 1] = i
    elseif i == EDGE + 1 then
      list[#list + 1] = false
    end
  end
  return list
end

local function number_text(value)
  if math.type(value) == "float" then return plain.format("%.6g", value) end
  return tostring(value)
end

local function cells_of(tensor, i, columns)
  local cells = {}
  for at, j in ipairs(columns) do
    cells[at] = not (i and j) and "…" or number_text(tensor:item(i, j))
  end
  return cells
end

--- A tensor of one or two axes as a table; nil for others, which are shown as text.
-- @treturn ?string
function html.tensor(tensor)
  local shape = tensor.shape
  if #shape < 1 or #shape > 2 or shape[1] == 0 or shape[#shape] == 0 then return nil end
  local caption = ("shape {%s}, %s"):format(table.concat(shape, ", "), tensor.dtype)
  local matrix = #shape == 2 and tensor or tensor:reshape{1, shape[1]}
  local columns, rows = shown(matrix.shape[2]), {}
  for at, i in ipairs(shown(matrix.shape[1])) do rows[at] = cells_of(matrix, i, columns) end
  return html.table(nil, rows, caption)
end

---------------------------------------------------------------- models

--- A model as a table of its layers.
-- @tparam Model model
-- @treturn string
function html.model(model)
  local content = require("cusp.models.summary").content(model)
  local rows = {}
  for i, layer in ipairs(content.layers) do
    rows[i] = {}
    for at, cell in ipairs(layer) do
      rows[i][at] = type(cell) == "table" and table.concat(cell, ", ") or cell
    end
  end
  return html.table(content.titles, rows, ("Model %q: %s"):format(model.name,
    table.concat(content.totals, "; ")))
end

return html
