-- A training run that may be killed at any moment. Run again, it resumes at the same batch with the
-- same random numbers, and ends with the weights of an uninterrupted run: the checksum in its last
-- line is the same.
--
--   build/cusp scripts/examples/resume.lua FOLDER [SAVE_FREQ]
--     trains; FOLDER holds the state
--   build/cusp scripts/examples/resume.lua --kill FOLDER [SAVE_FREQ]
--     trains in processes that are killed with SIGKILL at random moments, until one completes, and
--     compares with an uninterrupted run
--
-- SAVE_FREQ: "epoch" (the default) or a number of batches.
local cusp = require "cusp"
local callbacks, layers = cusp.callbacks, cusp.layers

local function train(folder, save_freq)
  cusp.random.set_seed(1)
  local x, y = cusp.random.normal{2000, 20}, cusp.random.normal{2000, 3}
  local model = cusp.Sequential{
    layers.Dense{64, activation = "relu"}, layers.Dropout(0.3), layers.BatchNormalization(),
    layers.Dense{3},
  }
  model:compile{optimizer = cusp.optimizers.Adam(0.003), loss = "mse", metrics = {"mae"}}
  local history = model:fit{x, y, epochs = 30, batch_size = 32, verbose = 0, validation_split = 0.1,
    callbacks = {
    callbacks.EarlyStopping{monitor = "val_loss", patience = 25, restore_best_weights = true},
    callbacks.ReduceLROnPlateau{monitor = "loss", patience = 2, factor = 0.5},
    callbacks.CSVLogger(folder .. "/training.csv"),
    callbacks.BackupAndRestore{folder .. "/backup", save_freq = save_freq,
      double_checkpoint = true},
  }}
  local checksum = 0
  for _, weight in ipairs(model.weights) do
    checksum = require("cusp.engine").files.crc32c(weight.value, checksum)
  end
  print(("%d epochs, loss %.9g, weights %08x"):format(#history.epoch,
    history.history.loss[#history.history.loss], checksum))
end

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Runs this script in a process that is killed after `seconds`. Returns its last line; nil if it
-- was killed.
local function child(folder, save_freq, seconds)
  local program = table.concat({quote(arg[-1]), quote(arg[0]), quote(folder),
    quote(tostring(save_freq))}, " ")
  local limit = seconds and ("timeout -s KILL %.3f "):format(seconds) or ""
  local pipe = assert(io.popen("{ " .. limit .. program .. "; } 2>/dev/null"))
  local text = pipe:read "a"
  pipe:close()
  return text:match "(%d+ epochs[^\n]*)"
end

local function kill_and_compare(folder, save_freq)
  local files = require("cusp.engine").files
  files.make_directories(folder .. "/undisturbed")
  local wanted = assert(child(folder .. "/undisturbed", save_freq),
    "the run that nobody kills failed")
  local kills = -1
  local got
  files.make_directories(folder .. "/killed")
  repeat
    kills = kills + 1
    got = child(folder .. "/killed", save_freq, 0.08 + 0.25 * math.random())
  until got
  print(("undisturbed: %s\nkilled %d times: %s"):format(wanted, kills, got))
  local same = got == wanted
  for _, name in ipairs{"/undisturbed/training.csv", "/killed/training.csv"} do
    local file = assert(io.open(folder .. name))
    local text = file:read "a"
    file:close()
    same = same and (type(same) ~= "string" or same == text) and text
  end
  print(same and "the same weights, the same training.csv" or "DIFFERENT")
  os.exit(same and 0 or 1, true)
end

local killing = arg[1] == "--kill"
if killing then table.remove(arg, 1) end
local folder, save_freq = arg[1] or ".", math.tointeger(tonumber(arg[2])) or "epoch"
if killing then kill_and_compare(folder, save_freq) else train(folder, save_freq) end
