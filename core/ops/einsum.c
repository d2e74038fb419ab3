#include "einsum.h"

#include "../node/build.h"

#include <ctype.h>
#include <string.h>

/*
 * A label is a small number: 0 .. 51 for the letters, from 52 on for the axes of the ellipsis,
 * counted from the right, so that operands whose ellipses differ in length align as in
 * broadcasting.
 */
enum { LETTERS = 52, LABELS = LETTERS + CUSP_MAX_DIMS, MAX_OPERANDS = 32 };

/** A tensor whose axes have names. */
typedef struct term {
  cusp_node *node;
  int ndim;
  int8_t label[2 * CUSP_MAX_DIMS]; /* the output's may be too many until it is checked */
} term;

typedef struct equation {
  const char *text;
  int n_operands, ellipsis_ndim;
  int64_t size[LABELS]; /* 0: not seen */
  term operands[MAX_OPERANDS];
  term output; /* labels alone */
} equation;

static int letter_label(char c) { return islower((unsigned char)c) ? c - 'a' : c - 'A' + 26; }

/* ------------------------------------------------------------------ parsing */

/** Reads labels up to ',', '-' or the end. `ellipsis` axes stand for "..."; -1: whatever is left of
 * `ndim`. */
static cusp_status read_labels(const equation *e, const char **text, int ndim, int ellipsis,
                               term *out) {
  int letters = 0;
  for (const char *p = *text; *p && *p != ',' && *p != '-'; p++)
    letters += isalpha((unsigned char)*p) != 0;
  if (ellipsis < 0)
    ellipsis = ndim - letters;
  for (; **text && **text != ',' && **text != '-'; (*text)++) {
    if (**text == ' ')
      continue;
    if (strncmp(*text, "...", 3) == 0) {
      if (ellipsis < 0 || out->ndim + ellipsis > CUSP_MAX_DIMS)
        return cusp_fail(CUSP_ESHAPE, "einsum: \"%s\" has more labels than an operand has axes",
                         e->text);
      for (int i = ellipsis - 1; i >= 0; i--)
        out->label[out->ndim++] = (int8_t)(LETTERS + i);
      *text += 2;
    } else if (isalpha((unsigned char)**text) && out->ndim < CUSP_MAX_DIMS) {
      out->label[out->ndim++] = (int8_t)letter_label(**text);
    } else {
      return cusp_fail(CUSP_EVALUE,
                       "einsum: unexpected '%c' in \"%s\" (letters, \"...\", ',' and \"->\" make "
                       "up subscripts of at most %d axes)",
                       **text, e->text, CUSP_MAX_DIMS);
    }
  }
  return CUSP_OK;
}

static cusp_status note_sizes(equation *e, const term *t) {
  for (int i = 0; i < t->ndim; i++) {
    int64_t size = t->node->type.shape.size[i], *known = &e->size[t->label[i]];
    if (t->label[i] >= LETTERS && t->label[i] - LETTERS >= e->ellipsis_ndim)
      e->ellipsis_ndim = t->label[i] - LETTERS + 1;
    if (*known == 0 || *known == 1)
      *known = size;
    else if (size != 1 && size != *known)
      return cusp_fail(CUSP_ESHAPE,
                       "einsum: a label of \"%s\" stands for axes of sizes %lld and %lld", e->text,
                       (long long)*known, (long long)size);
  }
  return CUSP_OK;
}

/** Without "->": the ellipsis, then the letters that occur once, in order of the alphabet (capitals
 * first). */
static void implicit_output(equation *e) {
  int seen[LETTERS] = {0};
  for (int i = 0; i < e->n_operands; i++)
    for (int j = 0; j < e->operands[i].ndim; j++)
      if (e->operands[i].label[j] < LETTERS)
        seen[e->operands[i].label[j]]++;
  for (int i = e->ellipsis_ndim - 1; i >= 0; i--)
    e->output.label[e->output.ndim++] = (int8_t)(LETTERS + i);
  for (int i = 0; i < LETTERS; i++) {
    int letter = i < 26 ? i + 26 : i - 26;
    if (seen[letter] == 1 && e->output.ndim < CUSP_MAX_DIMS)
      e->output.label[e->output.ndim++] = (int8_t)letter;
  }
}

static cusp_status check_output(const equation *e) {
  bool seen[LABELS] = {false};
  for (int i = 0; i < e->output.ndim; i++) {
    int label = e->output.label[i];
    bool known = false;
    for (int j = 0; j < e->n_operands && !known; j++)
      known = memchr(e->operands[j].label, label, (size_t)e->operands[j].ndim) != NULL;
    if (!known || seen[label])
      return cusp_fail(CUSP_EVALUE,
                       "einsum: the result of \"%s\" must name each of its labels once, and only "
                       "labels of the operands",
                       e->text);
    seen[label] = true;
  }
  return CUSP_OK;
}

static cusp_status parse(equation *e, const char *text, cusp_node *const *inputs, int n) {
  e->text = text;
  if (n < 1 || n > MAX_OPERANDS)
    return cusp_fail(CUSP_EUNSUPPORTED, "einsum: expected 1 to %d operands, got %d", MAX_OPERANDS,
                     n);
  for (e->n_operands = 0; e->n_operands < n; e->n_operands++) {
    term *t = &e->operands[e->n_operands];
    t->node = inputs[e->n_operands];
    CUSP_TRY(read_labels(e, &text, t->node->type.shape.ndim, -1, t));
    if (t->ndim != t->node->type.shape.ndim)
      return cusp_fail(CUSP_ESHAPE, "einsum: \"%s\" has %d labels for operand %d of shape %s",
                       e->text, t->ndim, e->n_operands + 1, cusp_shape_text(&t->node->type.shape));
    CUSP_TRY(note_sizes(e, t));
    bool last = e->n_operands == n - 1;
    if ((*text == ',') == last)
      return cusp_fail(CUSP_EVALUE,
                       "einsum: \"%s\" does not have one subscript for each of %d operands",
                       e->text, n);
    text += *text == ',';
  }
  if (strncmp(text, "->", 2) == 0) {
    text += 2;
    CUSP_TRY(read_labels(e, &text, 0, e->ellipsis_ndim, &e->output));
    if (*text)
      return cusp_fail(CUSP_EVALUE, "einsum: unexpected '%c' after the result in \"%s\"", *text,
                       e->text);
  } else if (*text) {
    return cusp_fail(CUSP_EVALUE, "einsum: unexpected '%c' in \"%s\"", *text, e->text);
  } else {
    implicit_output(e);
  }
  return check_output(e);
}

/* ------------------------------------------------------------------ terms */

static bool has(const term *t, int label) {
  return memchr(t->label, label, (size_t)t->ndim) != NULL;
}

static void drop_axis(term *t, int axis) {
  memmove(t->label + axis, t->label + axis + 1, (size_t)(t->ndim - axis - 1));
  t->ndim--;
}

/** "ii": keeps the diagonal of two axes of one label. */
static void take_diagonals(term *t) {
  for (int i = 0; i < t->ndim && t->node; i++)
    for (int j = i + 1; j < t->ndim && t->node; j++)
      if (t->label[i] == t->label[j]) {
        t->node =
            CUSP_APPLY1("diagonal", t->node, cusp_attr_int(0), cusp_attr_int(i), cusp_attr_int(j));
        int8_t label = t->label[i];
        drop_axis(t, j);
        drop_axis(t, i);
        t->label[t->ndim++] = label; /* the diagonal becomes the last axis */
        i = -1;
        break;
      }
}

/** Axes of size 1 that broadcast against a longer one carry no information: they go. */
static void squeeze_broadcast(const equation *e, term *t) {
  if (!t->node)
    return;
  cusp_shape shape = t->node->type.shape;
  for (int i = t->ndim - 1; i >= 0; i--)
    if (shape.size[i] == 1 && e->size[t->label[i]] != 1) {
      memmove(shape.size + i, shape.size + i + 1,
              (size_t)(shape.ndim - i - 1) * sizeof *shape.size);
      shape.ndim--;
      drop_axis(t, i);
    }
  t->node = cusp_reshape(t->node, &shape);
}

/** Sums over the axes that nobody after this needs. */
static void sum_unneeded(term *t, const bool *needed) {
  int64_t axes[CUSP_MAX_DIMS];
  int count = 0;
  for (int i = 0; i < t->ndim; i++)
    if (!needed[t->label[i]])
      axes[count++] = i;
  if (count == 0 || !t->node)
    return;
  t->node = cusp_sum_axes(t->node, axes, count, false);
  for (int i = count - 1; i >= 0; i--)
    drop_axis(t, (int)axes[i]);
}

/** Brings the axes into the order of `labels` (each of them present). */
static void permute(term *t, const int8_t *labels, int count) {
  int64_t axes[CUSP_MAX_DIMS];
  bool same = true;
  for (int i = 0; i < count; i++) {
    axes[i] = (const int8_t *)memchr(t->label, labels[i], (size_t)t->ndim) - t->label;
    same = same && axes[i] == i;
  }
  if (!same && t->node)
    t->node = cusp_transpose(t->node, axes);
  memcpy(t->label, labels, (size_t)count);
}

/* ------------------------------------------------------------------ two terms */

/** The four kinds of labels of a pair: in both and kept, in both and summed, in one alone. */
typedef struct pairing {
  int8_t batch[CUSP_MAX_DIMS], inner[CUSP_MAX_DIMS], left[CUSP_MAX_DIMS], right[CUSP_MAX_DIMS];
  int n_batch, n_inner, n_left, n_right;
} pairing;

static pairing pair_labels(const term *a, const term *b, const bool *needed) {
  pairing p = {0};
  for (int i = 0; i < a->ndim; i++) {
    int8_t label = a->label[i];
    if (!has(b, label))
      p.left[p.n_left++] = label;
    else if (needed[label])
      p.batch[p.n_batch++] = label;
    else
      p.inner[p.n_inner++] = label;
  }
  for (int i = 0; i < b->ndim; i++)
    if (!has(a, b->label[i]))
      p.right[p.n_right++] = b->label[i];
  return p;
}

static int append(int8_t *to, int count, const int8_t *labels, int n) {
  memcpy(to + count, labels, (size_t)n);
  return count + n;
}

static int64_t product(const equation *e, const int8_t *labels, int n) {
  int64_t size = 1;
  for (int i = 0; i < n; i++)
    size *= e->size[labels[i]];
  return size;
}

/** Orders `t` as batch, first, second and folds each of the latter two into one axis. */
static cusp_node *as_stack(const equation *e, const pairing *p, term *t, const int8_t *first,
                           int n_first, const int8_t *second, int n_second) {
  int8_t order[3 * CUSP_MAX_DIMS];
  int count = append(order, 0, p->batch, p->n_batch);
  count = append(order, count, first, n_first);
  count = append(order, count, second, n_second);
  permute(t, order, count);
  cusp_shape shape = {.ndim = p->n_batch + 2};
  for (int i = 0; i < p->n_batch; i++)
    shape.size[i] = e->size[p->batch[i]];
  shape.size[p->n_batch] = product(e, first, n_first);
  shape.size[p->n_batch + 1] = product(e, second, n_second);
  return t->node ? cusp_reshape(t->node, &shape) : NULL;
}

/** Nothing to sum: both operands get axes of size 1 where they lack a label, and are multiplied. */
static cusp_node *multiply_terms(const term *a, const term *b, const term *out) {
  cusp_node *factor[2] = {a->node, b->node};
  for (int k = 0; k < 2; k++) {
    term t = k ? *b : *a;
    cusp_shape shape = {.ndim = out->ndim};
    int8_t order[CUSP_MAX_DIMS];
    int count = 0;
    for (int i = 0; i < out->ndim; i++)
      if (has(&t, out->label[i]))
        order[count++] = out->label[i];
    permute(&t, order, count);
    if (!t.node)
      return NULL;
    for (int i = 0, axis = 0; i < out->ndim; i++)
      shape.size[i] = has(&t, out->label[i]) ? t.node->type.shape.size[axis++] : 1;
    factor[k] = cusp_reshape(t.node, &shape);
  }
  return cusp_multiply(factor[0], factor[1]);
}

static cusp_status contract_pair(const equation *e, term *a, term *b, const bool *needed) {
  sum_unneeded(a, needed); /* the caller marks what the other operand has as needed */
  pairing p = pair_labels(a, b, needed + LABELS);
  term out = {0};
  out.ndim = append(out.label, 0, p.batch, p.n_batch);
  out.ndim = append(out.label, out.ndim, p.left, p.n_left);
  out.ndim = append(out.label, out.ndim, p.right, p.n_right);
  if (out.ndim > CUSP_MAX_DIMS || p.n_batch + 2 > CUSP_MAX_DIMS)
    return cusp_fail(CUSP_EUNSUPPORTED,
                     "einsum: \"%s\" needs a tensor of more than %d axes on the way", e->text,
                     CUSP_MAX_DIMS);
  if (p.n_inner == 0) {
    out.node = multiply_terms(a, b, &out);
  } else {
    cusp_node *left = as_stack(e, &p, a, p.left, p.n_left, p.inner, p.n_inner);
    cusp_node *right = as_stack(e, &p, b, p.inner, p.n_inner, p.right, p.n_right);
    cusp_node *stacked = cusp_matmul(left, right);
    cusp_shape shape = {.ndim = out.ndim};
    for (int i = 0; i < out.ndim; i++)
      shape.size[i] = e->size[out.label[i]];
    out.node = stacked ? cusp_reshape(stacked, &shape) : NULL;
  }
  *a = out;
  return cusp_built(out.node);
}

/** Labels that the result or an operand from `first` on mentions. */
static void needed_labels(const equation *e, int first, bool *needed) {
  memset(needed, 0, LABELS * sizeof *needed);
  for (int i = 0; i < e->output.ndim; i++)
    needed[(int)e->output.label[i]] = true;
  for (int j = first; j < e->n_operands; j++)
    for (int i = 0; i < e->operands[j].ndim; i++)
      needed[(int)e->operands[j].label[i]] = true;
}

cusp_status cusp_einsum_compose(cusp_node *const *inputs, int n_inputs, const cusp_attr *attrs,
                                cusp_node **outputs, int *n_outputs) {
  equation e = {0};
  /* by this operand's partner and all after it, then by those after the partner alone */
  bool needed[2 * LABELS];
  *n_outputs = 1;
  CUSP_TRY(parse(&e, attrs[0].string, inputs, n_inputs));
  for (int i = 0; i < n_inputs; i++) {
    take_diagonals(&e.operands[i]);
    squeeze_broadcast(&e, &e.operands[i]);
    CUSP_TRY(cusp_built(e.operands[i].node));
  }
  term *all = &e.operands[0];
  for (int i = 1; i < n_inputs; i++) {
    term *next = &e.operands[i];
    needed_labels(&e, i + 1, needed + LABELS);
    memcpy(needed, needed + LABELS, LABELS * sizeof *needed);
    for (int k = 0; k < all->ndim; k++)
      needed[(int)all->label[k]] = true;
    sum_unneeded(next, needed);
    needed_labels(&e, i, needed);
    CUSP_TRY(contract_pair(&e, all, next, needed));
  }
  needed_labels(&e, n_inputs, needed);
  sum_unneeded(all, needed);
  for (int i = 0; i < e.output.ndim && all->node; i++)
    /* a broadcast axis of size 1 everywhere was never dropped, so this cannot be */
    if (!has(all, e.output.label[i])) {
      return cusp_fail(CUSP_ESHAPE,
                       "einsum: the result of \"%s\" names an axis that no operand has", e.text);
    }
  permute(all, e.output.label, e.output.ndim);
  outputs[0] = all->node;
  return cusp_built(outputs[0]);
}
