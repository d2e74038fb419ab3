--- Golden cases with known differences, by reason; the spec shows them as pending.
local gaps = {
  ["an explicit None cannot be told from an absent argument"] = {
    "ops.argsort D[2x3] axis=None",
    "ops.istft (N[4x4],N[4x4]) fft_length=6 sequence_length=6 sequence_stride=3 window=None",
    "ops.log_softmax N[2x3] axis=None",
    "ops.softmax N[2x3] axis=None",
    "ops.sort D[2x3] axis=None",
    "ops.stft N[14] center=False fft_length=8 sequence_length=4 sequence_stride=2 window=None",
    "ops.stft N[14] fft_length=6 sequence_length=6 sequence_stride=3 window=None",
  },
  ["Keras gives one matrix for a batch of them"] = {
    "ops.cholesky_inverse SPD[2x2x2]",
  },
  ["channels are last unless data_format says otherwise"] = {
    "ops.image.gaussian_blur N[1x5x5x2]",
    "ops.image.gaussian_blur N[1x5x6x1] kernel_size=(3,5) sigma=(0.7,1.5)",
    "ops.image.gaussian_blur N[4x5x2]",
  },
  ["the gradient at a tie"] = {
    "ops.sparsemax C[2x2] axis=-1",
  },
}

local reasons = {}
for reason, names in pairs(gaps) do
  for _, name in ipairs(names) do reasons[name] = reason end
end
return reasons
