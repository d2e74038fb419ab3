--- Pictures with what a model sees in them: boxes, masks, labels.
-- @module cusp.visualization
local namespace = require "cusp.base.namespace"

return namespace.new("cusp.visualization", {
  draw_bounding_boxes = {"boxes", "draw_bounding_boxes"},
  plot_bounding_box_gallery = {"boxes", "plot_bounding_box_gallery"},
  draw_segmentation_masks = {"masks", "draw_segmentation_masks"},
  plot_segmentation_mask_gallery = {"masks", "plot_segmentation_mask_gallery"},
  plot_image_gallery = {"gallery", "plot_image_gallery"},
})
