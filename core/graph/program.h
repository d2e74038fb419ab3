#ifndef CUSP_GRAPH_PROGRAM_H
#define CUSP_GRAPH_PROGRAM_H
/* A fused unit as a program of the tiled loop. */

#include "operands.h"

void cusp_program_build(const cusp_lowering *lowering, const cusp_unit *unit,
                        const cusp_operands *operands, cusp_fused_program *program);

#endif
