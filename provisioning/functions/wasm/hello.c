/*
 * The WebAssembly function that Lockstep measures. WASI has no sockets, so a host listens and asks
 * it for each answer; files and clock come by WASI. What host and function agree on:
 *
 *   start()          is called once; prints the marker that the function's main was entered
 *   question()       where the host writes path and query of a GET request, without a final zero
 *   question_size()  how many bytes fit there
 *   answer(length)   does what the question of that length asks for; returns the HTTP status
 *   text()           the answer's text, that ends with a zero
 *   duration_ns()    how long the work alone took by the monotonic clock, or -1 if there was none
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT(name) __attribute__((export_name(name)))

enum { QUESTION_BYTES = 1024, TEXT_BYTES = 256, PAGE_BYTES = 4096, NAME_BYTES = 200 };

static const uint64_t FIB_PRESET = 1000000000, FIB_MOST = 10000000000;
static const uint64_t ALLOC_PRESET_MIB = 50, ALLOC_MOST_MIB = 65536;
static const int OK = 200, BAD_REQUEST = 400, FORBIDDEN = 403, NOT_FOUND = 404, FAILED = 500;

static char asked[QUESTION_BYTES];
static char answered[TEXT_BYTES];
static int64_t took_ns;

EXPORT("start") void start(void) {
  static const char marker[] = "lockstep:main\n";
  write(STDOUT_FILENO, marker, sizeof marker - 1);
}

EXPORT("question") char *question(void) { return asked; }
EXPORT("question_size") int question_size(void) { return QUESTION_BYTES; }
EXPORT("text") const char *text(void) { return answered; }
EXPORT("duration_ns") int64_t duration_ns(void) { return took_ns; }

static int64_t now_ns(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Reads "name=number", from 1 to most; an empty query is the preset. Returns 0 if it can't. */
static int read_number(const char *query, const char *name, uint64_t *number, uint64_t most) {
  if (*query == '\0') return 1;
  size_t length = strlen(name);
  const char *digits = query + length + 1;
  int is_named = strncmp(query, name, length) == 0 && query[length] == '=';
  if (is_named && *digits >= '0' && *digits <= '9') {
    char *end;
    errno = 0;
    *number = strtoull(digits, &end, 10);
    if (errno == 0 && *end == '\0' && *number >= 1 && *number <= most) return 1;
  }
  const char *form = "the query is no %s=NUMBER from 1 to %" PRIu64 "\n";
  snprintf(answered, TEXT_BYTES, form, name, most);
  return 0;
}

/* The nth Fibonacci number modulo 2^64, by n-1 additions. */
static uint64_t fibonacci(uint64_t n) {
  uint64_t before = 0, value = 1;
  for (uint64_t i = 1; i < n; i++) {
    uint64_t next = before + value;
    before = value;
    value = next;
  }
  return value;
}

static int do_fibonacci(const char *query) {
  uint64_t n = FIB_PRESET;
  if (!read_number(query, "n", &n, FIB_MOST)) return BAD_REQUEST;
  int64_t begin = now_ns();
  uint64_t value = fibonacci(n);
  took_ns = now_ns() - begin;
  snprintf(answered, TEXT_BYTES, "%" PRIu64 "\n", value);
  return OK;
}

/* Takes memory, writes one byte of each 4096 and gives it back. */
static int do_alloc(const char *query) {
  uint64_t mib = ALLOC_PRESET_MIB;
  if (!read_number(query, "mib", &mib, ALLOC_MOST_MIB)) return BAD_REQUEST;
  if (mib >= SIZE_MAX >> 20) {
    snprintf(answered, TEXT_BYTES, "%" PRIu64 " MiB are over 32 bits\n", mib);
    return FAILED;
  }
  int64_t begin = now_ns();
  size_t size = (size_t)mib << 20;
  /* Volatile: or the compiler would see that nobody reads what is written. */
  volatile char *memory = malloc(size);
  if (memory == NULL) {
    snprintf(answered, TEXT_BYTES, "there are no %" PRIu64 " MiB\n", mib);
    return FAILED;
  }
  uint64_t pages = 0;
  for (size_t at = 0; at < size; at += PAGE_BYTES, pages++) memory[at] = 1;
  free((void *)memory);
  took_ns = now_ns() - begin;
  snprintf(answered, TEXT_BYTES, "%" PRIu64 "\n", pages);
  return OK;
}

/* Counts the bytes of a file: what the host has not opened for the function can't be read. */
static int do_open(const char *query) {
  if (strncmp(query, "path=", 5) != 0) {
    snprintf(answered, TEXT_BYTES, "the query is no path=FILE\n");
    return BAD_REQUEST;
  }
  FILE *file = fopen(query + 5, "r");
  if (file == NULL) {
    int is_absent = errno == ENOENT;
    snprintf(answered, TEXT_BYTES, "%.*s: %s\n", NAME_BYTES, query + 5, strerror(errno));
    return is_absent ? NOT_FOUND : FORBIDDEN;
  }
  uint64_t count = 0;
  while (fgetc(file) != EOF) count++;
  fclose(file);
  snprintf(answered, TEXT_BYTES, "%" PRIu64 "\n", count);
  return OK;
}

EXPORT("answer") int answer(int length) {
  took_ns = -1;
  answered[0] = '\0';
  if (length < 0 || length >= QUESTION_BYTES) return BAD_REQUEST;
  asked[length] = '\0';
  char *mark = strchr(asked, '?');
  const char *query = mark == NULL ? "" : mark + 1;
  if (mark != NULL) *mark = '\0';
  if (strcmp(asked, "/hello") == 0) {
    snprintf(answered, TEXT_BYTES, "Hello from wasm!\n");
    return OK;
  }
  if (strcmp(asked, "/fib") == 0) return do_fibonacci(query);
  if (strcmp(asked, "/alloc") == 0) return do_alloc(query);
  if (strcmp(asked, "/open") == 0) return do_open(query);
  return NOT_FOUND;
}
