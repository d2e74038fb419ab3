#ifndef CUSP_KERNELS_SCATTER_H
#define CUSP_KERNELS_SCATTER_H
/* Writing and adding at positions that a tensor holds; see gather.h. */

#include "gather.h"

/** inputs: updates [outer, m, inner], positions [m]; result [outer, n, inner], zero and updates
 * added. Attributes: axis, n. */
extern const cusp_kernel cusp_scatter_axis_kernels[];
/** inputs: updates and positions [outer, m, inner]; result [outer, n, inner], zero and updates
 * added. Attributes: axis, n. */
extern const cusp_kernel cusp_scatter_along_kernels[];
/** inputs: x, positions [..., k], updates [..., rest of x]; x with updates combined in. Attributes:
 * mode, drop. */
extern const cusp_kernel cusp_scatter_nd_kernels[];

typedef enum cusp_scatter_mode {
  CUSP_SCATTER_SET = 0, /* the last update of a position wins */
  CUSP_SCATTER_ADD,
  CUSP_SCATTER_MAX,
  CUSP_SCATTER_MIN,
  CUSP_SCATTER_MULTIPLY,
  CUSP_SCATTER_MODES
} cusp_scatter_mode;

#endif
