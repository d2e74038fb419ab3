-- libcusp: programs in C, C++ and for LuaJIT, compiled against an installed tree and run.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local layers = cusp.layers

local build <const> = os.getenv "CUSP_BUILD" or "build"
local sanitized <const> = build:find "check" ~= nil
local SANITIZE <const> = sanitized and " -DSANITIZED -fsanitize=address,undefined" or ""
local PLACES <const> = {ARCHIVEDIR = "/opt/cusp/lib", INCLUDEDIR = "/opt/cusp/include"}

local function has(program) return os.execute(("command -v %s >/dev/null 2>&1"):format(program)) end

local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local output = pipe:read "a"
  return pipe:close() and true or false, output
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function version()
  for line in io.lines "Makefile" do
    local found = line:match "^VERSION := (%S+)"
    if found then return found end
  end
end

local built = exists(build .. "/c/libcusp.a")

describe("libcusp", function()
  local place, root

  local function path(name) return place.path .. "/" .. name end

  local function install()
    local command = ("scripts/install --library BUILD='%s' DESTDIR='%s' VERSION=%s"):format(build,
      root, version())
    for name, value in pairs(PLACES) do command = ("%s %s=%s"):format(command, name, value) end
    local ok, output = run(command)
    assert(ok, output)
  end

  local function save_models()
    local plain = cusp.Sequential{cusp.Input{8, name = "x"},
      layers.Dense{16, activation = "relu"}, layers.Dense{3, activation = "softmax", name = "y"}}
    plain:save(path "plain.keras")
    plain:compile{optimizer = "adam", loss = "sparse_categorical_crossentropy"}
    plain:save(path "trainable.keras")
    plain:save(path "trainable.h5")
    cusp.Sequential{cusp.Input{cusp.None, 1},
      layers.Conv1D{16, 3, padding = "causal", activation = "tanh"},
      layers.Conv1D{16, 3, padding = "causal", dilation_rate = 2, activation = "tanh"},
      layers.LSTM{36, return_sequences = true},
      layers.Dense{1}}:save(path "stream.keras")
  end

  local function save_pictures()
    cusp.Sequential{cusp.Input{28, 28, 1},
      layers.Conv2D{8, 3, padding = "same", activation = "relu"}, layers.MaxPooling2D{2},
      layers.Conv2D{16, 3, strides = 2, activation = "relu"}, layers.BatchNormalization{},
      layers.Flatten{}, layers.Dense{10, activation = "softmax"}}:save(path "pictures.keras")
  end

  local function save_models_for_buffers()
    local a, b = cusp.Input{3, name = "a"}, cusp.Input{cusp.None, 2, name = "b"}
    local twice = layers.Rescaling{2, name = "twice"}(a)
    local sums = layers.Rescaling{5, name = "sums"}(layers.GlobalAveragePooling1D()(b))
    cusp.Model{inputs = {a, b}, outputs = {twice, sums}}:save(path "two.keras")
    local word = cusp.Input{1, dtype = "string", name = "word"}
    cusp.Model{inputs = word, outputs = layers.StringLookup{vocabulary = {"red", "green"}}(word)}
      :save(path "strings.keras")
    local x = cusp.Input{4, name = "x"}
    cusp.Model{inputs = x, outputs = layers.GaussianNoise{1}(x, {training = true})}
      :save(path "noise.keras")
    local Twice = cusp.Layer:extend("LibraryTwice", {call = function(_, y) return 2 * y end})
    cusp.Sequential{cusp.Input{2}, Twice{}}:save(path "class.keras")
    cusp.Sequential{cusp.Input{batch_shape = {1, 1, 2}}, layers.LSTM{4, stateful = true},
      layers.Dense{1}}:save(path "stateful.keras")
  end

  setup(function()
    if not built then return end
    place = folder.new()
    root = place.path .. "/root"
    install()
    save_models()
    save_models_for_buffers()
    save_pictures()
  end)

  teardown(function() if place then place:remove() end end)

  -- Compiles a source against the installed tree, as pkg-config says.
  local function compile(compiler, source, rest)
    local program = path(source:match "([^/]+)%.%a+$")
    local flags = ("PKG_CONFIG_PATH='%s%s/pkgconfig' PKG_CONFIG_SYSROOT_DIR='%s' "
      .. "pkg-config --cflags --libs cusp"):format(root, PLACES.ARCHIVEDIR, root)
    local ok, output = run(("%s -O1 -Wall -Wextra -Werror%s '%s' $(%s) -Wl,-rpath,'%s%s' "
      .. "-o '%s' %s")
      :format(compiler, SANITIZE, source, flags, root, PLACES.ARCHIVEDIR, program, rest or ""))
    assert(ok, output)
    return program
  end

  local function gives(program, ...)
    local ok, output = run(table.concat({program, ...}, " "))
    assert(ok, output)
    return output
  end

  local function check(name, body)
    it(name, function()
      if not built then return pending "libcusp was not built: there is no archive of Lua's" end
      body()
    end)
  end

  check("has symbols of the header alone, and a soname", function()
    local library = root .. PLACES.ARCHIVEDIR .. "/libcusp.so"
    local header = assert(io.open(root .. PLACES.INCLUDEDIR .. "/cusp.h")):read "a"
    local seen = 0
    for name in gives("nm -D --defined-only", library):gmatch " T ([%w_]+)" do
      seen = seen + 1
      assert(header:find(name .. "(", 1, true), name)
    end
    assert(seen > 30)
    assert.matches("libcusp%.so%.0", (select(2, run("readelf -d " .. library))))
  end)

  check("refuses wrong handles, names, types, sizes, files and scripts", function()
    local bad = path "bad.keras"
    assert(io.open(bad, "w")):write("no model"):close()
    local program = compile("cc -std=c99 -pedantic", "spec/c/misuse.c")
    assert.equal("all refused\n", gives(program, path "plain.keras", bad))
  end)

  check("takes inputs by name, strings, many rows, states and an allocator", function()
    local program = compile("cc -std=c99 -pedantic", "spec/c/buffers.c", "-lm")
    assert.equal("all fit\n",
      gives(program, path "two.keras", path "strings.keras", path "noise.keras", path "class.keras",
        path "stateful.keras"))
  end)

  check("predicts on several threads, while another trains", function()
    local program = compile("cc -std=c99 -pedantic", "spec/c/threads.c", "-lm -lpthread")
    assert.equal("all threads agree\n", gives(program, path "trainable.keras", "contexts"))
    assert.equal("all threads agree\n", gives(program, path "trainable.h5", "contexts"))
  end)

  check("does so under ThreadSanitizer", function()
    local program = build .. "/tsan/threads"
    if not exists(program) then return pending "it was not built for ThreadSanitizer" end
    local ok, output = run(("CUSP_LIBRARY_DIR='%s%s/cusp' TSAN_OPTIONS=exitcode=9 %s %s"):format(
      root, PLACES.ARCHIVEDIR, program, path "trainable.keras"))
    assert.is_nil(output:match "WARNING: ThreadSanitizer: data race.*", output)
    if ok then assert.equal("all threads agree\n", output) end
  end)

  check("runs predictors without allocation, locks and system calls", function()
    if sanitized then return pending "sanitizers allocate themselves" end
    local program = compile("cc -std=gnu11", "spec/c/quiet.c", "-ldl -lpthread")
    assert.equal("0 allocations, 0 locks\nno calls\n", gives(program, path "stream.keras",
      path "pictures.keras"))
  end)

  check("trains, reports, saves and predicts by name (the example in C)", function()
    local program = compile("cc -std=c99 -pedantic", "scripts/examples/train_in_c.c")
    local output = gives(program, path "ring.h5")
    assert.matches("epoch 1  loss %d%.%d+  accuracy %d%.%d+\n", output)
    assert.matches("%(0%.1, 0%.2%) lies inside, %(0%.9, %-0%.9%) outside\n$", output)
    assert(exists(path "ring.h5"))
  end)

  check("gives the same for a stream as for the whole (the example in C++)", function()
    if not has "c++" then return pending "there is no compiler for C++" end
    local program = compile("c++ -std=c++17 -pedantic", "scripts/examples/stream.cpp")
    local x = cusp.random.normal({1, 96, 1}, {seed = 3})
    local file = assert(io.open(path "sound", "wb"))
    for _, sample in ipairs(x:flat()) do file:write(string.pack("<f", sample)) end
    file:close()
    local expected = cusp.models.load_model(path "stream.keras")(x):flat()
    for _, block in ipairs{1, 32} do
      gives(("%s %s %d < %s > %s"):format(program, path "stream.keras", block, path "sound",
        path "heard"))
      local heard, at = assert(io.open(path "heard", "rb")):read "a", 1
      assert.equal(4 * 96, #heard)
      for i = 1, 96 do
        local sample
        sample, at = string.unpack("<f", heard, at)
        assert.near(expected[i], sample, 1e-5)
      end
    end
  end)

  check("is called from LuaJIT", function()
    if sanitized or not has "luajit" then return pending "LuaJIT is not there" end
    local output = gives("luajit spec/c/predict.luajit.lua", root .. PLACES.ARCHIVEDIR
      .. "/libcusp.so.0", path "plain.keras")
    local x = cusp.ops.reshape(cusp.arange(8) / 8, {1, 8})
    local y = cusp.models.load_model(path "plain.keras")(x):flat()
    assert.equal(("%.6f %.6f %.6f\ncusp_context_run: script:1: thrown\n"):format(y[1], y[2], y[3]),
      output)
  end)

  check("is linked statically, too", function()
    if sanitized then return pending "the archive needs the sanitizers' own flags" end
    local program = path "static"
    local ok, output = run(("cc -std=c99 -I'%s%s' scripts/examples/train_in_c.c '%s%s/libcusp.a' "
      .. "-fopenmp -lsleef -lz -ldl -lm -o '%s'"):format(root, PLACES.INCLUDEDIR, root,
      PLACES.ARCHIVEDIR, program))
    assert(ok, output)
    output = gives(("CUSP_LIBRARY_DIR='%s%s/cusp'"):format(root, PLACES.ARCHIVEDIR), program)
    assert.matches("lies inside", output)
  end)
end)
