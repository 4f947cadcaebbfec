// SPDX-License-Identifier: Apache-2.0
// The least that an add can cost: C and OpenSSL, requests made beforehand, one thread with epoll,
// records gathered into large writes, and of a reply only its status and its length looked at.
// Whatever goes wrong ends it.
//
// least PORT CA_FILE SESSION TEXT_BYTES CONNECTIONS: for each number on its standard input sends so
// many adds and prints the CPU seconds that they took, as JSON; ends with it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum { EVENTS_MAX = 64, HEAD_BYTES_MAX = 8192, REPLY_BYTES_MAX = 16384, RECORDS_BYTES = 1 << 17 };

struct line {
  SSL *tls;
  BIO *out;    // gathers what is encrypted
  size_t left; // of the request
};

static char *request;
static size_t n_request;
static long to_begin, to_end;

static void check(int is_good, const char *what) {
  if (!is_good) {
    fprintf(stderr, "least: %s\n", what);
    exit(1);
  }
}

static void make_request(const char *port, const char *session, size_t text_bytes) {
  request = malloc(HEAD_BYTES_MAX + text_bytes);
  check(request != NULL, "no memory");
  int n = snprintf(request, HEAD_BYTES_MAX,
                   "POST /api/vcenter/host/host-1000/entropy/external-pool?action=add HTTP/1.1\r\n"
                   "Host: localhost:%s\r\nvmware-api-session-id: %s\r\n"
                   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n{\"data\":\"",
                   port, session, text_bytes + 11);
  memset(request + n, 'A', text_bytes);
  memcpy(request + n + text_bytes, "\"}", 2);
  n_request = (size_t)n + text_bytes + 2;
}

static void open_line(struct line *line, SSL_CTX *context, const char *port) {
  struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(fd >= 0 && !connect(fd, (struct sockaddr *)&there, sizeof there), "no connection");
  line->tls = SSL_new(context);
  check(line->tls && SSL_set_fd(line->tls, fd) && SSL_set1_host(line->tls, "localhost") &&
            SSL_connect(line->tls) == 1,
        "no TLS");
  line->out = BIO_new(BIO_f_buffer());
  check(line->out && BIO_set_write_buffer_size(line->out, RECORDS_BYTES), "no memory");
  BIO *peer = SSL_get_wbio(line->tls);
  BIO_up_ref(peer);
  SSL_set0_wbio(line->tls, BIO_push(line->out, peer));
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void send_on(struct line *line) {
  while (line->left) {
    int n = SSL_write(line->tls, request + n_request - line->left, (int)line->left);
    if (n <= 0) {
      check(SSL_get_error(line->tls, n) == SSL_ERROR_WANT_WRITE, "cannot encrypt");
      return;
    }
    line->left -= (size_t)n;
  }
  check(BIO_flush(line->out) == 1 || BIO_should_retry(line->out), "cannot send");
}

static void begin(struct line *line) {
  if (to_begin <= 0)
    return;
  to_begin--;
  line->left = n_request;
  send_on(line);
}

static void read_reply(struct line *line) {
  char reply[REPLY_BYTES_MAX + 1];
  int n = SSL_read(line->tls, reply, REPLY_BYTES_MAX);
  if (n <= 0) {
    check(SSL_get_error(line->tls, n) == SSL_ERROR_WANT_READ, "no reply");
    return;
  }
  reply[n] = 0; // the far end sends each as one record
  const char *payload = strstr(reply, "\r\n\r\n"), *field = strcasestr(reply, "\ncontent-length:");
  check(!strncmp(reply, "HTTP/1.1 200 ", 13) && payload && field &&
            payload + 4 + atoi(field + 16) == reply + n,
        "another reply");
  to_end--;
  begin(line);
}

int main(int argc, char **argv) {
  if (argc != 6)
    return 2;
  make_request(argv[1], argv[3], strtoul(argv[4], NULL, 10));
  size_t n_lines = strtoul(argv[5], NULL, 10);
  struct line *lines = calloc(n_lines, sizeof *lines);
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  int queue = epoll_create1(EPOLL_CLOEXEC);
  check(lines && context && queue >= 0, "no memory");
  check(SSL_CTX_load_verify_locations(context, argv[2], NULL), "no CA");
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  for (size_t i = 0; i < n_lines; i++) {
    open_line(&lines[i], context, argv[1]);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &lines[i]};
    check(!epoll_ctl(queue, EPOLL_CTL_ADD, SSL_get_fd(lines[i].tls), &event), "no epoll");
  }
  while (scanf("%ld", &to_begin) == 1) {
    clock_t before = clock(); // CPU, user and system
    to_end = to_begin;
    for (size_t i = 0; i < n_lines; i++)
      begin(&lines[i]);
    while (to_end) {
      struct epoll_event events[EVENTS_MAX];
      int n = epoll_wait(queue, events, EVENTS_MAX, -1);
      for (int i = 0; i < n; i++) {
        if (events[i].events & EPOLLOUT)
          send_on(events[i].data.ptr);
        if (events[i].events & EPOLLIN)
          read_reply(events[i].data.ptr);
      }
    }
    printf("{\"cpu_seconds\":%.6f}\n", (double)(clock() - before) / CLOCKS_PER_SEC);
    fflush(stdout);
  }
}
