local cusp = require "cusp"
local doc_comments = require "cusp.base.doc_comments"
local engine = require "cusp.engine"
local examples = require "cusp.prompt.examples"
local help = require "cusp.prompt.help"
local namespace = require "cusp.base.namespace"
local parameters = require "cusp.prompt.parameters"

-- What a function prints.
local function printed(f, ...)
  local lines, own = {}, rawget(_G, "print")
  rawset(_G, "print", function(...)
    local parts = table.pack(...)
    for i = 1, parts.n do parts[i] = tostring(parts[i]) end
    lines[#lines + 1] = table.concat(parts, "\t")
  end)
  local ok, problem = pcall(f, ...)
  rawset(_G, "print", own)
  if not ok then error(problem, 0) end
  return table.concat(lines, "\n")
end

local function helped(...) return printed(help.print, ...) end

local function has(text, ...)
  for _, part in ipairs{...} do assert.matches(part, text, 1, true) end
end

describe("help", function()
  it("describes operations, with defaults and an example", function()
    has(helped "softmax", "ops.softmax(x, axis = {-1})", "Arguments, in order:", "Example:",
      "cusp.ops.softmax(cusp.tensor", "-->", "softmax is also:", "layers.Softmax")
    has(helped "cond", "true_fn   function: without arguments", "--> 30.0")
    has(helped "while_loop", "loop_vars           {tensor,...}: the first values", "--> 6")
    has(helped "switch", "ops.switch(index, branches, ...)")
    has(helped(cusp.ops.relu), "ops.relu(x)")
  end)

  it("describes the constants of the library", function()
    has(helped "newaxis", "a new axis of size 1")
    has(helped "cusp.null", "Python's None")
    has(helped "cusp.None", "size of an axis that is not known")
  end)

  it("describes methods", function()
    has(helped "model:fit", "model:fit(x = nil, y = nil, batch_size = nil,", "Trains the model.")
    has(helped "Model.fit", "Trains the model.")
    has(helped "fit", "Trains the model.", "validation_split       number, default 0: ")
    has(helped "t:slice", "tensor:slice{{first, last, step}, ...}", "Example:")
    has(helped "t:matmul", "ops.matmul(x1, x2")
    has(helped "gradient", "tape:gradient(target, sources,", "unconnected_gradients = \"none\"")
    has(helped "jacobian", "tape:jacobian(target")
    has(helped "Dataset.map", "dataset:map(map_func,")
    has(helped "model:save", "filepath           string")
    has(helped "v:assign", "variable:assign(value)")
  end)

  it("describes classes, namespaces and values", function()
    has(helped "GradientTape", "class GradientTape", "Methods:\n  batch_jacobian",
      "gradient jacobian")
    has(helped "layers.Dense", "layers.Dense{units, activation = \"linear\",", "Example:")
    has(helped "Adam", "optimizers.Adam{learning_rate = 0.001,")
    has(helped "hdf5", "create load open save")
    has(helped(cusp.layers), "cusp.layers", "Dense")
    has(helped(cusp.data.Dataset.range(3)),
      "Datasets: sequences of elements", "rejection_resample")
    has(helped(cusp.ones{2, 3}), "a tensor of shape {2, 3}, float32")
    has(helped "mse", "Mean over the last axis of")
    has(helped(5), "a number: 5")
  end)

  it("knows what stands in rooms that are loaded late", function()
    has(helped "model:quantize", "model:quantize(mode = nil, config = nil,", "Quantizes the layers")
    has(helped "model:export_c", "model:export_c(path, prefix = nil,", "as one C99 file")
    has(helped "draw_bounding_boxes", "visualization.draw_bounding_boxes(images, bounding_boxes,")
    has(helped "DataParallel", "class DataParallel", "Every process has the whole model")
    has(helped "TopKSampler", "class TopKSampler", "One of the k likeliest tokens.")
  end)

  it("changes nothing by looking", function()
    helped "GradientTape"
    assert.is_false(engine.recording())
    local layer = cusp.layers.Dense(1)
    helped "layers.Dense"
    helped "Dropout"
    local number = tonumber(layer.name:match "%d+$" or 0)
    assert.equal(number + 1, tonumber(cusp.layers.Dense(1).name:match "%d+$"))
  end)

  it("lists all meanings of a name", function()
    has(helped "dropout", "ops.dropout(key, x, rate,", "dropout is also:", "random.dropout",
      "layers.Dropout")
    assert.is_nil(helped("layers.Dropout"):find("is also", 1, true))
  end)

  it("says what it does not know, and what is like it", function()
    has(helped "softmx", "nothing is known of 'softmx'; did you mean 'ops.softmax'")
    has(helped "model:fti", "did you mean 'model:fit'?")
    has(helped "layers.Denze", "did you mean 'layers.Dense'")
    has(helped "xqzwv", "nothing is known of 'xqzwv'\napropos")
    has(helped(nil), "the value is nil", "help()")
    has(helped "", "nothing is known of ''")
    has(helped(), "Tab completes")
  end)

  it("prefers what the program has under the name", function()
    rawset(_G, "spec_model", cusp.Sequential{cusp.layers.Dense(1)})
    rawset(_G, "dropout", function(spec_rate) return spec_rate end)
    has(helped "spec_model", "class Sequential")
    has(helped "spec_model:fit", "Trains the model.")
    has(helped "dropout", "dropout(spec_rate)")
    rawset(_G, "spec_model", nil)
    rawset(_G, "dropout", nil)
  end)

  it("shows sources", function()
    has(printed(help.source, "cond"), "control.lua:",
      "local function cond(pred, true_fn, false_fn)")
    has(printed(help.source, "layers.Dense"), "dense.lua:1", "Layer:extend(\"Dense\"")
    has(printed(help.source, "Softmax"), "Layer:extend(\"Softmax\"")
    has(printed(help.source, "matmul"), "ops.matmul is written in C")
    has(printed(help.source, "nothing_at_all"), "nothing is known of")
  end)

  it("searches descriptions", function()
    local text = printed(help.apropos, "pooling")
    has(text, "layers.MaxPooling2D", "layers.GlobalAveragePooling1D")
    has(printed(help.apropos, "EINSUM"), "ops.einsum ")
    has(printed(help.apropos, "xqzwv"), "nothing mentions 'xqzwv'")
    has(printed(help.apropos), 'apropos expects a word')
  end)
end)

-- Runs an example; "--> value" after an expression that is printed is what it prints.
local function run_example(name, text)
  local printed_text = printed(function()
    local chunk = assert(load("local cusp = require 'cusp'\n" .. text, "=" .. name))
    chunk()
  end)
  local said = {}
  for value in text:gmatch "%-%->%s*([^\n]*)" do said[#said + 1] = value end
  assert.equal(table.concat(said, "\n"), (printed_text:gsub("\t", " ")), name)
end

describe("examples in help", function()
  it("of operations in Lua run, and print what they say", function()
    local count = 0
    for name, body in pairs(require("cusp.ops.define").bodies) do
      local comment = doc_comments.of_function(body)
      for _, text in ipairs(comment and comment.usage or {}) do
        run_example(name, text)
        count = count + 1
      end
    end
    assert.is_true(count >= 8)
  end)

  it("of methods in C run, and print what they say", function()
    for name, note in pairs(require("cusp.prompt.methods").engine) do
      run_example(name, note.example)
    end
  end)

  it("of classes make an instance", function()
    local count = 0
    for _, space in ipairs{"layers", "optimizers", "losses", "metrics", "callbacks",
      "initializers", "regularizers", "constraints"} do
      for _, name in ipairs(namespace.names(cusp[space])) do
        local class = cusp[space][name]
        local comment = parameters.is_class(class) and doc_comments.of_class(class)
        local text = comment and #comment.usage == 0
          and examples.of_class(space .. "." .. name, parameters.known(class, comment))
        if text then
          assert(load("local cusp = ... " .. text, "=" .. name))(cusp)
          count = count + 1
        end
      end
    end
    assert.is_true(count > 100, count)
  end)

  it("are found for nearly all operations", function()
    local missing = {}
    for name, row in pairs(cusp.ops.describe()) do
      local text = examples.of_operation(row)
      if text then
        assert(load("local cusp = ... return " .. text, "=" .. name))
      elseif examples.given[name] then
        missing[#missing + 1] = name
      end
    end
    assert.same({}, missing)
    for name in pairs(examples.given) do
      assert.is_truthy(examples.of_operation{name = name}, name)
    end
  end)
end)
