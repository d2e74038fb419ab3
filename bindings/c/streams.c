/*
 * Lua's archive is compiled for programs, where stdin and the like have fixed addresses. The copy
 * that becomes part of this library refers to these instead.
 */
#include <stdio.h>

extern FILE *cusp_c_stdin, *cusp_c_stdout, *cusp_c_stderr;
FILE *cusp_c_stdin, *cusp_c_stdout, *cusp_c_stderr;

__attribute__((constructor)) static void find_streams(void) {
  cusp_c_stdin = stdin;
  cusp_c_stdout = stdout;
  cusp_c_stderr = stderr;
}
