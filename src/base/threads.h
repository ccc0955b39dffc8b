// ThreadPool: a fixed team that runs one parallel region at a time, as kernels need it: the
// caller takes part as member 0, the others spin briefly for work and then sleep. Work is split
// by index (static), so that who computes what never changes a result.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace hearth {

class ThreadPool {
 public:
  // `threads` members in all (>= 1), the caller among them.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // The members that take part: all threads, or fewer after set_size.
  int size() const { return size_; }
  int threads() const { return threads_; }
  // From the next region on, 1 <= members <= threads(). Called between regions, by the caller.
  void set_size(int members);

  // Calls f(member) once on every member, and returns when all are done. f must not throw and
  // must not call run() again. One caller at a time.
  template <class F>
  void run(F&& f) {
    using Fn = std::remove_reference_t<F>;
    run_raw([](void* context, int member) { (*static_cast<Fn*>(context))(member); },
            const_cast<void*>(static_cast<const void*>(&f)));
  }

  // Waits, inside a region, until every member has come here.
  void barrier();

  struct Range {
    int64_t begin, end;
    bool empty() const { return begin >= end; }
  };
  // The part of [0, count) that `member` of `members` takes, in whole units of `unit`.
  static Range slice(int64_t count, int member, int members, int64_t unit = 1);

 private:
  void run_raw(void (*function)(void*, int), void* context);
  struct Impl;
  std::unique_ptr<Impl> impl_;
  int threads_, size_;
};

// How often this thread has lost its processor to another one.
int64_t preemptions();

// Crowding decides, from step to step, how many members of a team go on. Where another process has
// taken a core, a team of short steps goes at the pace of the member that waits for its turn; work
// that is bound by memory may be faster then on one core alone. A team of which two steps in four
// were both preempted and slow tries that for a while; longer each time that the crowd is still
// there, and not again for long when it was no faster.
class Crowding {
 public:
  int members(int threads) const { return alone_ > 0 ? 1 : threads; }
  // After each step of the same kind: whether a member was preempted in it, and what it took.
  void after(bool preempted, double seconds);

 private:
  void after_alone(double seconds);

  int alone_ = 0;        // steps still to go alone
  int gone_alone_ = 0;   // steps gone so this time
  int rest_ = 32;        // how many the next time
  int patience_ = 0;     // team steps in which not to try it
  int clean_ = 0;        // team steps since the last bad one
  uint32_t seen_ = 0;    // bit i: whether team step -i was bad
  double best_ = 0;      // what a team step takes in quiet; forgotten slowly
  double crowded_ = 0;   // what the bad ones took
  double fastest_alone_ = 0;
};

// How many threads compute by default: the processors that this process may use, within the
// cgroup's quota.
int default_threads();

}  // namespace hearth
