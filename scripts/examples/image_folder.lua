--- Images in folders: the name of each folder is the class of its images.
-- Usage: build/cusp scripts/examples/image_folder.lua FOLDER [EPOCHS]
-- If FOLDER does not exist, it is created, with drawn digits in the folders "0" to "9".
local cusp = require "cusp"
local files = require("cusp.engine").files
local layers = cusp.layers
local folder, epochs = assert(arg[1], "usage: image_folder.lua FOLDER [EPOCHS]"),
  tonumber(arg[2] or 5)
local size, batch_size = {28, 28}, 32

cusp.random.set_seed(1)

local function draw_pictures(count)
  local train = cusp.datasets.digits.load_data()
  local labels = train[2]:slice{{1, count}}:tolist()
  for class = 0, 9 do files.make_directories(("%s/%d"):format(folder, class)) end
  for i, label in ipairs(labels) do
    cusp.utils.save_img(("%s/%d/%04d.png"):format(folder, label, i), train[1][i], {scale = false})
  end
  print(("Drew %d pictures into %s"):format(count, folder))
end
if not files.is_directory(folder) then draw_pictures(2000) end

local function read(subset)
  return cusp.utils.image_dataset_from_directory{
    folder, image_size = size, color_mode = "grayscale", batch_size = batch_size,
    validation_split = 0.2, subset = subset, seed = 5,
  }
end
local train, validation = read "training", read "validation"
local classes = train.class_names
print("Classes: " .. table.concat(classes, ", "))

local model = cusp.Sequential{
  cusp.Input{shape = {size[1], size[2], 1}},
  layers.Rescaling(1 / 255),
  layers.Conv2D{16, 3, activation = "relu"}, layers.MaxPooling2D(2),
  layers.Conv2D{32, 3, activation = "relu"}, layers.MaxPooling2D(2), layers.Flatten(),
  layers.Dense{64, activation = "relu"}, layers.Dense(#classes),
}
model:compile{
  optimizer = cusp.optimizers.Adam(0.003),
  loss = cusp.losses.SparseCategoricalCrossentropy{from_logits = true}, metrics = {"accuracy"},
}
model:summary()
model:fit{train, epochs = epochs, validation_data = validation}
