// SPDX-License-Identifier: Apache-2.0
//
// The test token: a stream in which every block of 16 bytes is a counter under a fixed permutation,
// so that a receiver knows where each byte came from and whether it came twice; and faults on
// demand. It is built for tests only.
//
// BN_TESTTOKEN_STATE names a file of 4 KiB of 64-bit words, shared by all processes that load the
// token and by the test that steers it (tests/support/testtoken.py has the same list). Without it
// the words are private and all zero.

#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define STATE_BYTES 4096
#define BLOCK_BYTES 16
#define SHARED_BYTES 12288 // of a ring with 128 slots, before the first of them
#define PIN "123456"

enum word {
  NEXT_BLOCK = 0,       // counter of the next block: never one twice
  BYTES_HANDED_OUT,     // by calls that said CKR_OK
  CALLS,                // of C_GenerateRandom
  LOGINS,               // attempts
  INITIALISATIONS,      //
  LATENCY_US = 8,       // of each call; the calls of several threads overlap in it
  PICOSECONDS_PER_BYTE, // the device's pace, shared by all threads of the process
  RANDOM_CKR,           // C_GenerateRandom's answer, unless 0
  RANDOM_CKR_CALLS,     // how many calls get it: counted down; 0: until it is taken back
  MODE,                 //
  MODE_CALLS,           // how many calls the mode lasts: likewise
  LENGTH_MAX,           // a longer call is CKR_ARGUMENTS_BAD; 0: any length
  TROUBLE,              //
  LOGIN_NEEDED,         // for random bytes
  FLAGS,                // more of CK_TOKEN_INFO
  LOCKING_CKR,          // C_Initialize's answer to CKF_OS_LOCKING_OK, unless 0
  SLOTS,                // tokens of the same label; 0: one
  NO_RNG,               // CKR_RANDOM_NO_RNG
  LOGIN_CKR,            // C_Login's answer whatever the PIN, unless 0
};

enum mode {
  NORMAL = 0,
  WRITES_NOTHING, // and says CKR_OK
  WRITES_HALF,    // the first half, and says CKR_OK
  ALL_EQUAL,      // every byte the same
  HANGS,          // until the mode changes
  CRASHES,
  REPEATS, // the last block again and again
  ABSENT,  // the token is not there, until the mode changes
  HOSTILE, // writes over the heads and counters of the ring, and tries to cut it short
};

enum trouble {
  INITIALIZE_HANGS = 1, // until the word changes
  LOGIN_HANGS,
  LOGIN_CRASHES,
};

const struct token_words token_words = {
    .manufacturer = "entropy-bridge",
    .library = "test token",
    .slot = "test slot",
    .label = "testtoken",
    .model = "testtoken",
    .serial = "T0001",
};

static _Atomic uint64_t *words;

static uint64_t get(enum word word) {
  return atomic_load(&words[word]);
}

static void add(enum word word, uint64_t amount) {
  (void)atomic_fetch_add(&words[word], amount);
}

// The value of a knob for this call, counting down how often it still applies.
static uint64_t use(enum word knob, enum word calls) {
  // Threads in turn: of two, one could see the other's last call counted and, if the knob is set
  // anew just then, take that without counting it. Other processes are rarely in the middle of it.
  static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
  uint64_t value = get(knob);
  if (value == 0)
    return 0;
  pthread_mutex_lock(&turn);
  for (;;) {
    value = get(knob);
    uint64_t left = get(calls);
    if (value == 0 || left == 0)
      break;
    if (left > 1 && atomic_compare_exchange_strong(&words[calls], &left, left - 1))
      break;
    if (left == 1 && atomic_compare_exchange_strong(&words[knob], &value, 0)) {
      atomic_store(&words[calls], 0);
      break;
    }
  }
  pthread_mutex_unlock(&turn);
  return value;
}

static void sleep_until(int64_t ns) {
  struct timespec until = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
    ;
}

static int64_t now_ns(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void hang_while(enum word word, uint64_t value) {
  while (get(word) == value)
    sleep_until(now_ns() + 5000000);
}

// As a fault of the module's own would, which kills even where the signal is blocked.
static void crash(void) {
  sigset_t fault;
  (void)sigemptyset(&fault);
  (void)sigaddset(&fault, SIGSEGV);
  (void)pthread_sigmask(SIG_UNBLOCK, &fault, NULL);
  (void)signal(SIGSEGV, SIG_DFL);
  (void)raise(SIGSEGV);
}

// The device makes one call's bytes after the other; the way there and back takes each caller its
// own time.
static void keep_pace(CK_ULONG len_bytes) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static int64_t busy_until;
  int64_t latency_ns = (int64_t)get(LATENCY_US) * 1000;
  int64_t work_ns = (int64_t)(get(PICOSECONDS_PER_BYTE) * len_bytes / 1000);
  if (latency_ns == 0 && work_ns == 0)
    return;
  (void)pthread_mutex_lock(&lock);
  int64_t now = now_ns();
  busy_until = (busy_until > now ? busy_until : now) + work_ns;
  int64_t done = busy_until;
  (void)pthread_mutex_unlock(&lock);
  sleep_until(done + latency_ns);
}

static uint64_t mix(uint64_t value, uint64_t key) {
  value += key;
  value = (value ^ value >> 32) * UINT64_C(0xD6E8FEB86659FD93);
  value = (value ^ value >> 29) * UINT64_C(0xA0761D6478BD642F);
  return value ^ value >> 32;
}

// A Feistel network of three rounds over the counter and a constant: invertible, and looks random.
static void put_block(CK_BYTE *out, uint64_t counter) {
  uint64_t right = UINT64_C(0x656E74726F707921) ^ mix(counter, UINT64_C(0x9E3779B97F4A7C15));
  uint64_t left = counter ^ mix(right, UINT64_C(0xC2B2AE3D27D4EB4F));
  right ^= mix(left, UINT64_C(0x165667B19E3779F9));
  memcpy(out, &left, sizeof left);
  memcpy(out + sizeof left, &right, sizeof right);
}

static void put_stream(CK_BYTE *out, CK_ULONG len_bytes) {
  uint64_t n_blocks = (len_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
  uint64_t counter = atomic_fetch_add(&words[NEXT_BLOCK], n_blocks);
  for (; len_bytes >= BLOCK_BYTES; len_bytes -= BLOCK_BYTES, out += BLOCK_BYTES)
    put_block(out, counter++);
  if (len_bytes > 0) { // the rest of this block is never seen
    CK_BYTE block[BLOCK_BYTES];
    put_block(block, counter);
    memcpy(out, block, len_bytes);
  }
}

static void put_repeated(CK_BYTE *out, CK_ULONG len_bytes) {
  CK_BYTE block[BLOCK_BYTES];
  uint64_t next = get(NEXT_BLOCK);
  put_block(block, next > 0 ? next - 1 : 0);
  for (CK_ULONG i = 0; i < len_bytes; i++)
    out[i] = block[i % BLOCK_BYTES];
}

// What a module can do that is not content with its buffer.
static void attack(int fd) {
  static _Atomic uint64_t seed = 88172645463325252;
  (void)!ftruncate(fd, 0);
  uint64_t *map = mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    return;
  for (size_t i = 0; i < SHARED_BYTES / sizeof *map; i++)
    map[i] = mix(atomic_fetch_add(&seed, 1), i) >> (i % 4 * 16); // small numbers as well
  (void)munmap(map, SHARED_BYTES);
}

static void attack_ring(void) {
  for (int fd = 0; fd < 256; fd++) {
    char path[32], target[64] = "";
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (readlink(path, target, sizeof target - 1) > 0 && strstr(target, "entropy-bridge-ring"))
      attack(fd);
  }
}

static CK_RV open_state(void) {
  const char *path = getenv("BN_TESTTOKEN_STATE");
  int fd = -1;
  if (path != NULL) {
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, STATE_BYTES) != 0)
      return CKR_GENERAL_ERROR;
  }
  // A map of an earlier initialisation stays: a thread that hangs may look at it.
  void *map = mmap(NULL, STATE_BYTES, PROT_READ | PROT_WRITE,
                   fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
  if (fd >= 0)
    (void)close(fd);
  if (map == MAP_FAILED)
    return CKR_HOST_MEMORY;
  words = map;
  return CKR_OK;
}

CK_RV token_initialise(const CK_C_INITIALIZE_ARGS *args) {
  CK_RV rv = open_state();
  if (rv != CKR_OK)
    return rv;
  add(INITIALISATIONS, 1);
  hang_while(TROUBLE, INITIALIZE_HANGS);
  if (args != NULL && (args->flags & CKF_OS_LOCKING_OK) != 0)
    return (CK_RV)get(LOCKING_CKR);
  return CKR_OK;
}

void token_finalise(void) {}

CK_ULONG token_slots(void) {
  uint64_t slots = get(SLOTS);
  return slots == 0 ? 1 : slots < TOKEN_SLOTS_MAX ? (CK_ULONG)slots : TOKEN_SLOTS_MAX;
}

int token_present(void) {
  return get(MODE) != ABSENT;
}

CK_FLAGS token_flags(void) {
  CK_FLAGS flags = CKF_USER_PIN_INITIALIZED | (CK_FLAGS)get(FLAGS);
  if (get(NO_RNG) == 0)
    flags |= CKF_RNG;
  if (get(LOGIN_NEEDED) != 0)
    flags |= CKF_LOGIN_REQUIRED;
  return flags;
}

CK_RV token_login(const CK_UTF8CHAR *pin, CK_ULONG pin_bytes) {
  add(LOGINS, 1);
  hang_while(TROUBLE, LOGIN_HANGS);
  if (get(TROUBLE) == LOGIN_CRASHES)
    crash();
  if (get(LOGIN_CKR) != 0)
    return (CK_RV)get(LOGIN_CKR);
  return pin_bytes == strlen(PIN) && memcmp(pin, PIN, pin_bytes) == 0 ? CKR_OK : CKR_PIN_INCORRECT;
}

CK_RV token_random(CK_BYTE *out, CK_ULONG len_bytes, int logged_in) {
  add(CALLS, 1);
  if (get(LOGIN_NEEDED) != 0 && !logged_in)
    return CKR_USER_NOT_LOGGED_IN;
  if (get(NO_RNG) != 0)
    return CKR_RANDOM_NO_RNG;
  if (get(LENGTH_MAX) != 0 && len_bytes > get(LENGTH_MAX))
    return CKR_ARGUMENTS_BAD;
  keep_pace(len_bytes);
  CK_RV rv = (CK_RV)use(RANDOM_CKR, RANDOM_CKR_CALLS);
  if (rv != CKR_OK)
    return rv;
  switch ((enum mode)use(MODE, MODE_CALLS)) {
  case WRITES_NOTHING:
    break;
  case WRITES_HALF:
    put_stream(out, len_bytes / 2);
    break;
  case ALL_EQUAL:
    memset(out, 0x5A, len_bytes);
    break;
  case HANGS:
    hang_while(MODE, HANGS);
    put_stream(out, len_bytes);
    break;
  case CRASHES:
    crash();
    break;
  case REPEATS:
    put_repeated(out, len_bytes);
    break;
  case ABSENT: // pulled out in the middle of the call
    return CKR_DEVICE_REMOVED;
  case HOSTILE:
    attack_ring();
    put_stream(out, len_bytes);
    break;
  case NORMAL:
    put_stream(out, len_bytes);
    break;
  }
  add(BYTES_HANDED_OUT, len_bytes);
  return CKR_OK;
}
