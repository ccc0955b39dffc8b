#include "kernels/limits.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "kernels/cpu/tables.h"

namespace hearth {
namespace {

// The shortest time of some calls, in seconds.
template <class F>
double best_time(int rounds, F f) {
  double best = 1e30;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

double tera_ops(ThreadPool& pool, int64_t (*loop)(int64_t)) {
  if (loop == nullptr) return 0.0;
  constexpr int64_t kSteps = 200'000;  // a millisecond or two: shorter than a time slice
  std::vector<int64_t> macs(static_cast<size_t>(pool.size()));
  const double seconds = best_time(50, [&] {
    pool.run([&](int member) { macs[static_cast<size_t>(member)] = loop(kSteps); });
  });
  double total = 0.0;
  for (const int64_t m : macs) total += static_cast<double>(m);
  return 2.0 * total / seconds / 1e12;
}

}  // namespace

double read_gb_s(ThreadPool& pool) {
  constexpr int64_t kFloats = int64_t{64} << 20;  // 256 MB: beyond any cache
  std::vector<float> memory(kFloats, 1.0f);
  const double seconds = best_time(8, [&] {
    pool.run([&](int member) {
      const auto part = ThreadPool::slice(kFloats, member, pool.size(), 64);
      peaks().read(memory.data() + part.begin, part.end - part.begin);
    });
  });
  return static_cast<double>(kFloats) * sizeof(float) / seconds / 1e9;
}

double f32_tflops(ThreadPool& pool) { return tera_ops(pool, peaks().f32); }
double bf16_tflops(ThreadPool& pool) { return tera_ops(pool, peaks().bf16); }
double int8_tops(ThreadPool& pool) { return tera_ops(pool, peaks().int8); }

}  // namespace hearth
