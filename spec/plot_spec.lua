-- Charts: the panels of a history, the positions of marks, files and terminal.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local panels = require "cusp.plot.panels"
local plot = require "cusp.plot"
local scale = require "cusp.plot.scale"
local terminal = require "cusp.plot.terminal"
local text_files = require "spec.support.text_files"

local read = text_files.read

local function texts(axis)
  local list = {}
  for i, tick in ipairs(axis.ticks) do list[i] = tick.text end
  return list
end

local history = {epoch = {1, 2, 3, 4}, history = {
  loss = {1.0, 0.5, 0.25, 0.2}, val_loss = {1.1, 0.6, 0 / 0, 0.4}, accuracy = {0.1, 0.2, 0.3, 0.4},
  val_accuracy = {0.2, 0.3},
  learning_rate = {0.1, 0.1, 0.01, 0.001},
}}

describe("axes", function()
  it("have marks at round numbers", function()
    assert.are.same({"0.0", "0.2", "0.4", "0.6", "0.8"}, texts(scale.linear(0.03, 0.72, 5)))
    assert.are.same({"5", "10", "15", "20", "25"},
      texts(scale.linear(1, 25, 6, {whole = true, tight = true})))
    assert.are.same({"-2", "0", "2", "4"}, texts(scale.linear(-1.5, 3.5, 4)))
    assert.are.same({"0.001", "0.01", "0.1", "1", "10"}, texts(scale.logarithmic(0.001, 12)))
  end)

  it("exist for a single value", function()
    local axis = scale.linear(3, 3, 5)
    assert.is_true(axis.place(3) > 0 and axis.place(3) < 1)
    assert.is_true(#axis.ticks >= 2)
    assert.are.same({"0", "1", "2"}, texts(scale.linear(1, 1, 5, {whole = true, tight = true})))
    assert.is_true(#scale.logarithmic(2, 2).ticks >= 1)
  end)
end)

describe("panels", function()
  it("are the loss, the metrics and the learning rate, with validation where there is some",
    function()
    local list = panels.of_history(history)
    assert.are.same({"loss", "accuracy", "learning_rate"},
      {list[1].title, list[2].title, list[3].title})
    assert.are.same({2, 2, 1}, {#list[1].series, #list[2].series, #list[3].series})
    assert.are.same({2, 4}, list[2].series[2].x) -- every second epoch was validated
  end)

  it("are logarithmic where values spread wide, or when told", function()
    local wide = {epoch = {1, 2}, history = {loss = {1000, 0.1}}}
    assert.is_true(panels.of_history(wide)[1].logarithmic)
    assert.is_nil(panels.of_history(wide, nil, "linear")[1].logarithmic)
    assert.is_true(panels.of_history(history, {"loss"}, "log")[1].logarithmic)
    local negative = {epoch = {1}, history = {loss = {-1}}}
    assert.has_error.matches(function()
      panels.of_history(negative, nil, "log")
    end, "no positive values")
  end)

  it("say what is not there", function()
    assert.has_error.matches(function()
      panels.of_history(history, {"acuracy"})
    end, "no 'acuracy' %(did you mean 'accuracy'")
    assert.has_error.matches(function()
      panels.of_history{epoch = {}, history = {}}
    end, "no numbers to show")
  end)

  it("break lines where values are not finite", function()
    local count, lone = 0, 0
    local panel = panels.of_history(history)[1]
    panels.each_segment(panel, panel.series[2], function(_, _, x2)
      if x2 then count = count + 1 else lone = lone + 1 end
    end)
    assert.are.same({1, 1}, {count, lone})
  end)
end)

describe("history:plot", function()
  it("writes PNG and SVG by the file's name", function()
    local place <close> = folder.new()
    local model = cusp.Sequential{cusp.layers.Dense{1}}
    model:compile{optimizer = "sgd", loss = "mse"}
    local own = model:fit{cusp.ones{8, 2}, cusp.ones{8, 1}, epochs = 2, verbose = 0,
      validation_split = 0.5}
    assert.are.equal(own, own:plot(place.path .. "/run.png", {title = "A run", dpi = 72}))
    assert.are.equal("\137PNG\r\n\26\n", read(place.path .. "/run.png"):sub(1, 8))
    own:plot(place.path .. "/run.SVG")
    assert.matches("^<%?xml.*</svg>", read(place.path .. "/run.SVG"))
  end)

  it("draws histories of one epoch, of many metrics, of nothing finite in one of them", function()
    local place <close> = folder.new()
    plot.history({epoch = {1}, history = {loss = {0.5}}}, place.path .. "/a.png")
    local many = {epoch = {1, 2}, history = {loss = {0 / 0, 1 / 0}, list = {{}, {}}}}
    for i = 1, 7 do many.history["metric_" .. i] = {i, 2 * i} end
    plot.history(many, place.path .. "/b.svg")
  end)

  it("draws characters, each line as wide as asked for at most", function()
    local text = terminal.draw(panels.of_history(history), {width = 60, height = 6})
    assert.matches("loss   ⠤⠤ training 0.2   ⠄⠄ validation 0.4", text)
    assert.matches("epoch", text)
    for line in text:gmatch "[^\n]+" do assert.is_true(utf8.len(line) <= 66, line) end
    assert.is_nil(text:find "\27")
    assert.matches("\27%[34m",
      terminal.draw(panels.of_history(history), {width = 60, height = 6, color = true}))
  end)

  it("says what is missing where there is nothing to draw", function()
    local diverged = {epoch = {1, 2}, history = {loss = {0 / 0, 0 / 0}}}
    assert.has_error.matches(function()
      plot.history(diverged, "run.png")
    end, "all its values are NaN or infinite")
    assert.has_error.matches(function() plot.history "run.png" end, "with a colon")
  end)

  it("says which file names it takes, and which file it cannot write", function()
    assert.has_error.matches(function()
      plot.history(history, "run.jpg")
    end, "ends in .png or .svg, got string \"run.jpg\"")
    assert.has_error.matches(function() plot.history(history, "run") end, "ends in .png or .svg")
    assert.has_error.matches(function()
      plot.history(history, "/nowhere/run.png")
    end, "/nowhere/run.png")
    assert.has_error.matches(function()
      plot.history(history, "run.png", {widht = 3})
    end, "unknown argument 'widht'")
    assert.has_error.matches(function()
      plot.history(history, "run.png", {width = 1e7})
    end, "a picture is 1 to 20000 pixels wide")
  end)
end)
