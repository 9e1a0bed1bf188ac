/*
 * A link with a delay, for the benchmark `start`: passes TCP connections on, each chunk after
 * base + jitter * u, u uniform in [-1, 1], without changing the order within a connection.
 *
 *   relay TARGET_PORT OUT_US OUT_JITTER_US BACK_US BACK_JITTER_US SEED
 *
 * Listens on a free port of 127.0.0.1, prints it, and ends when its standard input ends. "Out" is
 * from the client to the target. Waits with ppoll and a timer slack of 1 ns, so that a chunk leaves
 * some microseconds late at most where the processor is free.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS_MAX = 128, CHUNK_BYTES_MAX = 65536, QUEUED_MAX = 512 };

struct chunk {
  int64_t due_ns;
  size_t size;
  size_t sent;
  struct chunk *next;
  char data[];
};

/* One direction of a connection. */
struct way {
  int from, to;
  int64_t base_ns, jitter_ns, last_due_ns;
  struct chunk *head, *tail;
  int queued, ended, closed;
};

static struct way ways[2 * PAIRS_MAX];
static int way_count;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void no_delay(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static int connect_to(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) return -1;
  no_delay(fd);
  return fd;
}

static void read_chunk(struct way *way) {
  static char buffer[CHUNK_BYTES_MAX];
  ssize_t size = recv(way->from, buffer, sizeof buffer, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    way->ended = 1;
    return;
  }
  struct chunk *chunk = malloc(sizeof *chunk + size);
  if (chunk == NULL) fail("malloc");
  int64_t delay = way->base_ns + (int64_t)(way->jitter_ns * (2 * drand48() - 1));
  int64_t due = now_ns() + (delay < 0 ? 0 : delay);
  if (due < way->last_due_ns) due = way->last_due_ns;
  way->last_due_ns = due;
  *chunk = (struct chunk){.due_ns = due, .size = size};
  memcpy(chunk->data, buffer, size);
  if (way->tail != NULL) way->tail->next = chunk;
  else way->head = chunk;
  way->tail = chunk;
  way->queued++;
}

static void write_due(struct way *way) {
  while (way->head != NULL && way->head->due_ns <= now_ns()) {
    struct chunk *chunk = way->head;
    ssize_t size = send(way->to, chunk->data + chunk->sent, chunk->size - chunk->sent,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size < 0) way->ended = 1;
    else chunk->sent += size;
    if (size >= 0 && chunk->sent < chunk->size) return;
    way->head = chunk->next;
    if (way->head == NULL) way->tail = NULL;
    way->queued--;
    free(chunk);
  }
  if (way->ended && way->head == NULL && !way->closed) {
    way->closed = 1;
    shutdown(way->to, SHUT_WR);
  }
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: relay TARGET_PORT OUT_US OUT_JITTER_US BACK_US BACK_JITTER_US SEED\n");
    return 2;
  }
  int target_port = atoi(argv[1]);
  int64_t delays_ns[4];
  for (int i = 0; i < 4; i++) delays_ns[i] = atoll(argv[2 + i]) * 1000;
  srand48(atol(argv[6]));
  prctl(PR_SET_TIMERSLACK, 1);

  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0) fail("bind");
  if (listen(listener, 64) < 0) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);

  for (;;) {
    struct pollfd polled[2 + 2 * PAIRS_MAX];
    polled[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = listener, .events = POLLIN};
    int64_t due = INT64_MAX;
    for (int i = 0; i < way_count; i++) {
      struct way *way = &ways[i];
      /* A full queue stops reading, and so the sender. */
      int reads = !way->ended && way->queued < QUEUED_MAX;
      polled[2 + i] = (struct pollfd){.fd = reads ? way->from : -1, .events = POLLIN};
      if (way->head != NULL && way->head->due_ns < due) due = way->head->due_ns;
    }
    struct timespec wait, *timeout = NULL;
    if (due != INT64_MAX) {
      int64_t left = due - now_ns();
      if (left < 0) left = 0;
      wait = (struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
      timeout = &wait;
    }
    int count = way_count;
    if (ppoll(polled, 2 + count, timeout, NULL) < 0 && errno != EINTR) fail("ppoll");
    if (polled[0].revents != 0) {
      char byte;
      if (read(STDIN_FILENO, &byte, 1) <= 0) return 0;
    }
    for (int i = 0; i < count; i++) {
      if (polled[2 + i].revents != 0) read_chunk(&ways[i]);
      write_due(&ways[i]);
    }
    if (polled[1].revents != 0 && way_count < 2 * PAIRS_MAX) {
      int client = accept(listener, NULL, NULL);
      int server = client < 0 ? -1 : connect_to(target_port);
      if (server < 0) {
        if (client >= 0) close(client);
        continue;
      }
      no_delay(client);
      ways[way_count++] = (struct way){
          .from = client, .to = server, .base_ns = delays_ns[0], .jitter_ns = delays_ns[1]};
      ways[way_count++] = (struct way){
          .from = server, .to = client, .base_ns = delays_ns[2], .jitter_ns = delays_ns[3]};
    }
  }
}
