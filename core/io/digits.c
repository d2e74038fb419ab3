/*
 * A digit is a few strokes, each a smooth curve through control points. Drawing one means: choose a
 * way of writing it, move its control points a little, slant, turn, stretch and shift the whole,
 * and ink every pixel by its distance to the curve.
 */
#include "digits.h"

#include "../base/philox.h"
#include "../base/threads.h"

#include <math.h>
#include <string.h>

#define PIXELS (CUSP_DIGIT_SIZE * CUSP_DIGIT_SIZE)
#define MAX_POINTS 12
#define MAX_STROKES 2
#define SPAN_PIECES 6 /* line segments from one control point to the next */

typedef struct point {
  float x, y;
} point;

/* Control points in hundredths of the digit's height, x to the right, y down; a point given twice
 * makes a corner. */
typedef struct stroke {
  int count;
  struct {
    signed char x, y;
  } points[MAX_POINTS];
} stroke;

typedef struct glyph {
  int label, count;
  stroke strokes[MAX_STROKES];
} glyph;

/* Several ways of writing each digit; those of one digit follow each other. */
static const glyph glyphs[] = {
    {0,
     1,
     {{9,
       {{50, 5}, {30, 16}, {23, 50}, {31, 85}, {50, 95}, {70, 85}, {77, 50}, {69, 15}, {50, 5}}}}},
    {0,
     1,
     {{9,
       {{60, 8}, {38, 12}, {26, 46}, {32, 84}, {52, 94}, {70, 78}, {74, 42}, {62, 12}, {46, 7}}}}},
    {1, 1, {{2, {{50, 5}, {50, 95}}}}},
    {1, 1, {{4, {{34, 24}, {53, 5}, {53, 5}, {51, 95}}}}},
    {1, 2, {{4, {{36, 22}, {52, 5}, {52, 5}, {52, 95}}}, {2, {{34, 95}, {70, 94}}}}},
    {2,
     1,
     {{9,
       {{26, 25}, {36, 8}, {56, 5}, {71, 18}, {68, 40}, {48, 66}, {24, 93}, {24, 93}, {77, 91}}}}},
    {2,
     1,
     {{9,
       {{26, 22}, {44, 6}, {66, 12}, {68, 36}, {48, 66}, {28, 90}, {34, 76}, {52, 88}, {78, 92}}}}},
    {3,
     1,
     {{10,
       {{26, 13},
        {48, 5},
        {70, 17},
        {65, 38},
        {44, 47},
        {44, 47},
        {68, 56},
        {73, 77},
        {52, 95},
        {25, 86}}}}},
    {3,
     1,
     {{9,
       {{26, 8}, {71, 8}, {71, 8}, {46, 42}, {46, 42}, {72, 58}, {69, 84}, {46, 95}, {25, 86}}}}},
    {4, 2, {{4, {{34, 8}, {25, 56}, {25, 56}, {77, 54}}}, {2, {{65, 12}, {60, 95}}}}},
    {4, 2, {{4, {{60, 6}, {21, 62}, {21, 62}, {80, 62}}}, {2, {{60, 6}, {60, 95}}}}},
    {5,
     1,
     {{10,
       {{70, 7},
        {33, 7},
        {33, 7},
        {29, 45},
        {29, 45},
        {53, 38},
        {73, 56},
        {69, 82},
        {46, 95},
        {25, 85}}}}},
    {5,
     2,
     {{8, {{33, 9}, {30, 45}, {30, 45}, {54, 41}, {72, 60}, {66, 86}, {44, 95}, {25, 87}}},
      {2, {{33, 9}, {73, 6}}}}},
    {6,
     1,
     {{9,
       {{66, 6}, {42, 24}, {27, 56}, {31, 86}, {52, 95}, {71, 82}, {69, 61}, {50, 52}, {30, 66}}}}},
    {6, 1, {{8, {{54, 5}, {35, 38}, {27, 72}, {42, 94}, {65, 88}, {71, 68}, {54, 56}, {32, 70}}}}},
    {7, 1, {{5, {{25, 9}, {75, 8}, {75, 8}, {53, 48}, {42, 95}}}}},
    {7, 2, {{5, {{26, 10}, {75, 8}, {75, 8}, {54, 46}, {44, 95}}}, {2, {{38, 51}, {68, 48}}}}},
    {7, 1, {{6, {{25, 22}, {27, 8}, {27, 8}, {75, 9}, {75, 9}, {46, 95}}}}},
    {8,
     1,
     {{11,
       {{68, 18},
        {50, 5},
        {33, 17},
        {40, 38},
        {61, 55},
        {71, 77},
        {51, 95},
        {31, 80},
        {38, 58},
        {62, 38},
        {68, 18}}}}},
    {8,
     2,
     {{7, {{50, 5}, {34, 17}, {37, 38}, {50, 46}, {64, 38}, {67, 17}, {50, 5}}},
      {7, {{50, 46}, {31, 61}, {31, 86}, {50, 95}, {70, 86}, {70, 61}, {50, 46}}}}},
    {9,
     1,
     {{10,
       {{70, 28},
        {57, 7},
        {36, 11},
        {28, 33},
        {42, 51},
        {62, 43},
        {70, 26},
        {70, 26},
        {68, 60},
        {60, 95}}}}},
    {9,
     1,
     {{11,
       {{70, 26},
        {54, 6},
        {33, 14},
        {30, 38},
        {48, 50},
        {66, 38},
        {70, 24},
        {70, 24},
        {67, 68},
        {50, 93},
        {31, 87}}}}},
};

/* ------------------------------------------------------------------ chance */

typedef struct chance {
  uint64_t seed, draw, block;
  cusp_philox_block words;
  int used;
} chance;

static chance chance_of(uint64_t seed, uint64_t draw) {
  return (chance){.seed = seed, .draw = draw, .used = 4};
}

static uint32_t next_word(chance *c) {
  if (c->used == 4) {
    c->words = cusp_philox(c->seed, c->draw, c->block++);
    c->used = 0;
  }
  return c->words.word[c->used++];
}

static float between(chance *c, float low, float high) {
  return low + (high - low) * cusp_philox_float(next_word(c));
}

/** Near to normal, standard deviation 1, never beyond 3: the sum of four uniform numbers needs no
 * logarithm. */
static float bell(chance *c) {
  float sum = 0;
  for (int i = 0; i < 4; i++)
    sum += cusp_philox_float(next_word(c));
  return (sum - 2) * 1.7320508f;
}

/* ------------------------------------------------------------------ drawing */

/** From hundredths of a digit to pixels: p = (xx * x + xy * y + x0, yx * x + yy * y + y0). */
typedef struct affine {
  float xx, xy, yx, yy, x0, y0;
} affine;

static affine random_affine(chance *c) {
  float angle = 0.15f * bell(c), slant = 0.2f * bell(c);
  float height = between(c, 17.5f, 22.5f) / 100, width = height * between(c, 0.75f, 1.2f);
  float cosine = cosf(angle), sine = sinf(angle);
  affine a = {.xx = cosine * width, .yx = sine * width};
  a.xy = (-slant * cosine - sine) * height;
  a.yy = (cosine - slant * sine) * height;
  /* the glyph's centre (50, 50) comes to lie near the picture's */
  float centre = (CUSP_DIGIT_SIZE - 1) * 0.5f;
  a.x0 = centre - 50 * (a.xx + a.xy) + 1.35f * bell(c);
  a.y0 = centre - 50 * (a.yx + a.yy) + 1.35f * bell(c);
  return a;
}

static point apply(const affine *a, float x, float y) {
  return (point){a->xx * x + a->xy * y + a->x0, a->yx * x + a->yy * y + a->y0};
}

static float squared_distance(point p, point a, point b) {
  float dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
  float t = length > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length : 0;
  t = t < 0 ? 0 : t > 1 ? 1 : t;
  float ex = a.x + t * dx - p.x, ey = a.y + t * dy - p.y;
  return ex * ex + ey * ey;
}

static int pixel_below(float x) {
  return x < 0 ? 0 : x > CUSP_DIGIT_SIZE - 1 ? CUSP_DIGIT_SIZE - 1 : (int)x;
}

/** Lowers the distances of the pixels that the segment from a to b may ink. */
static void mark_segment(float *nearest, point a, point b, float reach) {
  int left = pixel_below(fminf(a.x, b.x) - reach), right = pixel_below(fmaxf(a.x, b.x) + reach + 1);
  int top = pixel_below(fminf(a.y, b.y) - reach), bottom = pixel_below(fmaxf(a.y, b.y) + reach + 1);
  for (int y = top; y <= bottom; y++)
    for (int x = left; x <= right; x++) {
      float d = squared_distance((point){(float)x, (float)y}, a, b);
      if (d < nearest[y * CUSP_DIGIT_SIZE + x])
        nearest[y * CUSP_DIGIT_SIZE + x] = d;
    }
}

/** The Catmull-Rom curve from b to c, whose neighbours are a and d. */
static point on_curve(point a, point b, point c, point d, float t) {
  float t2 = t * t, t3 = t2 * t;
  float wa = -t3 + 2 * t2 - t, wb = 3 * t3 - 5 * t2 + 2, wc = -3 * t3 + 4 * t2 + t, wd = t3 - t2;
  return (point){0.5f * (wa * a.x + wb * b.x + wc * c.x + wd * d.x),
                 0.5f * (wa * a.y + wb * b.y + wc * c.y + wd * d.y)};
}

static void mark_stroke(float *nearest, const stroke *s, const affine *a, float wobble, float reach,
                        chance *c) {
  point p[MAX_POINTS];
  for (int i = 0; i < s->count; i++) {
    bool corner =
        i > 0 && s->points[i].x == s->points[i - 1].x && s->points[i].y == s->points[i - 1].y;
    float dx = wobble * bell(c), dy = wobble * bell(c);
    p[i] = corner ? p[i - 1] : apply(a, s->points[i].x + dx, s->points[i].y + dy);
  }
  point from = p[0];
  for (int i = 0; i + 1 < s->count; i++)
    for (int piece = 1; piece <= SPAN_PIECES; piece++) {
      point before = p[i > 0 ? i - 1 : 0], after = p[i + 2 < s->count ? i + 2 : i + 1];
      point to = on_curve(before, p[i], p[i + 1], after, (float)piece / SPAN_PIECES);
      mark_segment(nearest, from, to, reach);
      from = to;
    }
}

/** Full ink within `radius` of the curve, none beyond one `edge` more, a little noise where there
 * is ink. */
static void ink(uint8_t *image, const float *nearest, float radius, float edge, float darkness,
                chance *c) {
  for (int i = 0; i < PIXELS; i++) {
    float cover = (radius + edge - sqrtf(nearest[i])) / edge;
    cover = cover < 0 ? 0 : cover > 1 ? 1 : cover;
    float value = 255 * darkness * cover + 14 * bell(c) * (0.25f + cover);
    image[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5f);
  }
}

/** One of the ways of writing a digit. */
static const glyph *choose_glyph(int label, chance *c) {
  int count = (int)(sizeof glyphs / sizeof *glyphs), first = 0, ways = 0;
  while (glyphs[first].label != label)
    first++;
  while (first + ways < count && glyphs[first + ways].label == label)
    ways++;
  return &glyphs[first + (int)(next_word(c) % (uint32_t)ways)];
}

static void draw_digit(uint8_t *image, uint8_t *label, chance *c) {
  float nearest[PIXELS];
  *label = (uint8_t)(next_word(c) % 10);
  const glyph *g = choose_glyph(*label, c);
  affine a = random_affine(c);
  float radius = between(c, 0.35f, 1.25f), edge = between(c, 0.8f, 1.2f),
        darkness = between(c, 0.8f, 1.05f);
  for (int i = 0; i < PIXELS; i++)
    nearest[i] = 1e6f;
  for (int i = 0; i < g->count; i++)
    mark_stroke(nearest, &g->strokes[i], &a, 3, radius + edge, c);
  ink(image, nearest, radius, edge, darkness, c);
}

typedef struct drawing {
  uint8_t *images, *labels;
  uint64_t seed;
} drawing;

static void draw_range(void *context, int64_t begin, int64_t end) {
  const drawing *d = context;
  for (int64_t i = begin; i < end; i++) {
    chance c = chance_of(d->seed, (uint64_t)i);
    draw_digit(d->images + i * PIXELS, d->labels + i, &c);
  }
}

cusp_status cusp_draw_digits(cusp_array *images, cusp_array *labels, int64_t count, uint64_t seed) {
  memset(images, 0, sizeof *images);
  memset(labels, 0, sizeof *labels);
  if (count < 0)
    return cusp_fail(CUSP_EVALUE, "the number of digits to draw should not be negative, got %lld",
                     (long long)count);
  cusp_shape shape = {3, {count, CUSP_DIGIT_SIZE, CUSP_DIGIT_SIZE}}, label_shape = {1, {count}};
  CUSP_TRY(cusp_array_new(images, CUSP_UINT8, &shape));
  cusp_status status = cusp_array_new(labels, CUSP_UINT8, &label_shape);
  if (status != CUSP_OK) {
    cusp_array_release(images);
    return status;
  }
  drawing d = {images->data, labels->data, seed};
  cusp_parallel_for(count, 1, draw_range, &d);
  return CUSP_OK;
}
