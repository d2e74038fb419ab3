--- Makes the pictures of the README: the chart of a training, and the prompt in a terminal (tmux).
-- Usage: build/cusp scripts/pictures.lua [chart|prompt]
-- It writes docs/training.svg and docs/prompt.svg.
local cusp = require "cusp"
local terminal = dofile "scripts/pictures/terminal.lua"

local program = arg[-1]
local columns, rows = 80, 24

local function chart()
  local layers = cusp.layers
  cusp.random.set_seed(1)
  local train, test = cusp.datasets.digits.load_data()
  local model = cusp.Sequential{
    cusp.Input{shape = {28, 28}},
    layers.Flatten(),
    layers.Dense{64, activation = "relu"},
    layers.Dropout(0.2),
    layers.Dense{10, activation = "softmax"},
  }
  model:compile{optimizer = "adam", loss = "sparse_categorical_crossentropy",
    metrics = {"accuracy"}}
  local history = model:fit{train[1] / 255, train[2], epochs = 12, verbose = 0,
    validation_data = {test[1] / 255, test[2]}}
  history:plot{"docs/training.svg", width = 640, height = 240}
end

-- What is typed at the prompt; the last line is left as it is after Tab.
local inputs = {
  "x = cusp.tensor{{1.0, 2.0}, {3.0, 4.0}}",
  "x:sum{axis = 1}",
  "dense = layers.Dense{8, activation = \"relu\"}",
  "dense(x).shape",
  "layers.Dense{3, actvation = \"relu\"}",
  "?relu",
}
local unfinished = "layers.Dense{10, activation = \"so"

local function prompt()
  local session <close> = terminal.open(program, columns, rows)
  for _, line in ipairs(inputs) do session:type(line, "Enter") end
  session:type(unfinished, "Tab", "Tab")
  local file <close> = assert(io.open("docs/prompt.svg", "w"))
  file:write(terminal.svg(session:screen(), columns, rows))
end

local pictures = {chart = chart, prompt = prompt}
local wanted = arg[1] and {arg[1]} or {"chart", "prompt"}
for _, name in ipairs(wanted) do pictures[name]() end
