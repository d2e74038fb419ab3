-- Run by spec/locale_spec.lua: sets the locale of its first argument, then prints and reads
-- numbers, in the folder of the second.
local name, folder = arg[1], arg[2]
assert(os.setlocale(name), "no locale " .. name)
local cusp = require "cusp"
local engine = require "cusp.engine"
local text_files = require "spec.support.text_files"
local layers = cusp.layers

local function same(expected, got)
  if expected ~= got then error(("expected %s, got %s"):format(expected, got), 2) end
end

local read = text_files.read

same("tensor(1.5, dtype = float32)", tostring(cusp.tensor(1.5)))
same("tensor([1.5e-09, 1.5e+09], shape = {2}, dtype = float32)",
  tostring(cusp.tensor{1.5e-9, 1.5e9}))
same("[1.5,0.1,1e-07]", cusp.json.encode({1.5, 0.1, 1e-7}, {separators = {",", ":"}}):gsub(" ", ""))
same(1.5, cusp.json.decode("[1.5]")[1])
same(1.5, cusp.yaml.decode(cusp.yaml.encode{a = 1.5}).a)
same("1,5", cusp.yaml.decode('a: "1,5"').a)

local ok, message = pcall(layers.Dropout, 1.5)
same(false, ok)
assert(message:find("1.5", 1, true), message)
ok, message = pcall(cusp.ops.arange, 1.5, math.huge)
assert(not ok and message:find("1.5", 1, true), message)
same("Dropout(0.25)", tostring(layers.Dropout{0.25}))
assert(cusp.initializers.get "identity", "names in small letters")
assert(tostring(cusp.optimizers.Adam{0.0015}):find "0%.0015")

local csv = folder .. "/in.csv"
local file = assert(io.open(csv, "w"))
file:write "a,b\n1.5,x\n2.25,y\n"
file:close()
local row = cusp.data.from_csv(csv):iterate()()
same("float32", row.a.dtype)
same(1.5, row.a:item())

local model = cusp.Sequential{
  layers.Input{{3}}, layers.Dropout{0.25},
  layers.Dense{2, kernel_initializer = cusp.initializers.RandomNormal{0.0, 0.05}},
}
model:compile{optimizer = cusp.optimizers.Adam{0.0015}, loss = "mse"}
model:fit(cusp.ones{8, 3}, cusp.ones{8, 2}, {epochs = 2, verbose = 2, callbacks = {
  cusp.callbacks.CSVLogger{folder .. "/log.csv"},
  cusp.callbacks.ModelCheckpoint{folder .. "/at-{loss:.3f}.keras"},
}})
assert(read(folder .. "/log.csv"):find "^epoch,loss,val_loss\n0,%d%.%d+,NA\n1,%d%.%d+,NA\n$",
  "the log of CSVLogger")
local x = cusp.ones{1, 3}
local expected = model:predict(x, {verbose = 0}):tolist()[1][1]
for _, format in ipairs{"keras", "h5"} do
  local path = folder .. "/model." .. format
  model:save(path)
  local again = cusp.models.load_model(path)
  same(expected, again:predict(x, {verbose = 0}):tolist()[1][1])
  same(0.25, again.layers[1].rate)
end
model:save_weights(folder .. "/checkpoint")
model:load_weights(folder .. "/checkpoint")
for _, text in ipairs{model:to_json(), model:to_yaml()} do
  assert(text:find("0.25", 1, true) and not text:find("0,25", 1, true), text)
end
same(0.25, cusp.models.model_from_json(model:to_json()).layers[1].rate)
same(0.25, cusp.models.model_from_yaml(model:to_yaml()).layers[1].rate)
cusp.numpy.save(folder .. "/a.npy", cusp.tensor{1.5})
same(1.5, cusp.numpy.load(folder .. "/a.npy"):item(1))
assert(engine.get_num_threads() >= 1)
print "ok"
