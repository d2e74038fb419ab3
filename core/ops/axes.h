#ifndef CUSP_OPS_AXES_H
#define CUSP_OPS_AXES_H
/* Axes in compositions: the checks that infer has helpers for, and moving axes about. */

#include "../node/node.h"

/** Turns -ndim <= axis < ndim into 0 <= axis; the message names the operation and counts axes as
 * Lua does (from 1). */
CUSP_NODISCARD cusp_status cusp_resolve_axis(int *out, const char *name, int64_t axis, int ndim);
/** The axis attribute; an absent one (nil) flattens *x and means its only axis, as NumPy has it. */
CUSP_NODISCARD cusp_status cusp_axis_or_flat(int *out, const char *name, const cusp_attr *attr,
                                             cusp_node **x);
/** What a row with CUSP_OP_NULL_AXIS calls `instead` of itself: its inputs flattened; the second
 * gives their shape back. */
cusp_status cusp_over_flat(cusp_node **out, const cusp_op *op, int n, cusp_node *const *x,
                           int n_attrs, const cusp_attr *attrs);
cusp_status cusp_over_flat_shaped(cusp_node **out, const cusp_op *op, int n, cusp_node *const *x,
                                  int n_attrs, const cusp_attr *attrs);
/** Class ids as int32; those that it cannot hold become ids that no class has, where a cast would
 * make them others. */
cusp_node *cusp_labels(cusp_node *x);
/** `x` with axis `from` moved to place `to`, the others in order; x itself where nothing moves.
 * Built as build.h does. */
cusp_node *cusp_move_axis(cusp_node *x, int from, int to);
/** The list of an axes attribute, whichever way it was given. */
int cusp_axes_of(const cusp_attr *attr, const int64_t **axes);
/** Marks the axes in `chosen`, each at most once. */
CUSP_NODISCARD cusp_status cusp_choose_axes(const cusp_attr *attr, int ndim, bool *chosen);

#endif
