/*
 * Runs a command several times and reports each run's wall time and peak resident memory.
 * Usage: measure RUNS COMMAND ARGUMENTS...    prints {"seconds": [...], "peak_bytes": [...]}; the
 * command's output is dropped
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RUNS = 100 };

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void run_child(char **command) {
  int null = open("/dev/null", O_WRONLY);
  dup2(null, STDOUT_FILENO);
  execvp(command[0], command);
  perror(command[0]);
  _exit(127);
}

int main(int count, char **arguments) {
  int runs = count > 2 ? atoi(arguments[1]) : 0;
  double elapsed[MAX_RUNS];
  long peak[MAX_RUNS];
  if (runs < 1 || runs > MAX_RUNS) {
    fprintf(stderr, "usage: measure RUNS COMMAND ARGUMENTS...\n");
    return 1;
  }
  for (int i = 0; i < runs; i++) {
    struct rusage usage;
    int status;
    double start = seconds();
    pid_t child = fork();
    if (child == 0)
      run_child(arguments + 2);
    if (child < 0 || wait4(child, &status, 0, &usage) < 0 || status != 0) {
      fprintf(stderr, "measure: %s failed\n", arguments[2]);
      return 1;
    }
    elapsed[i] = seconds() - start;
    peak[i] = usage.ru_maxrss;
  }
  printf("{\"seconds\": [");
  for (int i = 0; i < runs; i++)
    printf("%s%.6f", i ? ", " : "", elapsed[i]);
  printf("], \"peak_bytes\": [");
  for (int i = 0; i < runs; i++)
    printf("%s%ld", i ? ", " : "", peak[i] * 1024);
  printf("]}\n");
  return 0;
}
