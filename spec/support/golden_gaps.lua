--- Golden cases that are known to differ, by the reason; the spec shows them as pending.
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
  ["gradients with respect to the shifts c0 and c1 are not given"] = {
    "ops.image.affine_transform N[1x4x5x2] C[1x8]",
    "ops.image.affine_transform N[1x4x5x2] C[1x8] fill_mode=constant fill_value=3.0 interpolation=bilinear",
    "ops.image.affine_transform N[1x4x5x2] C[1x8] fill_mode=constant interpolation=bilinear",
    "ops.image.affine_transform N[1x4x5x2] C[1x8] fill_mode=mirror fill_value=3.0 interpolation=bilinear",
    "ops.image.affine_transform N[1x4x5x2] C[1x8] fill_mode=mirror interpolation=bilinear",
    "ops.image.affine_transform N[1x4x5x2] C[1x8] fill_mode=nearest fill_value=3.0 interpolation=bilinear",
    "ops.image.affine_transform N[1x4x5x2] C[1x8] fill_mode=nearest interpolation=bilinear",
    "ops.image.affine_transform N[1x4x5x2] C[1x8] fill_mode=reflect fill_value=3.0 interpolation=bilinear",
    "ops.image.affine_transform N[1x4x5x2] C[1x8] fill_mode=reflect interpolation=bilinear",
    "ops.image.affine_transform N[1x4x5x2] C[1x8] fill_mode=wrap fill_value=3.0 interpolation=bilinear",
    "ops.image.affine_transform N[1x4x5x2] C[1x8] fill_mode=wrap interpolation=bilinear",
    "ops.image.affine_transform N[2x2x4x5] C[2x8] data_format=channels_first",
    "ops.image.affine_transform N[4x5x2] C[8]",
  },
  ["channels are last unless data_format says otherwise"] = {
    "ops.image.gaussian_blur N[1x5x5x2]",
    "ops.image.gaussian_blur N[1x5x6x1] kernel_size=(3,5) sigma=(0.7,1.5)",
    "ops.image.gaussian_blur N[4x5x2]",
  },
  ["gradients with respect to scale and translation are not given"] = {
    "ops.image.scale_and_translate N[1x4x5x1] (1,6,3,1) C[2] C[2] (1,2) cubic antialias=False",
    "ops.image.scale_and_translate N[1x4x5x1] (1,6,3,1) C[2] C[2] (1,2) cubic antialias=True",
    "ops.image.scale_and_translate N[1x4x5x1] (1,6,3,1) C[2] C[2] (1,2) lanczos3 antialias=False",
    "ops.image.scale_and_translate N[1x4x5x1] (1,6,3,1) C[2] C[2] (1,2) lanczos3 antialias=True",
    "ops.image.scale_and_translate N[1x4x5x1] (1,6,3,1) C[2] C[2] (1,2) lanczos5 antialias=False",
    "ops.image.scale_and_translate N[1x4x5x1] (1,6,3,1) C[2] C[2] (1,2) lanczos5 antialias=True",
    "ops.image.scale_and_translate N[1x4x5x1] (1,6,3,1) C[2] C[2] (1,2) linear antialias=False",
    "ops.image.scale_and_translate N[1x4x5x1] (1,6,3,1) C[2] C[2] (1,2) linear antialias=True",
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
