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

  int size() const { return size_; }

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
  int size_;
};

// How many threads compute by default: the processors that this process may use, within the
// cgroup's quota.
int default_threads();

}  // namespace hearth
