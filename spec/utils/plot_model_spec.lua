-- Diagrams of models: the text for Graphviz, and running it.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local layers, utils = cusp.layers, cusp.utils

local function count(text, pattern)
  local _, n = text:gsub(pattern, "")
  return n
end

local function nested()
  local a, b = cusp.Input({32}, {name = "title"}), cusp.Input({8}, {name = "body"})
  local dense = {layers.Dense{4, name = "first"}, layers.Dense{5, name = "last"}}
  local inner = cusp.Sequential({cusp.Input{{8}}, table.unpack(dense)}, {name = "inner"})
  local joined = layers.Concatenate{name = "join"}{layers.Dense{16, activation = "relu",
    name = "left"}(a), inner(b)}
  return cusp.Model({a, b}, layers.Dense{4, name = 'q "x" <&>'}(joined))
end

describe("model_to_dot", function()
  it("has a box for each layer and a line for each connection", function()
    local text = utils.model_to_dot(nested())
    assert.are.equal(6, count(text, "%[label="))
    assert.are.equal(5, count(text, "%->"))
    assert.matches("<b>left</b> %(Dense%)", text)
    assert.matches("q &quot;x&quot; &lt;&amp;&gt;", text)
    assert.matches("rankdir=TB", text)
  end)

  it("shows what is asked for", function()
    local text = utils.model_to_dot(nested(), {
      show_shapes = true, show_dtype = true, show_layer_names = false,
      show_layer_activations = true, show_trainable = true, rankdir = "LR",
    })
    assert.matches("Input shape: <b>%[%(None, 16%), %(None, 5%)%]</b>", text)
    assert.matches("Output shape: <b>%(None, 4%)</b>", text)
    assert.matches("Output dtype: <b>float32</b>", text)
    assert.matches("Activation: <b>relu</b>", text)
    assert.matches("Trainable", text)
    assert.is_nil(text:find("left", 1, true))
    assert.matches("rankdir=LR", text)
  end)

  it("expands models within, connected through their first and last layers", function()
    local text = utils.model_to_dot(nested(), {expand_nested = true})
    assert.are.equal(1, count(text, "subgraph cluster_%d"))
    assert.matches("label=\"inner\"", text)
    local function id(name) return text:match("(layer_%d+) %[label=[^\n]*<b>" .. name .. "</b>") end
    for _, edge in ipairs{{"body", "first"}, {"first", "last"}, {"last", "join"},
      {"left", "join"}} do
      assert.is_truthy(text:find(("%s -> %s"):format(id(edge[1]), id(edge[2])), 1, true),
        table.concat(edge, " to "))
    end
  end)

  it("draws a sequence without its input, and a subclassed model as one box", function()
    assert.are.equal(1, count(utils.model_to_dot(cusp.Sequential{cusp.Input{{4}}, layers.Dense{3},
      layers.Dense{2}}), "%->"))
    local Own = cusp.Model:extend "Own"
    function Own:init() self.dense = layers.Dense{2} end
    function Own:call(x) return self.dense(x) end
    local own = Own()
    own(cusp.zeros{1, 3})
    assert.are.equal(1, count(utils.model_to_dot(own), "%[label="))
  end)

  it("says what is wrong", function()
    assert.has_error.matches(function()
      utils.model_to_dot(cusp.Sequential{layers.Dense{2}})
    end, "is not built yet")
    assert.has_error.matches(function() utils.model_to_dot(3) end, "expected a model, got number 3")
    assert.has_error.matches(function()
      utils.model_to_dot(nested(), {show_shape = true})
    end, "did you mean 'show_shapes'")
    assert.has_error.matches(function()
      utils.model_to_dot(nested(), {rankdir = "TOP"})
    end, "'rankdir' should be one of")
  end)
end)

describe("process.run", function()
  local process = require "cusp.native.process"

  it("gives input, returns output, errors and the exit code; arguments go through no shell",
    function()
    assert.are.same({0, "a\0b", ""}, {process.run({"cat"}, "a\0b")})
    assert.are.same({0, "$(echo x) 'y' \"z\"", ""},
      {process.run{"printf", "%s", "$(echo x) 'y' \"z\""}})
    assert.are.same({3, "", "no\n"}, {process.run{"sh", "-c", "echo no >&2; exit 3"}})
    assert.are.equal(128 + 9, (process.run{"sh", "-c", "kill -9 $$"}))
  end)

  it("says why a program cannot be started", function()
    local code, why = process.run{"no-such-program-anywhere"}
    assert.is_nil(code)
    assert.matches("No such file", why)
  end)
end)

local has_dot = require("cusp.native.process").run{"dot", "-V"} == 0
local drawing = has_dot and describe or pending

drawing("plot_model", function()
  it("writes by the file's extension, whatever marks are in its name", function()
    local place <close> = folder.new()
    local path = place.path .. "/a 'b\" $(x)"
    assert.are.equal(path .. ".svg", utils.plot_model(nested(), {to_file = path .. ".svg"}))
    local file = assert(io.open(path .. ".svg"))
    assert.matches("^<%?xml", file:read "a")
    file:close()
    utils.plot_model(nested(), path, {dpi = 40, expand_nested = true})
    file = assert(io.open(path, "rb"))
    assert.are.equal("\137PNG\r\n\26\n", file:read(8))
    file:close()
  end)

  it("names an unknown format and a file that cannot be written", function()
    assert.has_error.matches(function()
      utils.plot_model(nested(), "model.nothing")
    end, "'dot' failed.*nothing")
    assert.has_error.matches(function()
      utils.plot_model(nested(), "/nowhere/model.svg")
    end, "/nowhere/model.svg")
  end)
end)
