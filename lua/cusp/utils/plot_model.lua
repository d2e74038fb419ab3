--- Diagrams of models, through Graphviz.
-- @module cusp.utils.plot_model
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local display = require "cusp.base.display"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local registry = require "cusp.base.registry"
local structure = require "cusp.base.structure"
local whole_file = require "cusp.base.whole_file"

local plot_model = {}

local SCREEN_DPI = 60 -- of a diagram in a notebook

---------------------------------------------------------------- labels

local entities = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;"}

local function escape(text) return (text:gsub('[&<>"]', entities)) end

local function quote(text) return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", " ") .. '"' end

local function class_name(layer)
  return layer.__is_layer and getmetatable(layer).__name or layer.class_name
end

local function activation_name(layer)
  local activation = layer.__is_layer and layer.activation
  if not activation then return nil end
  if type(activation) == "table" then return activation.name or getmetatable(activation).__name end
  local ok, name = engine.attempt(registry.function_name, activation)
  return ok and type(name) == "string" and name or "function"
end

-- The inputs and outputs of a layer's first call: text of the tensors' field, "?" if it was never
-- called on symbolic tensors.
local function of_tensors(values, field)
  local texts = {}
  for i, tensor in ipairs(values) do
    local value = tensor[field]
    texts[i] = type(value) == "table" and structure.shape_text(value) or plain.tostring(value)
  end
  if #texts == 1 then return texts[1] end
  return "[" .. table.concat(texts, ", ") .. "]"
end

local function inputs_and_outputs(layer)
  local node = (layer.__own.nodes or {})[1]
  if node then return node.input_tensors, node.output_tensors end
  local graph = layer.__own.graph
  if graph then return graph.inputs, graph.outputs end
end

local function cell(text, background, color)
  return ('<td bgcolor="%s"><font point-size="14"%s>%s</font></td>'):format(background,
    color and ' color="' .. color .. '"' or "", text)
end

local function cells_of(layer, options)
  local cells = {}
  local inputs, outputs = inputs_and_outputs(layer)
  local function add(name, tensors, field)
    cells[#cells + 1] = cell(("%s: <b>%s</b>"):format(name,
      tensors and escape(of_tensors(tensors, field)) or "?"), "white")
  end
  if options.show_shapes then
    if class_name(layer) ~= "InputLayer" then add("Input shape", inputs, "shape") end
    add("Output shape", outputs, "shape")
  end
  if options.show_dtype then add("Output dtype", outputs, "dtype") end
  if options.show_trainable and layer.__is_layer and #layer.weights > 0 then
    cells[#cells + 1] = cell(("<b>%s</b>"):format(layer.trainable and "Trainable"
      or "Non-trainable"),
      layer.trainable and "forestgreen" or "firebrick", "white")
  end
  return cells
end

-- An HTML-like table: a dark line with the name and the class, and the requested details below.
local function label_of(layer, options)
  local class, cells = escape(class_name(layer)), cells_of(layer, options)
  local title = options.show_layer_names and ("<b>%s</b> (%s)"):format(escape(layer.name), class)
    or ("<b>%s</b>"):format(class)
  local span = math.max(1, #cells)
  local rows = {
    ('<tr><td colspan="%d" bgcolor="black"><font point-size="16" color="white">%s</font></td></tr>')
      :format(span, title),
  }
  local activation = options.show_layer_activations and activation_name(layer)
  if activation then
    rows[#rows + 1] =
      ('<tr><td bgcolor="white" colspan="%d"><font point-size="14">Activation: '
        .. '<b>%s</b></font></td></tr>'):format(span,
      escape(activation))
  end
  if #cells > 0 then rows[#rows + 1] = "<tr>" .. table.concat(cells) .. "</tr>" end
  return '<<table border="0" cellborder="1" bgcolor="black" cellpadding="10">' .. table.concat(rows)
    .. "</table>>"
end

---------------------------------------------------------------- the graph

local Drawing = {}
Drawing.__index = Drawing

local function is_sequential(model)
  return Object.is_instance(model, require("cusp.models").Sequential)
end

function Drawing:add(depth, ...)
  self.lines[#self.lines + 1] = ("  "):rep(depth) .. (...):format(select(2, ...))
end

-- Whether a layer is a model to be shown as a box with its own layers.
function Drawing:is_expanded(layer)
  return self.options.expand_nested and layer.__is_layer and layer.__own.graph ~= nil
end

local function layers_of(model)
  return is_sequential(model) and model.layers or model.__own.graph.operations
end

function Drawing:add_layers(model, depth)
  for _, layer in ipairs(layers_of(model)) do
    if self:is_expanded(layer) then
      self.clusters = self.clusters + 1
      self:add(depth, "subgraph cluster_%d {", self.clusters)
      self:add(depth + 1, "label=%s;", quote(layer.name))
      self:add(depth + 1, "labeljust=l;")
      self:add(depth + 1, "style=dashed;")
      self:add_layers(layer, depth + 1)
      self:add(depth, "}")
    elseif not self.ids[layer] then
      self.count = self.count + 1
      self.ids[layer] = "layer_" .. self.count
      self:add(depth, "%s [label=%s];", self.ids[layer], label_of(layer, self.options))
    end
  end
end

-- The box that a layer's output comes from; for an expanded model, that of the inner layer.
function Drawing:source(layer, output)
  while self:is_expanded(layer) do
    local history = layer.__own.graph.outputs[output]._history
    layer, output = history.operation, history.tensor_index + 1
  end
  return self.ids[layer]
end

function Drawing:target(layer, input)
  while self:is_expanded(layer) do
    layer = is_sequential(layer) and layer.layers[1]
      or layer.__own.graph.inputs[input]._history.operation
  end
  return self.ids[layer]
end

function Drawing:add_edge(source, target)
  local edge = ("%s -> %s"):format(source, target)
  if not source or not target or self.edges[edge] then return end
  self.edges[edge] = true
  self:add(1, "%s [penwidth=2];", edge)
end

function Drawing:add_edges(model)
  local layers = layers_of(model)
  if is_sequential(model) then
    for i = 2, #layers do
      self:add_edge(self:source(layers[i - 1], 1), self:target(layers[i], 1))
    end
  else
    for _, node in ipairs(model.__own.graph.nodes) do
      for i, tensor in ipairs(node.input_tensors) do
        self:add_edge(self:source(tensor._history.operation, tensor._history.tensor_index + 1),
          self:target(node.operation, i))
      end
    end
  end
  for _, layer in ipairs(layers) do
    if self:is_expanded(layer) then self:add_edges(layer) end
  end
end

local function draw(model, options)
  local self = setmetatable({options = options, lines = {}, ids = {}, edges = {}, count = 0,
    clusters = 0}, Drawing)
  self:add(0, "digraph %s {", quote(model.name))
  self:add(1, "graph [rankdir=%s, concentrate=true, dpi=%d, splines=%s];", options.rankdir,
    options.dpi, options.splines)
  self:add(1, 'fontname="Helvetica";')
  self:add(1, 'node [shape=plain, fontname="Helvetica", margin=0];')
  if model.__own.graph then
    self:add_layers(model, 1)
    self:add_edges(model)
  else
    self:add(1, "layer_1 [label=%s];", label_of(model, options))
  end
  self:add(0, "}")
  return table.concat(self.lines, "\n") .. "\n"
end

---------------------------------------------------------------- functions

local function parameters(show_layer_names)
  return {
    {"model", "any"},
    {"show_shapes", "boolean", default = false}, {"show_dtype", "boolean", default = false},
    {"show_layer_names", "boolean", default = show_layer_names},
    {"rankdir", "choice", choices = {"TB", "LR", "BT", "RL"}, default = "TB"},
    {"expand_nested", "boolean", default = false},
    {"dpi", "integer", default = 200, min = 10, max = 1200},
    {"show_layer_activations", "boolean", default = false},
    {"show_trainable", "boolean", default = false},
    {"splines", "choice", choices = {"ortho", "curved", "polyline", "spline", "line"},
      default = "ortho"},
  }
end

local bind_dot = arguments.named_binder("model_to_dot", parameters(true), false)
local plot_parameters = parameters(false)
table.insert(plot_parameters, 2, {"to_file", "string", default = "model.png"})
local bind_plot = arguments.named_binder("plot_model", plot_parameters, false)

local function check_model(owner, model)
  if type(model) ~= "table" or not model.__is_layer then
    errors.raise("%s: expected a model, got %s", owner, errors.describe(model))
  end
  if not model.built then
    errors.raise(
      "%s: the model '%s' is not built yet: call build, fit, or the model on a batch of data first",
      owner, model.name)
  end
  return model
end

--- A model as text in Graphviz's DOT language.
-- @tparam Model model built
-- @tparam[opt=false] boolean show_shapes
-- @tparam[opt=false] boolean show_dtype
-- @tparam[opt=true] boolean show_layer_names
-- @tparam[opt="TB"] string rankdir "TB": from top to bottom, "LR": from left to right
-- @tparam[opt=false] boolean expand_nested show the layers of nested models
-- @tparam[opt=200] integer dpi
-- @tparam[opt=false] boolean show_layer_activations
-- @tparam[opt=false] boolean show_trainable
-- @tparam[opt="ortho"] string splines style of lines: "ortho", "curved", "polyline", "spline",
-- "line"
-- @treturn string
-- @raise if the model is not built
function plot_model.model_to_dot(...)
  local options = bind_dot(...)
  return draw(check_model("model_to_dot", options.model), options)
end

local function run_dot(format, text)
  local code, output, problems = require("cusp.base.native").load("process",
    "plot_model").run({"dot", "-T" .. format}, text)
  if not code then
    errors.raise(
      "plot_model: Graphviz's program 'dot' cannot be started (%s); install Graphviz (Debian: apt "
      .. "install graphviz), "
      .. "or write the text of cusp.utils.model_to_dot(model) to a file", output)
  end
  if code ~= 0 or output == "" then
    errors.raise("plot_model: Graphviz's 'dot' failed (code %d): %s", code,
      (problems:gsub("%s+$", "")))
  end
  return output
end

--- Draws a model to a file: PNG, SVG, PDF or any other format of Graphviz, by the file's extension
-- (PNG without one); in a notebook it is shown as well. The other arguments are those of
-- `model_to_dot`, with layer names off by default.
-- @tparam Model model built
-- @tparam[opt="model.png"] string to_file
-- @treturn string the file's name
-- @raise if the model is not built, Graphviz is missing or the file cannot be written
-- @usage cusp.utils.plot_model(model, {to_file = "model.svg", show_shapes = true})
function plot_model.plot_model(...)
  local options = bind_plot(...)
  check_model("plot_model", options.model)
  local extension = options.to_file:match "%.([%w]+)$" or "png"
  local picture = run_dot(plain.lower(extension), draw(options.model, options))
  whole_file.write(options.to_file, picture)
  if display.is_open() then
    options.dpi = SCREEN_DPI
    display.svg(run_dot("svg", draw(options.model, options)), options.to_file)
  end
  return options.to_file
end

return plot_model
