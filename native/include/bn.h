// SPDX-License-Identifier: Apache-2.0
//
// The one public header of the native path: random bytes from a PKCS#11 module, tested, encoded as
// Base64 and published into a ring in shared memory; and the other side of that ring.
//
// Conventions. A function that can fail returns enum bn_err (BN_OK is 0) and, where it takes a
// struct bn_fault, fills it in on failure and leaves it alone on success. No function calls Python,
// none keeps a pointer to its arguments beyond the call unless it says so. A handle belongs to one
// thread unless its comment says otherwise. Lengths are bytes; "raw" counts entropy, "text" Base64.

#ifndef BN_H
#define BN_H

#include <stddef.h>
#include <stdint.h>

#define BN_API __attribute__((visibility("default")))
#define BN_CHECKED __attribute__((warn_unused_result))

// A slot holds whole 3-byte groups, so that slots concatenate: 12,288 raw bytes are 16,384 of text,
// one TLS record.
#define BN_SLOT_RAW_BYTES 12288
#define BN_SLOT_TEXT_BYTES 16384
#define BN_READERS_MAX 64
#define BN_SLOTS_MAX 65536

enum bn_err {
  BN_OK = 0,
  BN_ERR_ARGUMENT,    // the caller's mistake
  BN_ERR_MEMORY,      // no memory
  BN_ERR_LOCK,        // the kernel refused to lock memory (RLIMIT_MEMLOCK)
  BN_ERR_SYSTEM,      // a system call failed: fault.sys_errno
  BN_ERR_LOAD,        // the module cannot be loaded: fault.text has the loader's words
  BN_ERR_NOT_MODULE,  // loaded, but not a usable PKCS#11 v2 module
  BN_ERR_CKR,         // the module answered fault.ckr in fault.where
  BN_ERR_PIN_FILE,    // the PIN's file cannot be read, is empty or too long
  BN_ERR_PIN_REFUSED, // the token refused the PIN, or its flags forbid a login: never try again
  BN_ERR_RING,        // the ring's header is not what the caller says that it is
  BN_ERR_HEALTH,      // an output test latched
  BN_ERR_KERNEL,      // no such Base64 kernel, or not on this processor
  BN_ERR_TOKEN,       // the control plane: no such token, or an ambiguous one
  BN_ERR_STOPPED,     // asked to stop
};

struct bn_fault {
  int32_t err;       // enum bn_err
  int32_t sys_errno; // 0 if none
  uint64_t ckr;      // CKR_OK if none
  char where[32];    // the call that failed, "C_Login" or "mlock"; NUL-terminated
  char text[216];    // more, if there is more; never a secret; NUL-terminated
};

// ---- process and memory -------------------------------------------------------------------------

// Not dumpable (PR_SET_DUMPABLE 0), and killed with its parent (PR_SET_PDEATHSIG); BN_ERR_STOPPED
// when `parent_pid` is not the parent any more. `parent_pid` 0 leaves the parent out of it.
BN_API BN_CHECKED enum bn_err bn_process_harden(int32_t parent_pid, struct bn_fault *fault);
// Overwrites with zeros in a way that the compiler does not remove.
BN_API void bn_wipe(void *data, size_t len_bytes);
// `len_bytes` of zeroed memory, 64-byte aligned, between guard pages, locked, out of core dumps and
// forks. NULL on failure. With allow_unlocked, a refused lock is not an error.
BN_API BN_CHECKED void *bn_secure_alloc(size_t len_bytes, int32_t allow_unlocked,
                                        struct bn_fault *fault);
// Wipes what was allocated with this length, and gives it back. NULL is allowed.
BN_API void bn_secure_free(void *data, size_t len_bytes);

// ---- Base64 -------------------------------------------------------------------------------------

// Kernels are numbered from the plainest (0, "scalar") to the fastest that was compiled in.
BN_API uint32_t bn_base64_kernel_count(void);
BN_API const char *bn_base64_kernel_name(uint32_t kernel); // NULL when out of range
BN_API int32_t bn_base64_kernel_usable(uint32_t kernel);   // 1 when this processor runs it
BN_API uint32_t bn_base64_kernel_best(void);

// Text bytes that `raw_bytes` encode to, padding included (RFC 4648 section 4).
BN_API size_t bn_base64_text_bytes(size_t raw_bytes);
// Encodes all of `raw`, with padding. `text` has room for bn_base64_text_bytes(raw_bytes) and is
// not NUL-terminated; nothing is read or written beyond either. The areas must not overlap.
BN_API BN_CHECKED enum bn_err bn_base64_encode(uint32_t kernel, const uint8_t *raw,
                                               size_t raw_bytes, char *text);

// ---- the ring, consumer's side ------------------------------------------------------------------
//
// The consumer makes the ring and passes its descriptor to the producer. It trusts nothing that the
// producer can write: who holds a slot is kept in the consumer's own memory. One thread.

enum bn_phase { // what the source does; a phase that lasts too long is how a hang shows
  BN_PHASE_EMPTY = 0,
  BN_PHASE_STARTED,      // the process runs
  BN_PHASE_INITIALISING, // in C_Initialize
  BN_PHASE_SELECTING,    // looking for the token
  BN_PHASE_LOGIN,        // announced before C_Login is called: ending here counts as a refused PIN
  BN_PHASE_OPENING,      // opening sessions
  BN_PHASE_RUNNING,      // reader threads run
  BN_PHASE_STOPPED,      // ended; the fault says why (BN_OK: asked to)
};

enum bn_test {         // the output tests, as they are counted
  BN_TEST_POISON = 0,  // the module said that it wrote, and did not
  BN_TEST_REPETITION,  // repetition count
  BN_TEST_PROPORTION,  // adaptive proportion
  BN_TEST_CONSECUTIVE, // a block equal to the one before
  BN_TEST_STARTUP,     // start-up or requalification not passed
  BN_TEST_COUNT
};

struct bn_ring_entry {
  uint32_t slot;       // index
  uint32_t text_bytes; // a multiple of 4, at most BN_SLOT_TEXT_BYTES
};

struct bn_reader_view {
  uint64_t calls_begun;
  uint64_t calls_ended;
  uint64_t call_began_ns; // CLOCK_MONOTONIC, of the call that runs or ran last
  uint64_t slowest_call_ns;
  uint32_t call_bytes; // of the call that runs or ran last
  uint32_t active;     // 1 while the reader thread runs
};

struct bn_ring_view {       // a copy, taken without a lock: each number is whole, together they
  uint64_t generation;      // may be a moment apart
  uint32_t phase;           // enum bn_phase
  uint32_t phases;          // counts phase changes
  struct bn_fault fault;    // strings made safe: printable ASCII, terminated
  uint64_t generated_bytes; // raw, that the module handed over, in this generation
  uint64_t published_bytes; // raw, as the producer counts them
  uint64_t popped_bytes;    // raw, as the consumer counted them: the truth about "published"
  uint64_t failed_bytes;    // raw, discarded by output tests
  uint64_t startup_bytes;   // raw, spent on start-up and requalification tests
  uint64_t failures[BN_TEST_COUNT];
  uint64_t latched;         // 1 when an output test latched
  uint64_t errors;          // CKRs other than CKR_OK from C_GenerateRandom
  uint64_t refused_entries; // what the producer published and the consumer would not take
  uint32_t n_readers;
  struct bn_reader_view readers[BN_READERS_MAX];
};

struct bn_ring_consumer;

// Bytes of a ring: whole pages.
BN_API size_t bn_ring_bytes(uint32_t n_slots, uint32_t n_readers);
// A sealed memfd (no shrinking, no growing, no more seals), close-on-exec. -1 on failure.
BN_API int32_t bn_ring_memfd(uint32_t n_slots, uint32_t n_readers, struct bn_fault *fault);
// Formats the ring at `map` (page-aligned, bn_ring_bytes() long, which stays the caller's and must
// outlive the handle), locks it and takes it out of core dumps. The descriptors stay the caller's:
// space_eventfds[i] wakes reader i; all are non-blocking. With allow_unlocked, a refused lock is
// not an error.
BN_API BN_CHECKED enum bn_err
bn_ring_consumer_open(void *map, size_t map_bytes, uint32_t n_slots, uint32_t n_readers,
                      const int32_t *space_eventfds, int32_t allow_unlocked,
                      struct bn_ring_consumer **out, struct bn_fault *fault);
// Wipes every slot, unlocks, frees the handle. NULL is allowed.
BN_API void bn_ring_consumer_close(struct bn_ring_consumer *ring);
// Up to `max` published slots, which the caller then holds; returns how many. Entries that break
// the rules are dropped and counted.
BN_API BN_CHECKED uint32_t bn_ring_pop_burst(struct bn_ring_consumer *ring,
                                             struct bn_ring_entry *out, uint32_t max);
// Wipes a held slot and gives it back to its reader. BN_ERR_ARGUMENT when it is not held.
BN_API BN_CHECKED enum bn_err bn_ring_release(struct bn_ring_consumer *ring, uint32_t slot);
// The same for several, after which each reader is woken at most once. BN_ERR_ARGUMENT at the first
// that is not held; those before it are released.
BN_API BN_CHECKED enum bn_err bn_ring_release_burst(struct bn_ring_consumer *ring,
                                                    const uint32_t *slots, uint32_t n_slots);
// Offset of a slot's text in the map.
BN_API size_t bn_ring_slot_offset(const struct bn_ring_consumer *ring, uint32_t slot);
// Asks the producer for a wake-up on the data eventfd. 1: something is there already, do not sleep.
BN_API BN_CHECKED int32_t bn_ring_arm(struct bn_ring_consumer *ring);
// To be called when the producer is dead and reaped, after popping what is there: wipes every slot
// that the consumer does not hold, resets both index rings of every reader, zeroes the counters and
// raises the generation. Held slots stay held and are released into the new generation.
BN_API void bn_ring_restart(struct bn_ring_consumer *ring);
BN_API void bn_ring_observe(const struct bn_ring_consumer *ring, struct bn_ring_view *out);

// ---- the source: a module's random bytes into a ring --------------------------------------------
//
// Lives in the child process. load, login and start are called in this order, each once, by one
// thread; control-plane work (choosing the slot) happens between load and login.

struct bn_source_config {
  int32_t ring_fd;
  uint32_t n_slots;
  uint32_t n_readers;
  int32_t data_eventfd;                   // wakes the consumer
  int32_t space_eventfds[BN_READERS_MAX]; // wake the readers
  uint32_t call_bytes; // per C_GenerateRandom, 32 to 1,048,576; 0: found while running
  // A part-filled slot waits no longer than this, while less than a quarter of its reader's slots
  // are out, or none is free. A consumer that holds more is not short, and would get a reserve of
  // part-filled slots.
  uint32_t publish_after_ms;
  int32_t allow_unlocked;
};

struct bn_source;

BN_API BN_CHECKED enum bn_err bn_source_open(const struct bn_source_config *config,
                                             struct bn_source **out, struct bn_fault *fault);
// dlopen, C_GetFunctionList, C_Initialize with CKF_OS_LOCKING_OK and `init_args` (may be NULL) in
// pReserved; after CKR_CANT_LOCK, C_Initialize(NULL) and one reader, whose share of the slots is
// then all there is: such a module wants a ring with one reader.
BN_API BN_CHECKED enum bn_err bn_source_load(struct bn_source *source, const char *module_path,
                                             const char *init_args, struct bn_fault *fault);
// Reads the PIN from its file into locked memory, announces the login, logs in, wipes the PIN.
// CKF_USER_PIN_FINAL_TRY and CKF_USER_PIN_LOCKED are answered BN_ERR_PIN_REFUSED without a try.
// The path is kept for a login after a lost session.
BN_API BN_CHECKED enum bn_err bn_source_login(struct bn_source *source, uint64_t slot_id,
                                              const char *pin_path, struct bn_fault *fault);
// Opens a session per reader and starts the readers. A token that has fewer sessions gets fewer
// readers. A reader whose session is lost opens another and logs in again if it must, once; if the
// next call fails as well, the source has ended.
BN_API BN_CHECKED enum bn_err bn_source_start(struct bn_source *source, uint64_t slot_id,
                                              struct bn_fault *fault);
// Waits until a reader has ended for good or the time is over (BN_OK: all run); -1 waits for ever.
// The first reader that ends by itself ends the others. Any thread.
BN_API BN_CHECKED enum bn_err bn_source_wait(struct bn_source *source, int32_t timeout_ms,
                                             struct bn_fault *fault);
// Sets phase and fault in the ring's header, for what the control plane finds out. The functions
// above have done so for their own failures. The first fault of BN_PHASE_STOPPED stays.
BN_API void bn_source_report(struct bn_source *source, uint32_t phase,
                             const struct bn_fault *fault);
// Asks the readers to stop and waits for them, at most timeout_ms; then wipes what is private, and
// finalises the module if every reader has ended. BN_ERR_SYSTEM when one hangs: then only exit() is
// left. Frees the handle in either case (a hanging reader keeps what it uses).
BN_API BN_CHECKED enum bn_err bn_source_close(struct bn_source *source, int32_t timeout_ms);

// ---- the probe: what a module's C_GenerateRandom can do -----------------------------------------
//
// On a source that was loaded, and logged in if that is wanted, instead of start; as often as one
// likes, by the same thread. What the module hands over is wiped.

struct bn_probe_call { // one call
  uint64_t ckr;
  uint64_t elapsed_ns;
  int32_t unwritten; // 1: CKR_OK, and a part of the buffer was left as it was
  int32_t spilled;   // 1: written to beyond what was asked for
};

struct bn_probe_cell { // calls of one length in some sessions at a time
  uint64_t ckr;        // CKR_OK, or of a call that ended its session's part
  uint64_t calls;      // that succeeded
  uint64_t elapsed_ns; // from the beginning of the first to the end of the last
  uint64_t p50_ns;     // of what a call took, to 3 %
  uint64_t p90_ns;
  uint64_t p99_ns;
  uint64_t max_ns;
  uint32_t n_sessions; // fewer than asked for when the token has no more or the module cannot lock
};

// One call of 0 to 1,048,577 bytes in a new session; a CKR from it is a result, not a failure.
BN_API BN_CHECKED enum bn_err bn_source_probe_call(struct bn_source *source, uint64_t slot_id,
                                                   uint32_t call_bytes, struct bn_probe_call *out,
                                                   struct bn_fault *fault);
// Calls of one length, as fast as they go, in a thread for each session: at least one each, and no
// new one once `duration_ms` are over. As above, a CKR from C_GenerateRandom is a result.
BN_API BN_CHECKED enum bn_err bn_source_probe(struct bn_source *source, uint64_t slot_id,
                                              uint32_t call_bytes, uint32_t n_sessions,
                                              uint32_t duration_ms, struct bn_probe_cell *out,
                                              struct bn_fault *fault);

#endif
