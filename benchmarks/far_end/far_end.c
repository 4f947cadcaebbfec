// SPDX-License-Identifier: Apache-2.0
// A vCenter that costs nearly nothing: TLS on loopback, a few thousand hosts in an array, one
// thread. It is the far end of benchmarks, where the twin would be the limit, and must never be
// used for anything else. far_end.py builds and starts it.
//
// far_end CERTIFICATE 1.2|1.3 HOSTS CAPACITY WATERMARK TIMEOUT: prints its port, then does what the
// lines of its standard input say, answers each with one line of JSON, and ends with it:
//   say | count | level BYTES | drain BYTES_PER_SECOND | delay LEAST_SECONDS MOST_SECONDS | awake
#define _GNU_SOURCE
#include "answer.h"
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 64, REPLY_BYTES_MAX = 1 << 20, LINE_BYTES_MAX = 128 };

static struct fleet fleet;
static char *inventory;
static double least_delay, most_delay;
static int stays_awake; // nobody pays for waking it
static unsigned long long malformed;
static size_t n_connections;
static struct connection open_ones = {.next = &open_ones, .before = &open_ones};
static int queue;

static double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int make_reply(struct connection *c) {
  static char reply[REPLY_BYTES_MAX];
  if (c->malformed) {
    malformed++;
    return 0;
  }
  double now = now_seconds();
  size_t n_tail = c->body_bytes < TAIL_BYTES ? c->body_bytes : TAIL_BYTES;
  const char *tail = c->tail + TAIL_BYTES - n_tail;
  c->n_reply = answer(&fleet, inventory, c->head, c->body_bytes, tail, now, reply, sizeof reply);
  c->due = most_delay > 0 ? now + least_delay + (most_delay - least_delay) * drand48() : 0;
  c->reply = malloc(c->n_reply);
  if (!c->reply || !c->n_reply)
    return 0;
  memcpy(c->reply, reply, c->n_reply);
  return 1;
}

static void end(struct connection *c) {
  c->next->before = c->before;
  c->before->next = c->next;
  SSL_free(c->tls);
  close(c->fd);
  free(c->reply);
  free(c);
  n_connections--;
}

static void go_on(struct connection *c, int is_lost) {
  uint32_t wants;
  if (is_lost || !connection_go_on(c, make_reply, now_seconds(), &wants)) {
    end(c);
    return;
  }
  if (wants != c->events) {
    struct epoll_event event = {.events = c->events = wants, .data.ptr = c};
    epoll_ctl(queue, EPOLL_CTL_MOD, c->fd, &event);
  }
}

static void meet(int listener, SSL_CTX *context) {
  int one = 1;
  int peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (peer < 0)
    return;
  setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct connection *c = calloc(1, sizeof *c);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (!c || !(c->tls = SSL_new(context)) || !SSL_set_fd(c->tls, peer) ||
      epoll_ctl(queue, EPOLL_CTL_ADD, peer, &event))
    exit(1);
  c->fd = peer;
  c->events = EPOLLIN;
  c->next = open_ones.next;
  c->before = &open_ones;
  c->next->before = c->before->next = c;
  n_connections++;
  go_on(c, 0);
}

// Sends the replies that are due; returns the milliseconds until the next one is, -1 if none is.
static int send_due(void) {
  double next = INFINITY, now = now_seconds();
  if (most_delay <= 0)
    return -1;
  for (struct connection *c = open_ones.next, *after; c != &open_ones; c = after) {
    after = c->next;
    if (c->stage != DELAYED)
      continue;
    if (c->due <= now)
      go_on(c, 0);
    else if (c->due < next)
      next = c->due;
  }
  return isinf(next) ? -1 : (int)ceil((next - now) * 1000);
}

static void obey(const char *line) {
  char said[1024];
  double first = 0, second = 0, now = now_seconds();
  char word[16] = "";
  sscanf(line, "%15s %lf %lf", word, &first, &second);
  if (!strcmp(word, "count")) {
    fleet_count_anew(&fleet, now);
  } else if (!strcmp(word, "level")) {
    fleet_set_level(&fleet, first, now);
  } else if (!strcmp(word, "drain")) {
    fleet_set_drain(&fleet, first, now);
  } else if (!strcmp(word, "delay")) {
    least_delay = first;
    most_delay = second;
  } else if (!strcmp(word, "awake")) {
    stays_awake = 1;
  }
  fleet_say(&fleet, now, said, sizeof said);
  printf("{\"malformed\":%llu,\"connections\":%zu,%s\n", malformed, n_connections, said + 1);
  fflush(stdout);
}

static void hear(void) {
  static char line[LINE_BYTES_MAX + 1];
  static size_t used;
  ssize_t n = read(0, line + used, LINE_BYTES_MAX - used);
  if (n <= 0)
    exit(0);
  used += (size_t)n;
  line[used] = 0;
  for (char *stop; (stop = strchr(line, '\n'));) {
    *stop = 0;
    obey(line);
    used -= (size_t)(stop + 1 - line);
    memmove(line, stop + 1, used + 1);
  }
}

static int listen_on_loopback(void) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof here;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&here, size) || listen(listener, 512) ||
      getsockname(listener, (struct sockaddr *)&here, &size))
    exit(1);
  printf("%d\n", ntohs(here.sin_port));
  fflush(stdout);
  return listener;
}

int main(int argc, char **argv) {
  if (argc != 7)
    return 2;
  signal(SIGPIPE, SIG_IGN);
  int version = strcmp(argv[2], "1.2") ? TLS1_3_VERSION : TLS1_2_VERSION;
  fleet.n = strtoull(argv[3], NULL, 10);
  fleet.capacity_bytes = strtoull(argv[4], NULL, 10);
  fleet.watermark_bytes = strtoull(argv[5], NULL, 10);
  fleet.timeout_seconds = strtoull(argv[6], NULL, 10);
  fleet.pools = calloc(fleet.n, sizeof *fleet.pools);
  inventory = inventory_of(&fleet);
  double now = now_seconds();
  for (size_t i = 0; fleet.pools && i < fleet.n; i++)
    fleet.pools[i].at = fleet.pools[i].contact_at = now;

  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  if (!fleet.pools || !inventory || !context || !SSL_CTX_set_min_proto_version(context, version) ||
      !SSL_CTX_set_max_proto_version(context, version) ||
      SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, argv[1], SSL_FILETYPE_PEM) != 1)
    return 1;
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, 1 << 16);

  int listener = listen_on_loopback();
  fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
  queue = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event knock = {.events = EPOLLIN, .data.ptr = &listener};
  struct epoll_event word = {.events = EPOLLIN, .data.ptr = NULL};
  if (queue < 0 || epoll_ctl(queue, EPOLL_CTL_ADD, listener, &knock) ||
      epoll_ctl(queue, EPOLL_CTL_ADD, 0, &word))
    return 1;
  for (;;) {
    struct epoll_event events[EVENTS_MAX];
    int rest = send_due();
    int n = epoll_wait(queue, events, EVENTS_MAX, stays_awake ? 0 : rest);
    if (n < 0 && errno != EINTR)
      return 1;
    for (int i = 0; i < n; i++) {
      if (events[i].data.ptr == NULL)
        hear();
      else if (events[i].data.ptr == &listener)
        meet(listener, context);
      else
        go_on(events[i].data.ptr, (events[i].events & (EPOLLERR | EPOLLHUP)) != 0);
    }
  }
}
