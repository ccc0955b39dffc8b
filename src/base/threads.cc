#include "base/threads.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"

namespace hearth {
namespace {

// Spin about 20 microseconds, then sleep: decoding has some hundred regions per token and cannot
// pay a wake-up for each, but a pool that only spins collapses when another process takes a core.
constexpr int kSpins = 2000;

// The generation of a region has the number of its members in the low bits, so that whoever wakes
// up late sees both of the same region.
constexpr int kMemberBits = 10;
constexpr uint32_t kMemberMask = (1u << kMemberBits) - 1;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

struct ThreadPool::Impl {
  std::atomic<uint32_t> generation{0};  // another for each region
  std::atomic<int> running{0};          // members that still work in this region
  std::atomic<uint32_t> barrier_phase{0};
  std::atomic<int> barrier_count{0};
  std::atomic<bool> stop{false};
  void (*function)(void*, int) = nullptr;
  void* context = nullptr;
  std::vector<std::thread> threads;

  template <class T>
  static void wait_while(const std::atomic<T>& value, T seen) {
    for (int i = 0; i < kSpins; ++i) {
      if (value.load(std::memory_order_acquire) != seen) return;
      relax();
    }
    value.wait(seen, std::memory_order_acquire);
  }

  void work(int member) {
    uint32_t seen = 0;
    while (true) {
      wait_while(generation, seen);
      seen = generation.load(std::memory_order_acquire);
      if (stop.load(std::memory_order_relaxed)) return;
      if (member >= static_cast<int>(seen & kMemberMask)) continue;
      function(context, member);
      if (running.fetch_sub(1, std::memory_order_acq_rel) == 1) running.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads)
    : impl_(std::make_unique<Impl>()), threads_(threads), size_(threads) {
  CHECK(threads >= 1 && threads <= static_cast<int>(kMemberMask));
  for (int member = 1; member < threads; ++member)
    impl_->threads.emplace_back([impl = impl_.get(), member] { impl->work(member); });
}

ThreadPool::~ThreadPool() {
  impl_->stop.store(true);
  impl_->generation.fetch_add(1u << kMemberBits);
  impl_->generation.notify_all();
  for (std::thread& thread : impl_->threads) thread.join();
}

void ThreadPool::set_size(int members) {
  CHECK(members >= 1 && members <= threads_);
  size_ = members;
}

void ThreadPool::run_raw(void (*function)(void*, int), void* context) {
  Impl& impl = *impl_;
  if (size_ > 1) {
    impl.function = function;
    impl.context = context;
    impl.running.store(size_ - 1, std::memory_order_relaxed);
    const uint32_t next = impl.generation.load(std::memory_order_relaxed) + kMemberMask + 1;
    // Sequentially consistent: notify_all looks for sleepers, and that look must not come before
    // the store, or a member that goes to sleep between the two is never woken.
    impl.generation.store((next & ~kMemberMask) | static_cast<uint32_t>(size_));
    impl.generation.notify_all();
  }
  function(context, 0);
  for (int left = size_ > 1 ? impl.running.load(std::memory_order_acquire) : 0; left > 0;
       left = impl.running.load(std::memory_order_acquire))
    Impl::wait_while(impl.running, left);
}

void ThreadPool::barrier() {
  if (size_ == 1) return;
  Impl& impl = *impl_;
  uint32_t phase = impl.barrier_phase.load(std::memory_order_acquire);
  if (impl.barrier_count.fetch_add(1, std::memory_order_acq_rel) == size_ - 1) {
    impl.barrier_count.store(0, std::memory_order_relaxed);
    impl.barrier_phase.fetch_add(1, std::memory_order_acq_rel);
    impl.barrier_phase.notify_all();
  } else {
    Impl::wait_while(impl.barrier_phase, phase);
  }
}

ThreadPool::Range ThreadPool::slice(int64_t count, int member, int members, int64_t unit) {
  int64_t units = (count + unit - 1) / unit;
  return {std::min(count, units * member / members * unit),
          std::min(count, units * (member + 1) / members * unit)};
}

int64_t preemptions() {
  rusage usage = {};
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

namespace {
constexpr int kFirstRest = 32, kLongestRest = 256, kCleanSteps = 16, kPatience = 512, kTrial = 4;
constexpr double kSlow = 1.3, kForget = 1.002;
}  // namespace

void Crowding::after(bool preempted, double seconds) {
  if (alone_ > 0) return after_alone(seconds);
  best_ = best_ == 0 ? seconds : std::min(best_ * kForget, seconds);
  const bool bad = preempted && seconds > kSlow * best_;
  clean_ = bad ? 0 : clean_ + 1;
  if (clean_ >= kCleanSteps) rest_ = kFirstRest;
  if (patience_ > 0) --patience_;
  crowded_ = bad ? (crowded_ == 0 ? seconds : (crowded_ + seconds) / 2) : crowded_;
  seen_ = (seen_ << 1 | (bad ? 1u : 0u)) & 15u;
  if (std::popcount(seen_) < 2 || patience_ > 0) return;
  alone_ = rest_;
  rest_ = std::min(2 * rest_, kLongestRest);
  seen_ = 0;
  fastest_alone_ = 0;
  gone_alone_ = 0;
}

void Crowding::after_alone(double seconds) {
  --alone_;
  ++gone_alone_;
  fastest_alone_ = fastest_alone_ == 0 ? seconds : std::min(fastest_alone_, seconds);
  if (gone_alone_ == kTrial && fastest_alone_ >= crowded_) {
    alone_ = 0;
    patience_ = kPatience;
  }
  if (alone_ == 0) crowded_ = 0;
}

int default_threads() {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  std::ifstream quota_file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  long period = 0;
  if (quota_file >> quota >> period && quota != "max" && period > 0) {
    long micros = 0;
    if (std::sscanf(quota.c_str(), "%ld", &micros) == 1 && micros > 0)
      count = std::min(count, static_cast<int>((micros + period - 1) / period));
  }
  return std::max(1, count);
}

}  // namespace hearth
