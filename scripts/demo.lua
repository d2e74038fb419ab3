--- `make demo`: trains a small network on drawn digits, and shows in the terminal how it classifies
-- new ones.
local cusp = require "cusp"
local engine = require "cusp.engine"
local layers = cusp.layers

cusp.random.set_seed(1)

local clock = cusp.time()
local train, test = cusp.datasets.digits.load_data()
local x_train, y_train = train[1]:cast("float32") / 255, train[2]
local x_test, y_test = test[1]:cast("float32") / 255, test[2]
print(("Drew %d digits to learn from and %d to be tested on in %.2f s.\n"):format(#y_train, #y_test,
  cusp.time() - clock))

local model = cusp.Sequential{
  cusp.Input{shape = {28, 28}},
  layers.Flatten(),
  layers.Dense{256, activation = "relu"},
  layers.Dense{128, activation = "relu"},
  layers.Dense{10, activation = "softmax"},
}
model:compile{optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = {"accuracy"}}
model:summary()

clock = cusp.time()
model:fit{x_train, y_train, batch_size = 64, epochs = 10}
local seconds = cusp.time() - clock
local _, accuracy = model:evaluate{x_test, y_test, verbose = 0}
print(("\nTrained in %.1f s. Of %d digits it has never seen it reads %.1f%% right.\n"):format(
  seconds, #y_test, 100 * accuracy))

---------------------------------------------------------------- pictures

local colours = engine.is_terminal(1)
local shades = " .:-=+*#%@"

--- Maps a grey level, 0 to 255, to one of the 24 greys (or black and white) of a 256-colour
-- terminal.
local function grey(level)
  if level < 4 then return 16 end
  if level > 246 then return 231 end
  return 232 + math.min(23, (level - 4) * 24 // 243)
end

--- An image as 14 lines of 28 characters: two pixels per character, as half blocks if there are
-- colours.
local function render(pixels)
  local lines = {}
  for row = 1, 28, 2 do
    local cells = {}
    for column = 1, 28 do
      local upper, lower = pixels[row][column], pixels[row + 1][column]
      if colours then
        cells[column] = ("\27[38;5;%d;48;5;%dm▀"):format(grey(upper), grey(lower))
      else
        local shade = 1 + (upper + lower) * (#shades - 1) // 510
        cells[column] = shades:sub(shade, shade)
      end
    end
    lines[#lines + 1] = table.concat(cells) .. (colours and "\27[0m" or "")
  end
  return lines
end

local function caption(truth, probabilities)
  local best = 1
  for class = 2, 10 do
    if probabilities[class] > probabilities[best] then best = class end
  end
  local text = ("a %d, %.1f%% sure"):format(best - 1, 100 * probabilities[best])
  if best - 1 ~= truth then text = text .. (" (it is a %d)"):format(truth) end
  return (" %-27s"):format(text)
end

local per_line, count = 3, 6
local images, labels = test[1]:slice{{1, count}}:tolist(), test[2]:slice{{1, count}}:tolist()
local predictions = model:predict{x_test:slice{{1, count}}, verbose = 0}:tolist()

for first = 1, count, per_line do
  local pictures, captions = {}, {}
  for i = first, first + per_line - 1 do
    pictures[#pictures + 1] = render(images[i])
    captions[#captions + 1] = caption(labels[i], predictions[i])
  end
  for line = 1, 14 do
    local parts = {}
    for i, picture in ipairs(pictures) do parts[i] = picture[line] end
    print(table.concat(parts, " "))
  end
  print(table.concat(captions, " ") .. "\n")
end

os.exit(accuracy >= 0.97, true)
