-- Lists of callbacks: which hooks are called, in which order, and what is not a callback.
local cusp = require "cusp"
local callbacks = cusp.callbacks

describe("CallbackList", function()
  it("calls callbacks in order, the history after the user's", function()
    local seen = {}
    local Own = callbacks.Callback:extend "Own"
    function Own:on_epoch_end(epoch, logs)
      seen[#seen + 1] = "own " .. epoch
      logs.added = 7
    end
    local list = callbacks.CallbackList{
      callbacks = {Own(), {on_epoch_end = function(_, epoch)
        seen[#seen + 1] = "table " .. epoch
      end}},
      add_history = true, params = {epochs = 1},
    }
    list:on_train_begin{}
    list:on_epoch_end(1, {loss = 2})
    assert.are.same({"own 1", "table 1"}, seen)
    assert.are.same({7}, list.history.history.added)
    assert.are.same({2}, list.history.history.loss)
  end)

  it("knows whether batches have hooks", function()
    local function has(callback, phase)
      return callbacks.CallbackList{callbacks = {callback}}:has_batch_hooks(phase)
    end
    local Own = callbacks.Callback:extend "Own"
    assert.is_false(has(Own(), "train"))
    function Own:on_train_batch_end() end
    assert.is_true(has(Own(), "train"))
    assert.is_false(has(Own(), "test"))
    assert.is_true(has({on_batch_begin = function() end}, "train"))
    assert.is_true(has({on_predict_batch_end = function() end}, "predict"))
  end)

  it("calls the hooks of any batch around those of training", function()
    local seen = {}
    local list = callbacks.CallbackList{callbacks = {{on_batch_end = function(_, batch)
      seen[#seen + 1] = batch
    end}}}
    list:call_batch("train", "end", 3, {})
    list:call_batch("test", "end", 4, {})
    assert.are.same({3}, seen)
  end)

  it("takes functions as a LambdaCallback", function()
    local seen
    local lambda = callbacks.LambdaCallback{on_epoch_end = function(epoch, logs)
      seen = {epoch, logs.loss}
    end}
    callbacks.CallbackList({callbacks = {lambda}}):on_epoch_end(2, {loss = 5})
    assert.are.same({2, 5}, seen)
  end)

  it("refuses what is no callback", function()
    local function message(given)
      local ok, text = pcall(callbacks.CallbackList, {callbacks = given})
      assert.is_false(ok)
      return text
    end
    assert.is_truthy(message({3}):find "item 1")
    assert.is_truthy(message({callbacks.Callback}):find "expected an instance")
    assert.is_truthy(message({{on_epoch_ent = print}}):find "on_epoch_end")
  end)
end)
