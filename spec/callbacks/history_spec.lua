-- The record of a training run in its history.
local cusp = require "cusp"
local callbacks = cusp.callbacks

describe("the history", function()
  it("keeps the numbers of each epoch, and those of an earlier training before them", function()
    local history = callbacks.History()
    for _, losses in ipairs{{3, 2}, {1, 0.5}} do
      history:on_train_begin()
      for epoch, loss in ipairs(losses) do history:on_epoch_end(epoch, {loss = loss}) end
    end
    assert.same({3, 2, 1, 0.5}, history.history.loss)
    assert.same({1, 2}, history.epoch)
  end)
end)
