// Speed of attention over a long past, beside what one core can do at best.
//   attention_bench [instruction set] [depth] [rows ...]
// For each shape (query heads, head_dim, group) and number of rows the calls that a pass makes:
// every key-value head over its own part of the cache, some rows at a time. Many rows are a prompt
// (multiply-adds per second count), one row is generation (bytes of the cache read per second;
// several sequences' caches, beyond the processor's own). One thread; processor time.
// HEARTH_BENCH_KV names the type of the cache (f16). HEARTH_BENCH_IN_CACHE=1 takes one sequence:
// with a small depth that shows what the arithmetic alone costs.
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "base/check.h"
#include "kernels/api.h"
#include "kernels/cpu/tables.h"

namespace hearth {
namespace {

// As the engine deals rows out.
int64_t rows_per_call(int group) { return std::clamp(256 / group, 32, 128); }

struct Shape {
  const char* name;
  int heads, group, head_dim;
};

constexpr Shape kShapes[] = {
    {"1B: 32 heads of 64, 4 to a kv head", 32, 4, 64},
    {"14 heads of 64, 7 to a kv head", 14, 7, 64},
    {"8 heads of 256, 4 to a kv head", 8, 4, 256},
    {"16 heads of 128, each its own", 16, 1, 128},
};

double cpu_now() {
  timespec t = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// The shortest of several calls, in seconds.
template <class F>
double best_time(F f) {
  double best = 1e30;
  const double start = cpu_now();
  for (int i = 0; i < 3 || cpu_now() - start < 0.5; ++i) {
    const double begin = cpu_now();
    f();
    best = std::min(best, cpu_now() - begin);
  }
  return best;
}

double peak_gmacs(int64_t (*loop)(int64_t)) {
  int64_t macs = 0;
  const double seconds = best_time([&] { macs = loop(100'000); });
  return static_cast<double>(macs) / seconds / 1e9;
}

double read_gb_s(std::span<const std::byte> memory) {
  const auto floats = static_cast<int64_t>(memory.size() / 256 * 64);
  const double seconds =
      best_time([&] { peaks().read(reinterpret_cast<const float*>(memory.data()), floats); });
  return static_cast<double>(floats) * 4 / seconds / 1e9;
}

// Caches of one layer: a block holds one head's keys and values after the other, on large pages, as
// the engine's.
struct Cache {
  Cache(const Kernels& kernels, const Shape& shape, KvType type, int64_t depth, int64_t copies)
      : kv_heads(shape.heads / shape.group),
        key_bytes(static_cast<size_t>(kv_key_bytes(type, shape.head_dim))),
        head_bytes(key_bytes + static_cast<size_t>(kv_value_bytes(type, shape.head_dim))),
        blocks_each((depth + kKvBlock - 1) / kKvBlock) {
    const size_t block_bytes = head_bytes * static_cast<size_t>(kv_heads);
    const int64_t count = copies * blocks_each;
    const size_t bytes = block_bytes * static_cast<size_t>(count);
    void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(base != MAP_FAILED);
    madvise(base, bytes, MADV_HUGEPAGE);
    memory = {static_cast<std::byte*>(base), bytes};
    for (int64_t b = 0; b < count; ++b)
      blocks.push_back(memory.data() + static_cast<size_t>(b) * block_bytes);
    fill(kernels, type, shape.head_dim, block_bytes);
  }
  ~Cache() { munmap(memory.data(), memory.size()); }
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // The first block at random, and all others like it.
  void fill(const Kernels& kernels, KvType type, int dim, size_t block_bytes) {
    uint32_t state = 1;
    std::vector<float> x(static_cast<size_t>(dim));
    for (int i = 0; i < kKvBlock * kv_heads; ++i) {
      for (float& v : x) {
        state = state * 1664525u + 1013904223u;
        v = static_cast<float>(state >> 16) / 32768.0f - 1.0f;
      }
      std::byte* head = memory.data() + head_bytes * static_cast<size_t>(i / kKvBlock);
      store_key(kernels, type, x.data(), dim, i % kKvBlock, head);
      store_value(kernels, type, x.data(), dim, i % kKvBlock, head + key_bytes);
    }
    for (size_t at = block_bytes; at < memory.size(); at += block_bytes)
      std::memcpy(memory.data() + at, memory.data(), block_bytes);
  }

  int kv_heads;
  size_t key_bytes, head_bytes;
  int64_t blocks_each;
  std::span<std::byte> memory;
  std::vector<const std::byte*> blocks;
};

class Bench {
 public:
  Bench(const Kernels& kernels, const Shape& shape, KvType type, int64_t depth)
      : kernels_(kernels),
        shape_(shape),
        type_(type),
        depth_(depth),
        scratch_(kKernelScratchBytes) {}

  // Seconds of one pass of so many rows at the end of the past.
  double time(const Cache& cache, int64_t copies, int64_t rows, Compute compute) {
    const int64_t step = rows_per_call(shape_.group);
    const int64_t width = int64_t{shape_.heads} * shape_.head_dim;
    std::vector<float> q(static_cast<size_t>(rows * width)), out(q.size());
    for (size_t i = 0; i < q.size(); ++i) q[i] = std::sin(static_cast<float>(i * i % 1000));
    std::vector<int32_t> positions;
    for (int64_t r = 0; r < rows; ++r) {
      positions.push_back(static_cast<int32_t>(depth_ - rows + r));
    }
    const double seconds = best_time([&] {
      for (int64_t copy = 0; copy < copies; ++copy) {
        for (int64_t r = 0; r < rows; r += step) {
          for (int h = 0; h < cache.kv_heads; ++h) {
            const int64_t at = r * width + int64_t{h} * shape_.group * shape_.head_dim;
            AttentionArgs a = {};
            a.q = q.data() + at;
            a.out = out.data() + at;
            a.q_stride = a.out_stride = width;
            a.positions = positions.data() + r;
            a.rows = std::min(step, rows - r);
            a.group = shape_.group;
            a.head_dim = a.value_dim = shape_.head_dim;
            a.k_blocks = a.v_blocks = cache.blocks.data() + copy * cache.blocks_each;
            a.k_head_offset = static_cast<size_t>(h) * cache.head_bytes;
            a.v_head_offset = a.k_head_offset + cache.key_bytes;
            a.kv_type = type_;
            a.compute = compute;
            a.scale = 1.0f / std::sqrt(static_cast<float>(shape_.head_dim));
            a.scratch = scratch_.data();
            kernels_.attention(a);
          }
        }
      }
    });
    return seconds / static_cast<double>(copies);
  }

  void rows(int64_t rows) {
    const auto seen = static_cast<double>(rows * depth_ - rows * (rows - 1) / 2);
    const double macs = 2 * seen * shape_.heads * shape_.head_dim;
    const auto per_block = static_cast<double>(kv_key_bytes(type_, shape_.head_dim) +
                                               kv_value_bytes(type_, shape_.head_dim));
    const double bytes =
        per_block / kKvBlock * static_cast<double>(depth_) * shape_.heads / shape_.group;
    const bool in_cache = std::getenv("HEARTH_BENCH_IN_CACHE") != nullptr;
    const int64_t copies = rows == 1 && !in_cache ? 1 + static_cast<int64_t>(192e6 / bytes) : 1;
    const Cache cache(kernels_, shape_, type_, depth_, copies);
    std::printf("  %4lld rows", static_cast<long long>(rows));
    for (const Compute compute : {Compute::kF32, Compute::kBf16}) {
      const bool pairs = compute == Compute::kBf16;
      auto* loop = pairs ? peaks().bf16 : peaks().f32;
      const double limit = rows == 1 ? read_gb_s(cache.memory)
                                     : (loop != nullptr ? peak_gmacs(loop) : 0.0);
      const double rate = (rows == 1 ? bytes : macs) / time(cache, copies, rows, compute) / 1e9;
      std::printf("   %s %7.1f %s (%3.0f %% of %.1f)", pairs ? "bf16" : "f32", rate,
                  rows == 1 ? "GB/s  " : "GMAC/s", limit > 0 ? 100 * rate / limit : 0.0, limit);
      std::fflush(stdout);
    }
    std::printf("\n");
  }

 private:
  const Kernels& kernels_;
  Shape shape_;
  KvType type_;
  int64_t depth_;
  std::vector<std::byte> scratch_;
};

int64_t number(const char* text, int64_t otherwise) {
  std::from_chars(text, text + std::strlen(text), otherwise);
  return otherwise;
}

int main_of(int argc, char** argv) {
  const Kernels* kernels = argc > 1 ? find_kernels(argv[1]) : &default_kernels();
  if (kernels == nullptr) {
    std::fprintf(stderr, "this processor cannot run %s\n", argv[1]);
    return 1;
  }
  const int64_t depth = argc > 2 ? number(argv[2], 7168) : 7168;
  std::vector<int64_t> rows;
  for (int i = 3; i < argc; ++i) rows.push_back(std::clamp(number(argv[i], 1), int64_t{1}, depth));
  if (rows.empty()) rows = {1, 8, 512};
  const char* name = std::getenv("HEARTH_BENCH_KV");
  const KvType type = find_kv_type(name != nullptr ? name : "f16").value_or(KvType::kF16);
  std::printf("%s, %s cache, depth %lld, one thread, processor time\n", kernels->isa.data(),
              name_of(type).data(), static_cast<long long>(depth));
  for (const Shape& shape : kShapes) {
    std::printf("%s\n", shape.name);
    Bench bench(*kernels, shape, type, depth);
    for (const int64_t r : rows) bench.rows(r);
  }
  return 0;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) { return hearth::main_of(argc, argv); }
