// SPDX-License-Identifier: Apache-2.0
//
// A source over the real test token, threads and all, for the sanitizers: what it publishes adds
// up, it recovers, latches, and stops while it waits or hangs. What the bytes are is Python's to
// prove.

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "pkcs11/cryptoki.h"
#include "pkcs11/latencies.h"
#include "ring_pair.h"

#define DEADLINE_MS 20000

enum word { // tokens/testtoken.c has the list
  HANDED_OUT = 1,
  LOGINS = 3,
  RANDOM_CKR = 10,
  RANDOM_CKR_CALLS = 11,
  MODE = 12,
  LENGTH_MAX = 14,
  LOGIN_NEEDED = 16,
  FLAGS = 17,
  LOCKING_CKR = 18,
};
enum { MODE_WRITES_HALF = 2, MODE_HANGS = 4, MODE_REPEATS = 6 };

struct fixture {
  struct ring_pair pair;
  struct bn_source *source;
  struct bn_fault fault;
  _Atomic uint64_t *words; // of the token
  char state_path[64];
  char pin_path[64];
};

static void write_file(char *path, const char *template, const char *content) {
  memcpy(path, template, strlen(template) + 1);
  const int fd = mkstemp(path);
  CHECK(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content));
  close(fd);
}

static void open_fixture(struct fixture *f, uint32_t n_slots, uint32_t n_readers) {
  memset(f, 0, sizeof *f);
  write_file(f->state_path, "/tmp/bn-state-XXXXXX", "");
  write_file(f->pin_path, "/tmp/bn-pin-XXXXXX", "123456\n");
  const int fd = open(f->state_path, O_RDWR);
  CHECK(ftruncate(fd, 4096) == 0);
  f->words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK((void *)f->words != MAP_FAILED);
  close(fd);
  setenv("BN_TESTTOKEN_STATE", f->state_path, 1);
  ring_pair_open(&f->pair, n_slots, n_readers);
}

static enum bn_err load(struct fixture *f, uint32_t call_bytes) {
  struct bn_source_config config = {
      .ring_fd = f->pair.ring_fd,
      .n_slots = f->pair.n_slots,
      .n_readers = f->pair.n_readers,
      .data_eventfd = f->pair.data_eventfd,
      .call_bytes = call_bytes,
      .publish_after_ms = 200,
      .allow_unlocked = 1,
  };
  memcpy(config.space_eventfds, f->pair.space_eventfds, sizeof config.space_eventfds);
  CHECK(bn_source_open(&config, &f->source, &f->fault) == BN_OK);
  return bn_source_load(f->source, BN_TESTTOKEN, NULL, &f->fault);
}

static void start(struct fixture *f, uint32_t call_bytes) {
  CHECK(load(f, call_bytes) == BN_OK);
  CHECK(bn_source_start(f->source, 0, &f->fault) == BN_OK);
}

static void close_fixture(struct fixture *f) {
  if (f->source != NULL)
    CHECK(bn_source_close(f->source, DEADLINE_MS) == BN_OK);
  ring_pair_close(&f->pair);
  munmap((void *)f->words, 4096);
  unlink(f->state_path);
  unlink(f->pin_path);
}

static struct bn_ring_view observe(const struct fixture *f) {
  struct bn_ring_view view;
  bn_ring_observe(f->pair.consumer, &view);
  return view;
}

// Pops and releases until at least this many raw bytes have come.
static uint64_t consume(struct fixture *f, uint64_t raw_bytes) {
  uint64_t got = 0;
  while (got < raw_bytes) {
    struct bn_ring_entry entries[16];
    const uint32_t n = bn_ring_pop_burst(f->pair.consumer, entries, 16);
    for (uint32_t i = 0; i < n; i++) {
      got += entries[i].text_bytes / 4 * 3;
      CHECK(bn_ring_release(f->pair.consumer, entries[i].slot) == BN_OK);
    }
    if (n == 0 && !bn_ring_arm(f->pair.consumer)) {
      struct pollfd fd = {.fd = f->pair.data_eventfd, .events = POLLIN};
      uint64_t count;
      CHECK(poll(&fd, 1, DEADLINE_MS) == 1);
      CHECK(read(fd.fd, &count, sizeof count) == sizeof count);
    }
  }
  return got;
}

// Makes room for readers that wait for it.
static void drain(struct fixture *f) {
  struct bn_ring_entry entries[16];
  const uint32_t n = bn_ring_pop_burst(f->pair.consumer, entries, 16);
  for (uint32_t i = 0; i < n; i++)
    CHECK(bn_ring_release(f->pair.consumer, entries[i].slot) == BN_OK);
}

static void sleep_a_little(void) {
  const struct timespec pause = {.tv_nsec = 1000000};
  nanosleep(&pause, NULL);
}

#define WAIT_UNTIL(condition)                                                                      \
  for (int tries_ = 0; !(condition); tries_++) {                                                   \
    CHECK(tries_ < DEADLINE_MS);                                                                   \
    sleep_a_little();                                                                              \
  }

static void test_everything_adds_up(void) {
  struct fixture f;
  open_fixture(&f, 23, 3);
  start(&f, 0);
  CHECK(consume(&f, 20000000) >= 20000000);
  CHECK_EQUAL(bn_source_wait(f.source, 0, &f.fault), BN_OK);
  CHECK_EQUAL(observe(&f).phase, BN_PHASE_RUNNING);
  CHECK_EQUAL(bn_source_close(f.source, DEADLINE_MS), BN_OK);
  f.source = NULL;
  const struct bn_ring_view before = observe(&f);
  (void)consume(&f, before.published_bytes - before.popped_bytes);
  const struct bn_ring_view view = observe(&f);
  CHECK_EQUAL(view.phase, BN_PHASE_STOPPED);
  CHECK_EQUAL(view.fault.err, BN_OK);
  CHECK_EQUAL(view.generated_bytes, f.words[HANDED_OUT]);
  CHECK_EQUAL(view.popped_bytes, view.published_bytes);
  CHECK(view.startup_bytes > 0 && view.failed_bytes == 0 && view.errors == 0);
  // At most the 2 bytes per reader that make no group are lost.
  const uint64_t lost = view.generated_bytes - view.popped_bytes - view.startup_bytes;
  CHECK(lost <= 6);
  for (int i = 0; i < 3; i++) {
    CHECK(view.readers[i].calls_begun == view.readers[i].calls_ended);
    CHECK(view.readers[i].call_bytes > 1024 && !view.readers[i].active);
  }
  close_fixture(&f);
}

static void test_stop_while_the_ring_is_full(void) {
  struct fixture f;
  open_fixture(&f, 4, 2);
  start(&f, 4096);
  // The last slot of each reader may be part-filled, and published after 200 ms.
  WAIT_UNTIL(observe(&f).published_bytes >= 3 * BN_SLOT_RAW_BYTES);
  close_fixture(&f);
}

static void test_a_lost_session_is_opened_again(void) {
  struct fixture f;
  open_fixture(&f, 16, 2);
  atomic_store(&f.words[LOGIN_NEEDED], 1);
  CHECK(load(&f, 4096) == BN_OK);
  CHECK(bn_source_login(f.source, 0, f.pin_path, &f.fault) == BN_OK);
  CHECK(bn_source_start(f.source, 0, &f.fault) == BN_OK);
  (void)consume(&f, 100000);
  for (uint64_t i = 1; i <= 3; i++) {
    atomic_store(&f.words[RANDOM_CKR_CALLS], 1);
    atomic_store(&f.words[RANDOM_CKR], CKR_SESSION_HANDLE_INVALID);
    while (observe(&f).errors < i)
      (void)consume(&f, 10000);
    const struct bn_ring_view then = observe(&f);
    while (observe(&f).readers[0].calls_ended < then.readers[0].calls_ended + 2 ||
           observe(&f).readers[1].calls_ended < then.readers[1].calls_ended + 2)
      (void)consume(&f, 10000);
  }
  CHECK_EQUAL(bn_source_wait(f.source, 0, &f.fault), BN_OK);
  CHECK_EQUAL(f.words[LOGINS], 1); // the other reader's session kept the login
  close_fixture(&f);
}

static void test_what_a_new_session_does_not_heal_ends_it(void) {
  struct fixture f;
  open_fixture(&f, 16, 2);
  start(&f, 4096);
  (void)consume(&f, 100000);
  atomic_store(&f.words[RANDOM_CKR], CKR_DEVICE_ERROR);
  while (bn_source_wait(f.source, 10, &f.fault) == BN_OK)
    drain(&f);
  CHECK_EQUAL(f.fault.err, BN_ERR_CKR);
  CHECK_EQUAL(f.fault.ckr, CKR_DEVICE_ERROR);
  CHECK_EQUAL(observe(&f).phase, BN_PHASE_STOPPED);
  CHECK_EQUAL(observe(&f).fault.ckr, CKR_DEVICE_ERROR);
  close_fixture(&f);
}

static void test_a_latch_ends_all_readers(void) {
  struct fixture f;
  open_fixture(&f, 16, 2);
  start(&f, 4096);
  (void)consume(&f, 100000);
  atomic_store(&f.words[MODE], MODE_REPEATS);
  while (bn_source_wait(f.source, 10, &f.fault) == BN_OK)
    drain(&f);
  CHECK_EQUAL(f.fault.err, BN_ERR_HEALTH);
  WAIT_UNTIL(!observe(&f).readers[0].active && !observe(&f).readers[1].active);
  CHECK_EQUAL(observe(&f).latched, 1);
  close_fixture(&f);
}

static void test_a_module_that_cannot_lock_gets_one_reader(void) {
  struct fixture f;
  open_fixture(&f, 16, 3);
  atomic_store(&f.words[LOCKING_CKR], CKR_CANT_LOCK);
  start(&f, 4096);
  (void)consume(&f, 200000);
  const struct bn_ring_view view = observe(&f);
  CHECK(view.readers[0].calls_begun > 0);
  CHECK(view.readers[1].calls_begun == 0 && view.readers[2].calls_begun == 0);
  close_fixture(&f);
}

// Opens sessions beside the source's until the token has no more than `n_left`.
static void use_up_sessions(uint32_t n_left) {
  CK_FUNCTION_LIST *calls = NULL;
  CK_SESSION_HANDLE sessions[4096];
  uint32_t n = 0;
  void *library = dlopen(BN_TESTTOKEN, RTLD_NOW | RTLD_LOCAL);
  CK_C_GetFunctionList get_list;
  void *symbol = dlsym(library, "C_GetFunctionList");
  memcpy(&get_list, &symbol, sizeof symbol);
  CHECK(get_list(&calls) == CKR_OK);
  while (calls->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &sessions[n]) == CKR_OK)
    n++;
  for (uint32_t i = 0; i < n_left; i++)
    CHECK(calls->C_CloseSession(sessions[i]) == CKR_OK);
  dlclose(library);
}

static void test_fewer_sessions_are_fewer_readers(void) {
  struct fixture f;
  open_fixture(&f, 16, 4);
  CHECK(load(&f, 4096) == BN_OK);
  use_up_sessions(2);
  CHECK(bn_source_start(f.source, 0, &f.fault) == BN_OK);
  (void)consume(&f, 200000);
  WAIT_UNTIL(observe(&f).readers[0].calls_begun > 0 && observe(&f).readers[1].calls_begun > 0);
  CHECK(!observe(&f).readers[2].active && !observe(&f).readers[3].active);
  CHECK_EQUAL(bn_source_wait(f.source, 0, &f.fault), BN_OK);
  close_fixture(&f);

  open_fixture(&f, 16, 4);
  CHECK(load(&f, 4096) == BN_OK);
  use_up_sessions(0);
  CHECK_EQUAL(bn_source_start(f.source, 0, &f.fault), BN_ERR_CKR);
  CHECK_EQUAL(f.fault.ckr, CKR_SESSION_COUNT);
  close_fixture(&f);
}

static void test_no_login_on_the_final_try(void) {
  static const CK_FLAGS flags[] = {CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED};
  for (size_t i = 0; i < 2; i++) {
    struct fixture f;
    open_fixture(&f, 8, 1);
    atomic_store(&f.words[FLAGS], flags[i]);
    CHECK(load(&f, 0) == BN_OK);
    CHECK_EQUAL(bn_source_login(f.source, 0, f.pin_path, &f.fault), BN_ERR_PIN_REFUSED);
    CHECK_EQUAL(f.words[LOGINS], 0);
    CHECK_EQUAL(observe(&f).fault.err, BN_ERR_PIN_REFUSED);
    close_fixture(&f);
  }
}

static void test_out_of_turn(void) {
  struct fixture f;
  open_fixture(&f, 8, 1);
  CHECK(load(&f, 0) == BN_OK);
  CHECK_EQUAL(bn_source_load(f.source, BN_TESTTOKEN, NULL, &f.fault), BN_ERR_ARGUMENT);
  CHECK(bn_source_start(f.source, 0, &f.fault) == BN_OK);
  CHECK_EQUAL(bn_source_start(f.source, 0, &f.fault), BN_ERR_ARGUMENT);
  CHECK_EQUAL(bn_source_login(f.source, 0, f.pin_path, &f.fault), BN_ERR_ARGUMENT);
  close_fixture(&f);
}

// A process of its own: what hangs is never freed, which is not a leak.
static void test_close_gives_up_on_a_hanging_reader(void) {
  struct fixture f;
  open_fixture(&f, 16, 2);
  start(&f, 4096);
  (void)consume(&f, 100000);
  atomic_store(&f.words[MODE], MODE_HANGS);
  uint64_t begun = 0;
  for (int in_this_call = 0; in_this_call < 100; in_this_call++) {
    const struct bn_reader_view reader = observe(&f).readers[0];
    if (reader.calls_begun != begun || reader.calls_ended == begun)
      in_this_call = 0;
    begun = reader.calls_begun;
    drain(&f);
    sleep_a_little();
  }
  CHECK_EQUAL(bn_source_close(f.source, 50), BN_ERR_SYSTEM);
  unlink(f.state_path);
  unlink(f.pin_path);
}

// ---- the probe ----------------------------------------------------------------------------------

static void test_latencies_are_told_to_three_percent(void) {
  static struct bn_latencies latencies, more;
  CHECK(bn_latencies_percentile(&latencies, 50) == 0);
  for (uint64_t ns = 1; ns <= 100000; ns++)
    bn_latencies_add(ns % 2 == 0 ? &latencies : &more, ns * 1000);
  bn_latencies_merge(&latencies, &more);
  for (uint32_t percent = 1; percent <= 100; percent++) {
    const double ratio =
        (double)bn_latencies_percentile(&latencies, percent) / (percent * 1000000.0);
    CHECK(ratio > 0.999 && ratio < 1.04);
  }
  CHECK(bn_latencies_percentile(&latencies, 100) == 100000000);
  bn_latencies_add(&latencies, UINT64_MAX);
  bn_latencies_add(&latencies, 0);
  CHECK(bn_latencies_percentile(&latencies, 100) == UINT64_MAX);
}

static void test_a_probe_counts_what_it_draws(void) {
  struct fixture f;
  open_fixture(&f, 16, 1);
  CHECK(load(&f, 0) == BN_OK);
  struct bn_probe_cell cell;
  CHECK(bn_source_probe(f.source, 0, 1000, 4, 50, &cell, &f.fault) == BN_OK);
  CHECK(cell.ckr == CKR_OK && cell.n_sessions == 4 && cell.calls >= 4);
  CHECK_EQUAL(cell.calls * 1000, atomic_load(&f.words[HANDED_OUT]));
  CHECK(cell.elapsed_ns >= 50000000);
  CHECK(cell.p50_ns > 0 && cell.p50_ns <= cell.p90_ns && cell.p90_ns <= cell.p99_ns &&
        cell.p99_ns <= cell.max_ns && cell.max_ns <= cell.elapsed_ns);

  // A length that is refused is a result, and leaves everything as it was.
  f.words[LENGTH_MAX] = 999;
  CHECK(bn_source_probe(f.source, 0, 1000, 2, 50, &cell, &f.fault) == BN_OK);
  CHECK(cell.ckr == CKR_ARGUMENTS_BAD && cell.calls == 0 && cell.max_ns == 0);
  f.words[LENGTH_MAX] = 0;

  CHECK(bn_source_probe(f.source, 0, 2 << 20, 1, 1, &cell, &f.fault) == BN_ERR_ARGUMENT);
  CHECK(bn_source_probe(f.source, 0, 1000, 0, 1, &cell, &f.fault) == BN_ERR_ARGUMENT);
  CHECK(bn_source_probe(f.source, 99, 1000, 1, 1, &cell, &f.fault) == BN_ERR_CKR);
  CHECK(f.fault.ckr == CKR_SLOT_ID_INVALID);
  close_fixture(&f);
}

static void test_a_probe_sees_holes(void) {
  static const uint32_t lengths[] = {0, 1, 3, 31, 1023, 1025, 65537, 1048577};
  struct fixture f;
  struct bn_probe_call call;
  open_fixture(&f, 16, 1);
  CHECK(load(&f, 0) == BN_OK);
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    CHECK(bn_source_probe_call(f.source, 0, lengths[i], &call, &f.fault) == BN_OK);
    CHECK(call.ckr == CKR_OK && !call.unwritten && !call.spilled);
  }
  f.words[MODE] = MODE_WRITES_HALF;
  CHECK(bn_source_probe_call(f.source, 0, 1024, &call, &f.fault) == BN_OK);
  CHECK(call.ckr == CKR_OK && call.unwritten && !call.spilled);
  close_fixture(&f);
}

int main(void) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    test_close_gives_up_on_a_hanging_reader();
    _exit(0); // past the thread that hangs
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);

  test_everything_adds_up();
  test_stop_while_the_ring_is_full();
  test_a_lost_session_is_opened_again();
  test_what_a_new_session_does_not_heal_ends_it();
  test_a_latch_ends_all_readers();
  test_a_module_that_cannot_lock_gets_one_reader();
  test_fewer_sessions_are_fewer_readers();
  test_no_login_on_the_final_try();
  test_out_of_turn();
  test_latencies_are_told_to_three_percent();
  test_a_probe_counts_what_it_draws();
  test_a_probe_sees_holes();
  return 0;
}
