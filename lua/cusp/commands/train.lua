--- `cusp train`: runs a training script with settings that would otherwise be lines of it.
-- @module cusp.commands.train
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local function apply(given)
  if given.seed then require("cusp.utils").set_random_seed(given.seed) end
  if given.threads then engine.set_num_threads(given.threads) end
  if given.policy then require("cusp.base.config").set_dtype_policy(given.policy) end
end

local function run(given)
  local chunk, problem = loadfile(given.SCRIPT)
  if not chunk then errors.raise("%s", problem) end
  apply(given)
  local arguments = given.ARGUMENTS
  arguments[0], _G.arg = given.SCRIPT, arguments
  chunk(table.unpack(arguments))
end

return {
  name = "train", run = run, script = true,
  usage = "train [--seed N] [--threads N] [--policy NAME] SCRIPT [ARGUMENTS]",
  about = "Runs a script with these settings.\nWhat follows SCRIPT is the script's.",
  operands = {"SCRIPT", "ARGUMENTS..."},
  options = {
    {"seed", "integer", value = "N", min = 0, about = "seed of all random numbers"},
    {"threads", "integer", value = "N", min = 1, about = "how many threads compute"},
    {"policy", "text", value = "NAME", about = "dtype policy, such as mixed_bfloat16"},
  },
}
