--- `cusp plot`: a model as a picture.
-- @module cusp.commands.plot
local files = require "cusp.commands.machinery.files"

local function run(given)
  files.run_scripts(given.require)
  local model = files.model(given.FILE, nil, false)
  require("cusp.utils").plot_model{model, to_file = given.OUT, show_shapes = not given["no-shapes"],
    show_dtype = given["show-dtype"] or false, show_layer_names = not given["no-names"],
    expand_nested = given["expand-nested"] or false, rankdir = given.rankdir or "TB",
    show_layer_activations = given["show-activations"] or false,
    show_trainable = given["show-trainable"] or false, dpi = given.dpi or 200}
end

return {
  name = "plot", run = run,
  usage = "plot FILE OUT.svg [--expand-nested] [--rankdir LR]",
  about = "Draws a model as SVG, PNG or PDF, by the ending of OUT.",
  operands = {"FILE", "OUT"},
  options = {
    {"expand-nested", "flag", about = "also draw the layers of models within"},
    {"show-activations", "flag", about = "write the activation of each layer"},
    {"show-dtype", "flag", about = "write the dtype of each layer"},
    {"show-trainable", "flag", about = "write whether a layer is trained"},
    {"no-shapes", "flag", about = "leave out the shapes"},
    {"no-names", "flag", about = "leave out the names of layers"},
    {"rankdir", "choice", choices = {"TB", "LR", "BT", "RL"}, value = "TB|LR",
      about = "from top to bottom (the default), or from left to right"},
    {"dpi", "integer", value = "N", min = 1, about = "resolution of PNG (200)"},
    files.require_option,
  },
}
