--- Milliseconds that image layers take for 32 images of 224 x 224 x 3 floats: medians of seven
-- calls, alone and compiled.
-- Usage: build/cusp scripts/bench/image_layers.lua [NAME...]
-- scripts/bench/image_layers.py does the same with Keras.
local cusp = require "cusp"
local engine = require "cusp.engine"

local rows = {
  {"RandomFlip", {}}, {"RandomRotation", {factor = 0.2}}, {"RandomZoom", {height_factor = 0.2}},
  {"RandomTranslation", {height_factor = 0.2, width_factor = 0.2}},
  {"RandomShear", {x_factor = 0.2}}, {"RandomPerspective", {}},
  {"RandomElasticTransform", {}}, {"RandomBrightness", {factor = 0.2}},
  {"RandomContrast", {factor = 0.2}},
  {"RandomHue", {factor = 0.2}}, {"RandomSaturation", {factor = 0.2}},
  {"RandomSharpness", {factor = 0.2}},
  {"RandomErasing", {}}, {"RandomGaussianBlur", {}}, {"MixUp", {}}, {"CutMix", {}},
  {"AutoContrast", {}}, {"Equalization", {}},
  {"ContrastLimitedAdaptiveHistogramEqualization", {}}, {"Resizing", {height = 128, width = 128}},
  {"RandAugment", {}},
}

local function median(f, x)
  engine.evaluate{f(x)}
  local times = {}
  for i = 1, 7 do
    local start = engine.monotonic()
    engine.evaluate{f(x)}
    times[i] = engine.monotonic() - start
  end
  table.sort(times)
  return times[4] * 1e3
end

local wanted = {}
for _, name in ipairs(arg) do wanted[name] = true end
local x = cusp.random.uniform({32, 224, 224, 3}, 0, 255, {seed = 1})
for _, row in ipairs(rows) do
  local name = row[1]
  if #arg == 0 or wanted[name] then
    local layer = cusp.layers[name](row[2])
    local function run(images) return layer(images, {training = true}) end
    print(("%-45s %8.1f %8.1f"):format(name, median(run, x), median(cusp.compile(run), x)))
  end
end
