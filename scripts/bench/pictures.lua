--- Cusp's turns of scripts/bench/pictures.py: goes through a folder of pictures at each line that
-- comes, and prints pictures a second.
-- Usage: build/cusp scripts/bench/pictures.lua FOLDER SIDE THREADS
local cusp = require "cusp"

local folder, side, threads = arg[1], tonumber(arg[2]), tonumber(arg[3])
if threads > 0 then cusp.set_num_threads(threads) end

local data = cusp.utils.image_dataset_from_directory{folder, labels = cusp.null,
  image_size = {side, side}, shuffle = false}

for _ in io.lines() do
  local start, count = cusp.time(), 0
  for batch in data:iterate() do count = count + batch.shape[1] end
  print("speed", count / (cusp.time() - start))
  io.stdout:flush()
end
