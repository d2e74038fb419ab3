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

#endif
