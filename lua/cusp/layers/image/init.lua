--- Layers of pictures.
-- The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.image
return {
  aug_mix = "AugMix", auto_contrast = "AutoContrast", center_crop = "CenterCrop",
  cut_mix = "CutMix",
  contrast_limited_adaptive_histogram_equalization = "ContrastLimitedAdaptiveHistogramEqualization",
  equalization = "Equalization", max_num_bounding_boxes = "MaxNumBoundingBoxes", mix_up = "MixUp",
  rand_augment = "RandAugment", rescaling = "Rescaling", resizing = "Resizing",
  solarization = "Solarization",
  random_brightness = "RandomBrightness", random_color_degeneration = "RandomColorDegeneration",
  random_color_jitter = "RandomColorJitter", random_contrast = "RandomContrast",
  random_crop = "RandomCrop",
  random_elastic_transform = "RandomElasticTransform", random_erasing = "RandomErasing",
  random_flip = "RandomFlip", random_gaussian_blur = "RandomGaussianBlur",
  random_grayscale = "RandomGrayscale", random_hue = "RandomHue", random_invert = "RandomInvert",
  random_perspective = "RandomPerspective", random_posterization = "RandomPosterization",
  random_rotation = "RandomRotation", random_saturation = "RandomSaturation",
  random_sharpness = "RandomSharpness", random_shear = "RandomShear",
  random_translation = "RandomTranslation", random_zoom = "RandomZoom",
}
