--- Several inputs and outputs in one model: tickets of a help desk, by title, body and tags, are
-- given a priority and a department. The tickets are made up, by a rule that the model has to find.
-- Usage: build/cusp scripts/examples/multi_input.lua [EPOCHS [MODEL.png]]
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops
local epochs, picture = tonumber(arg[1] or 6), arg[2]
local words, departments, tags, length = 500, 4, 12, 20

cusp.random.set_seed(2)

--- Tickets whose words are mostly those of their department, and which are urgent when word 7 or
-- the first tag is there.
local function tickets(count)
  local department = cusp.random.randint({count}, 0, departments)
  local function text()
    local own = cusp.random.randint({count, length}, 0, words // departments)
      + department:reshape{-1, 1} * (words // departments)
    return ops.where(cusp.random.uniform{count, length}:less(0.5), own,
      cusp.random.randint({count, length}, 0, words))
  end
  local title, body = text(), text()
  local tagged = cusp.random.uniform{count, tags}:less(0.2):cast "float32"
  local says_now = ops.any(ops.equal(title, 7), 2)
  local priority = ops.logical_or(says_now, ops.equal(tagged:slice{{}, {1, 1}}:reshape{-1}, 1))
  return {title = title, body = body, tags = tagged},
    {priority = priority:cast "float32":reshape{-1, 1}, department = department}
end

local title = cusp.Input{shape = {length}, dtype = "int32", name = "title"}
local body = cusp.Input{shape = {length}, dtype = "int32", name = "body"}
local tag_input = cusp.Input{shape = {tags}, name = "tags"}

local embed = layers.Embedding(words, 32) -- shared by both texts
local function read(text) return layers.GlobalMaxPooling1D()(embed(text)) end
local features = layers.Concatenate(){read(title), read(body), tag_input}
features = layers.Dense{64, activation = "relu"}(features)

local model = cusp.Model{
  inputs = {title = title, body = body, tags = tag_input},
  outputs = {
    priority = layers.Dense{1, activation = "sigmoid", name = "priority"}(features),
    department = layers.Dense{departments, activation = "softmax", name = "department"}(features),
  },
}
model:compile{
  optimizer = "adam",
  loss = {priority = "binary_crossentropy", department = "sparse_categorical_crossentropy"},
  loss_weights = {priority = 1.0, department = 0.5},
  metrics = {priority = {"accuracy", "AUC"}, department = {"accuracy"}},
}
model:summary()
if picture then cusp.utils.plot_model(model, {to_file = picture, show_shapes = true}) end

local x, y = tickets(8000)
local x_test, y_test = tickets(1000)
model:fit{x, y, batch_size = 64, epochs = epochs, validation_split = 0.1}

local results = model:evaluate{x_test, y_test, verbose = 0, return_dict = true}
print(("New tickets: priority right for %.1f%%, department for %.1f%%."):format(
  100 * results.priority_accuracy, 100 * results.department_accuracy))
