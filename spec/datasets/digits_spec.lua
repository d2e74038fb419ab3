local cusp = require "cusp"

describe("cusp.datasets.digits", function()
  local digits = cusp.datasets.digits

  it("draws two halves of pictures and labels", function()
    local train, test = digits.load_data{train_samples = 30, test_samples = 20}
    assert.same({30, 28, 28}, train[1].shape)
    assert.same({30}, train[2].shape)
    assert.same({20, 28, 28}, test[1].shape)
    assert.equal("uint8", train[1].dtype)
    assert.equal("uint8", train[2].dtype)
    for _, label in ipairs(train[2]:tolist()) do
      assert.is_true(label >= 0 and label <= 9)
    end
  end)

  it("has 10,000 and 2,000 pictures unless asked, in a few seconds of processors' time", function()
    local start = os.clock()
    local train, test = digits.load_data()
    assert.equal(10000, #train[1])
    assert.equal(2000, #test[2])
    assert.is_true(os.clock() - start < 4)
  end)

  it("draws the same again, and other pictures for another seed or the other half", function()
    local first = digits.load_data(20)
    local again = digits.load_data(20)
    local other, test = digits.load_data{20, 20, seed = 1}
    assert.same(first[1]:flat(), again[1]:flat())
    assert.same(first[2]:flat(), again[2]:flat())
    assert.not_same(first[1]:flat(), other[1]:flat())
    assert.not_same(other[1]:flat(), test[1]:flat())
  end)

  it("refuses arguments that make no sense", function()
    assert.error_matches(function()
      digits.load_data(-1)
    end, "must not be negative, got %-1 and 2000")
    assert.error_matches(function() digits.load_data{samples = 3} end, "unknown argument 'samples'")
    assert.error_matches(function() digits.load_data "many" end, "train_samples")
  end)
end)
