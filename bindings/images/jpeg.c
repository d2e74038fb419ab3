/* JPEG by libjpeg: with the fast integer transform and smooth chroma upsampling, as TensorFlow's
 * decode_image has them, or with the exact one, as Pillow has it: equal pixels. */
#include "images.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/* a progressive file of a few kilobytes could keep the decoder busy for hours */
#define MOST_SCANS 500

typedef struct decoding {
  struct jpeg_error_mgr errors; /* first: libjpeg hands its address to the functions below */
  struct jpeg_progress_mgr progress;
  jmp_buf failed;
  char *message;
  size_t message_bytes;
  unsigned char *line; /* of a picture whose colours are converted here */
  cusp_image_style style;
} decoding;

static void fail(j_common_ptr info) {
  decoding *d = (decoding *)info->err;
  char text[JMSG_LENGTH_MAX];
  info->err->format_message(info, text);
  snprintf(d->message, d->message_bytes, "JPEG: %s", text);
  longjmp(d->failed, 1);
}

/* libjpeg goes on with grey where a file ends too early, and says so with a warning alone. */
static void take_message(j_common_ptr info, int level) {
  int code = info->err->msg_code;
  if (level < 0 &&
      (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_BOGUS_PROGRESSION))
    fail(info);
}

static void print_nothing(j_common_ptr info) { (void)info; }

static void watch(j_common_ptr info) {
  if (info->is_decompressor && ((j_decompress_ptr)info)->input_scan_number > MOST_SCANS) {
    decoding *d = (decoding *)info->err;
    snprintf(d->message, d->message_bytes, "JPEG: more than %d scans", MOST_SCANS);
    longjmp(d->failed, 1);
  }
}

/* Inks of CMYK files are stored inverted as Adobe's programs do, or as they are. */
static void inks_to_rgb(const unsigned char *from, unsigned char *to, JDIMENSION width,
                        bool inverted, int channels) {
  for (JDIMENSION x = 0; x < width; x++, from += 4, to += channels) {
    int rgb[3], black = inverted ? from[3] : 255 - from[3];
    for (int c = 0; c < 3; c++)
      rgb[c] = (inverted ? from[c] : 255 - from[c]) * black / 255;
    if (channels == 1)
      to[0] = (unsigned char)((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2]) / 1000);
    for (int c = 0; channels >= 3 && c < 3; c++)
      to[c] = (unsigned char)rgb[c];
    if (channels == 4)
      to[3] = 255;
  }
}

/* Pillow takes one ink after the other off, each product rounded. */
static void inks_to_pillow_rgb(const unsigned char *from, unsigned char *to, JDIMENSION width,
                               bool inverted) {
  for (JDIMENSION x = 0; x < width; x++, from += 4, to += 3) {
    int white = inverted ? from[3] : 255 - from[3];
    for (int c = 0; c < 3; c++) {
      int product = (inverted ? 255 - from[c] : from[c]) * white + 128;
      int left = white - (((product >> 8) + product) >> 8);
      to[c] = (unsigned char)(left < 0 ? 0 : left);
    }
  }
}

static void add_alpha(const unsigned char *from, unsigned char *to, JDIMENSION width) {
  for (JDIMENSION x = 0; x < width; x++, from += 3, to += 4) {
    memcpy(to, from, 3);
    to[3] = 255;
  }
}

static void read_line(struct jpeg_decompress_struct *info, decoding *d, unsigned char *to,
                      int channels) {
  bool direct = info->output_components == channels && info->out_color_space != JCS_CMYK;
  JSAMPROW row = direct ? to : d->line;
  if (jpeg_read_scanlines(info, &row, 1) != 1)
    ERREXIT(info, JERR_INPUT_EMPTY);
  if (info->out_color_space == JCS_CMYK && d->style == CUSP_STYLE_PILLOW)
    inks_to_pillow_rgb(d->line, to, info->output_width, info->saw_Adobe_marker);
  else if (info->out_color_space == JCS_CMYK)
    inks_to_rgb(d->line, to, info->output_width, info->saw_Adobe_marker, channels);
  else if (!direct)
    add_alpha(d->line, to, info->output_width);
}

static void read_picture(struct jpeg_decompress_struct *info, decoding *d, int channels,
                         cusp_image *out) {
  jpeg_read_header(info, TRUE);
  bool inks = info->num_components == 4;
  if (channels == 0 || d->style == CUSP_STYLE_PILLOW)
    channels = info->num_components == 1 ? 1 : 3;
  info->out_color_space = inks ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  info->dct_method = d->style == CUSP_STYLE_PILLOW ? JDCT_ISLOW : JDCT_IFAST;
  *out = (cusp_image){info->image_height, info->image_width, channels, 1, NULL};
  if (!cusp_image_room(out, d->message, d->message_bytes))
    longjmp(d->failed, 1);
  jpeg_start_decompress(info);
  d->line = malloc((size_t)info->output_width * 4);
  if (!d->line)
    ERREXIT1(info, JERR_OUT_OF_MEMORY, 0);
  while (info->output_scanline < info->output_height)
    read_line(info, d, out->pixels + (int64_t)info->output_scanline * out->width * channels,
              channels);
  jpeg_finish_decompress(info);
}

bool cusp_decode_jpeg(const unsigned char *bytes, size_t size, cusp_image_style style, int channels,
                      cusp_image *out, char *message, size_t message_bytes) {
  struct jpeg_decompress_struct info;
  decoding d = {.message = message, .message_bytes = message_bytes, .style = style};
  decoding *volatile kept = &d;
  volatile bool ok = false;
  memset(&info, 0, sizeof info);
  info.err = jpeg_std_error(&d.errors);
  d.errors.error_exit = fail;
  d.errors.emit_message = take_message;
  d.errors.output_message = print_nothing;
  if (setjmp(d.failed) == 0) {
    jpeg_create_decompress(&info);
    info.progress = &kept->progress;
    kept->progress.progress_monitor = watch;
    jpeg_mem_src(&info, bytes, (unsigned long)size);
    read_picture(&info, kept, channels, out);
    ok = true;
  }
  jpeg_destroy_decompress(&info);
  free(kept->line);
  if (ok && style == CUSP_STYLE_PILLOW)
    ok = cusp_image_convert(out, channels, NULL, message, message_bytes);
  return ok;
}
