--- Prints the table of `model:summary()`.
-- @module cusp.models.summary
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local shapes = require "cusp.base.shape"
local sharding = require "cusp.base.sharding"
local structure = require "cusp.base.structure"

local summary = {}

---------------------------------------------------------------- texts

local function with_commas(count)
  local text = tostring(count)
  local sign, digits = text:match "^(%-?)(%d+)$"
  return sign .. digits:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
end

local bits = {bool = 8, int8 = 8, uint8 = 8, int16 = 16, uint16 = 16, float16 = 16, bfloat16 = 16,
  int64 = 64, uint64 = 64, float64 = 64}

local function totals(variables)
  local count, bytes = 0, 0
  for _, variable in ipairs(variables) do
    local size = shapes.size(sharding.shape_of(variable))
    count, bytes = count + size, bytes + size * (bits[variable.dtype] or 32) // 8
  end
  return count, bytes
end

local function readable(bytes)
  for _, unit in ipairs{"B", "KB", "MB", "GB"} do
    if bytes < 1024 then return plain.format("%.2f %s", bytes, unit) end
    bytes = bytes / 1024
  end
  return plain.format("%.2f TB", bytes)
end

local function shape_texts(value)
  if structure.is_shape(value) then return structure.shape_text(value) end
  local parts = {}
  for _, shape in ipairs(structure.flatten(value, structure.is_shape)) do
    parts[#parts + 1] = structure.shape_text(shape)
  end
  return "[" .. table.concat(parts, ", ") .. "]"
end

--- The output shape of a layer: from its last symbolic call, else for the shape that it was built
-- with, else unknown.
local function output_shape(layer)
  local nodes = layer.__own.nodes
  if nodes and #nodes > 0 then
    return shape_texts(structure.map(nodes[#nodes].outputs, function(tensor)
      return tensor.shape
    end))
  end
  if layer.__own.graph then
    return shape_texts(structure.map(layer.outputs, function(tensor) return tensor.shape end))
  end
  local built_with = layer.__own.build_shape
  if not built_with then return "?" end
  local ok, shape = engine.attempt(layer.compute_output_shape, layer, built_with)
  return ok and shape_texts(shape) or "?"
end

local function parameter_text(layer)
  if not layer.__is_layer then return "0" end
  if not layer.built then return "0 (unbuilt)" end
  return with_commas((totals(layer.weights)))
end

local function class_name(layer)
  return layer.__is_layer and getmetatable(layer).__name or layer.class_name
end

---------------------------------------------------------------- the table

--- Whether the calls form a chain of layers used once each; then the summary shows no connections.
local function is_chain(graph)
  local at_depth, calls = {}, {}
  for _, node in ipairs(graph.nodes) do
    local depth = graph.depths[node]
    if at_depth[depth] or #node.input_tensors > 1 or calls[node.operation] then return false end
    at_depth[depth], calls[node.operation] = true, true
  end
  return true
end

local function connections(graph, layer)
  local parts = {}
  for _, node in ipairs(layer.__own.nodes) do
    if graph:has(node) then
      for _, tensor in ipairs(node.input_tensors) do
        local history = tensor._history
        parts[#parts + 1] = ("%s[%d][%d]"):format(history.operation.name, history.node:index(),
          history.tensor_index)
      end
    end
  end
  return #parts > 0 and parts or {"-"}
end

local function trainable_text(layer)
  if not layer.__is_layer or #layer.weights == 0 then return "-" end
  return layer.trainable and "Y" or "N"
end

--- Breaks a text into lines of at most `width` characters, at spaces if possible.
local function wrap(text, width)
  local lines = {}
  while utf8.len(text) > width do
    local cut = width
    for at = width, width // 2, -1 do
      if text:sub(at, at):find "[%s,]" then
        cut = at
        break
      end
    end
    lines[#lines + 1] = text:sub(1, cut)
    text = text:sub(cut + 1):gsub("^%s+", "")
  end
  lines[#lines + 1] = text
  return lines
end

local function cell_lines(cell, width)
  if type(cell) ~= "table" then return wrap(cell, width) end
  local lines = {}
  for i, part in ipairs(cell) do
    for _, line in ipairs(wrap(part .. (i < #cell and "," or ""), width)) do
      lines[#lines + 1] = line
    end
  end
  return lines
end

local function print_row(out, cells, widths)
  local columns, height = {}, 1
  for i, cell in ipairs(cells) do
    columns[i] = cell_lines(cell, widths[i] - 2)
    height = math.max(height, #columns[i])
  end
  for line = 1, height do
    local text = ""
    for i, column in ipairs(columns) do
      local part = " " .. (column[line] or "")
      text = text .. part .. (" "):rep(math.max(widths[i] - utf8.len(part), 0))
    end
    out((text:gsub("%s+$", "")))
  end
end

local function column_widths(positions, line_length)
  local widths, last = {}, 0
  for i, position in ipairs(positions) do
    local stop = position <= 1 and math.floor(position * line_length) or position
    widths[i], last = stop - last, stop
    if widths[i] < 4 then
      errors.raise("summary: a line of %d characters is too short for the table", line_length)
    end
  end
  return widths
end

local function matching(layers, range)
  if not range then return 1, #layers end
  local first, last
  for i, layer in ipairs(layers) do
    if layer.name:match("^" .. range[1]) then first = first or i end
    if layer.name:match("^" .. range[2]) then last = i end
  end
  if not first or not last then
    errors.raise("summary: layer_range %s does not match the names of the layers",
      errors.describe(range))
  end
  return math.min(first, last), math.max(first, last)
end

local function total_lines(model)
  local lines = {}
  for i, entry in ipairs{{"Total", model.weights}, {"Trainable", model.trainable_weights},
    {"Non-trainable", model.non_trainable_weights}} do
    local count, bytes = totals(entry[2])
    lines[i] = ("%s params: %s (%s)"):format(entry[1], with_commas(count), readable(bytes))
  end
  return lines
end

local parameters = {
  {"line_length", "integer", optional = true, min = 20, max = 10000},
  {"positions", "list", optional = true},
  {"print_fn", "function", optional = true},
  {"expand_nested", "boolean", default = false}, {"show_trainable", "boolean", default = false},
  {"layer_range", "list", optional = true},
}

--- The columns of the table: titles, ends, and the default length of a line.
local function layout(connected, show_trainable, positions)
  local titles = {"Layer (type)", "Output Shape", "Param #"}
  local length, ends = 65, {0.45, 0.78, 1.0}
  if connected then
    titles[4] = "Connected to"
    length, ends = 98, {0.33, 0.58, 0.70, 1.0}
  end
  ends = positions or ends
  if show_trainable then
    titles[#titles + 1] = "Trainable"
    length = length + 12
    if not positions then
      for i, stop in ipairs(ends) do ends[i] = stop * 0.88 end
      ends[#ends + 1] = 1.0
    end
  end
  return titles, ends, length
end

-- What the table of a model shows: its layers, whether they form more than a chain, and the graph.
local function subject(model)
  local graph = model.__own.graph
  local is_stack = model.__own.stack ~= nil
  return {
    graph = graph, connected = graph ~= nil and not is_stack and not is_chain(graph),
    layers = graph and not is_stack and graph.operations or model.layers,
  }
end

local function cells_of(shown, layer, level, show_trainable)
  local cells = {("%s%s (%s)"):format(("  "):rep(level), layer.name, class_name(layer)),
    output_shape(layer), parameter_text(layer)}
  if shown.connected then cells[4] = level == 0 and connections(shown.graph, layer) or "-" end
  if show_trainable then cells[#cells + 1] = trainable_text(layer) end
  return cells
end

--- What the summary of a model says, for others to set.
-- @tparam Model model
-- @treturn table `{titles = {...}, layers = {{cell, ...}, ...}, totals = {line, ...}}`; a cell is a
-- text, or a list of texts
function summary.content(model)
  local shown = subject(model)
  local rows = {}
  for i, layer in ipairs(shown.layers) do rows[i] = cells_of(shown, layer, 0, false) end
  return {titles = (layout(shown.connected, false)), layers = rows, totals = total_lines(model)}
end

--- Prints the summary of a model.
function summary.print(model, ...)
  local line_length, positions, print_fn, expand_nested, show_trainable, layer_range =
    arguments.bind("summary", parameters, false, ...)
  local out = print_fn or print
  local shown = subject(model)
  local titles, ends, usual_length = layout(shown.connected, show_trainable, positions)
  line_length = line_length or usual_length
  local widths = column_widths(ends, line_length)

  local function print_layer(layer, level)
    print_row(out, cells_of(shown, layer, level, show_trainable), widths)
    if expand_nested and layer.__is_model then
      for _, inner in ipairs(layer.layers) do print_layer(inner, level + 1) end
    end
  end

  out(("Model: %q"):format(model.name))
  out(("_"):rep(line_length))
  print_row(out, titles, widths)
  out(("="):rep(line_length))
  local first, last = matching(shown.layers, layer_range)
  for i = first, last do print_layer(shown.layers[i], 0) end
  out(("="):rep(line_length))
  if not model.built then
    out("The model is not built yet: call it on data, or model:build(input_shape), and it will "
      .. "have weights.")
  end
  for _, line in ipairs(total_lines(model)) do out(line) end
  out(("_"):rep(line_length))
end

return summary
