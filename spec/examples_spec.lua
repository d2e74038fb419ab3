--- Every example runs to its end with little work.
local build = os.getenv "CUSP_BUILD" or "build"

local text = os.tmpname()
local folder = os.tmpname()
os.remove(folder)

local runs = {
  shakespeare_lstm = {text, "1", "2"},
  shakespeare_transformer = {text, "1", "2"},
  mnist = {"", "1"},
  fine_tuning = {"2", "1"},
  image_folder = {folder, "1"},
  time_series = {"1", folder .. "-history.svg"},
  multi_input = {"1"},
  autoencoder = {"1", folder .. "-autoencoder.png"},
  distributed = {"1"},
  gan = {"1", folder .. "-gan.png"},
}

--- Runs an example; returns whether it succeeded, and its output.
local function run(name, arguments)
  local words = {("'%s/cusp' 'scripts/examples/%s.lua'"):format(build, name)}
  for _, argument in ipairs(arguments) do words[#words + 1] = ("'%s'"):format(argument) end
  local pipe = io.popen(table.concat(words, " ") .. " 2>&1")
  local output = pipe:read "a"
  return pipe:close(), output
end

describe("the example", function()
  setup(function()
    local file = assert(io.open(text, "w"))
    for i = 1, 200 do file:write(("ROMEO:\nLine %d of a play, with words in it.\n\n"):format(i)) end
    file:close()
  end)
  teardown(function() os.execute(("rm -rf '%s' '%s' '%s'-*"):format(text, folder, folder)) end)

  for name, arguments in pairs(runs) do
    it(name .. " runs", function()
      local ok, output = run(name, arguments)
      assert.is_true(ok, output)
    end)
  end
end)
