--- Embeddings for TensorBoard's projector: vectors and labels as text, and the file that lists
-- them.
-- @module cusp.summary.projector
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"

local projector = {}

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return ("\\%03o"):format(c:byte()) end) .. '"'
end

--- The text of a projector's configuration.
-- @tparam {table,...} embeddings each with `tensor_name`, and optionally `tensor_path`,
-- `metadata_path`, `bookmarks_path`, `tensor_shape`, `sprite = {image_path =, single_image_dim =
-- {width, height}}`; paths are relative to the file
-- @treturn string protobuf text
function projector.config(embeddings)
  local lines = {}
  local function add(...) lines[#lines + 1] = (...):format(select(2, ...)) end
  for _, embedding in ipairs(embeddings) do
    add "embeddings {"
    for _, field in ipairs{"tensor_name", "metadata_path", "bookmarks_path"} do
      if embedding[field] then add("  %s: %s", field, quote(embedding[field])) end
    end
    for _, size in ipairs(embedding.tensor_shape or {}) do add("  tensor_shape: %d", size) end
    if embedding.sprite then
      add "  sprite {"
      add("    image_path: %s", quote(embedding.sprite.image_path))
      for _, size in ipairs(embedding.sprite.single_image_dim or {}) do
        add("    single_image_dim: %d", size)
      end
      add "  }"
    end
    if embedding.tensor_path then add("  tensor_path: %s", quote(embedding.tensor_path)) end
    add "}"
  end
  return table.concat(lines, "\n") .. (#lines > 0 and "\n" or "")
end

--- A matrix as lines of tab-separated numbers.
-- @tparam tensor matrix `[rows, dimensions]`
-- @treturn string
function projector.vectors(matrix)
  local shape = matrix.shape
  if #shape ~= 2 then
    errors.raise("embedding: expected a tensor [rows, dimensions], got %s", errors.describe(matrix))
  end
  local format = ("%.7g\t"):rep(shape[2] - 1) .. "%.7g"
  local lines, values = {}, matrix:flat()
  for row = 1, shape[1] do
    lines[row] = shape[2] <= 240
      and plain.format(format, table.unpack(values, (row - 1) * shape[2] + 1, row * shape[2]))
      or plain.concat(values, "\t", (row - 1) * shape[2] + 1, row * shape[2])
  end
  lines[#lines + 1] = ""
  return table.concat(lines, "\n")
end

-- A label must not break the line or the column.
local function cell(value) return (plain.tostring(value):gsub("[\t\r\n]", " ")) end

--- Labels of rows as text.
-- @tparam table labels a list of labels, or a list of rows with several; the first such row names
-- the columns
-- @tparam integer count number of rows to label
-- @treturn string
function projector.labels(labels, count)
  local lines, columns = {}, type(labels[1]) == "table"
  local given = #labels - (columns and 1 or 0)
  if given ~= count then
    errors.raise("embedding: expected %d labels%s, got %d", count,
      columns and " after the row of names" or "", given)
  end
  for i, label in ipairs(labels) do
    local cells = {}
    for j, value in ipairs(columns and label or {label}) do cells[j] = cell(value) end
    lines[i] = table.concat(cells, "\t")
  end
  lines[#lines + 1] = ""
  return table.concat(lines, "\n")
end

return projector
