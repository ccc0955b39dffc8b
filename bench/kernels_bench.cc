// Speed of the matrix product per weight format, beside what the machine can do at best.
//   kernels_bench [threads] [instruction set] [k] [outputs] [formats ...]
// One row of x is generation (bytes of weights read per second count), many rows are a prompt
// (multiply-adds per second count). The weights of one row are several copies, beyond the caches.
// On a busy machine HEARTH_BENCH_CPU_TIME=1 counts the processor time of the slowest member in
// place of the clock on the wall. HEARTH_BENCH_IN_CACHE=1 takes one copy of the weights: with few
// outputs that shows what the arithmetic alone costs. HEARTH_BENCH_ROWS=1,8 and
// HEARTH_BENCH_COMPUTES=int8,int8x2 take some of the columns.
#include <time.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/threads.h"
#include "encoding/encoding.h"
#include "kernels/api.h"
#include "kernels/limits.h"

namespace hearth {
namespace {

struct Setting {
  const Kernels* kernels;
  int64_t k = 1536, outputs = 8960;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_now() {
  timespec t = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Any codes under small scales: every fourth byte pair could be a float16, so all stay below 1. A
// scale that is a power of two stands in MXFP4's first byte, where small ones are denormal.
std::vector<std::byte> weights(const Encoding& encoding, size_t bytes) {
  std::vector<std::byte> out(bytes);
  uint32_t state = 1;
  for (auto& b : out) {
    state = state * 1664525u + 1013904223u;
    b = static_cast<std::byte>(state >> 24 & 0x2f);
  }
  if (encoding.name == "MXFP4")
    for (size_t at = 0; at < bytes; at += encoding.block_bytes) out[at] = std::byte{120};
  return out;
}

// HEARTH_BENCH_COMPUTES=bf16,int8 picks; the others are left out.
std::vector<Compute> chosen() {
  const char* wanted = std::getenv("HEARTH_BENCH_COMPUTES");
  std::vector<Compute> out;
  std::string names = wanted != nullptr ? wanted : "f32,bf16,int8,int8x2";
  names = "," + names + ",";
  for (int i = 0; i < 4; ++i) {
    const auto compute = static_cast<Compute>(i);
    if (names.contains("," + std::string(name_of(compute)) + ",")) out.push_back(compute);
  }
  return out;
}

int64_t number(const char* text, int64_t otherwise) {
  std::from_chars(text, text + std::strlen(text), otherwise);
  return otherwise;
}

std::vector<int64_t> numbers(const char* list, std::vector<int64_t> otherwise) {
  if (list == nullptr) return otherwise;
  std::vector<int64_t> out;
  for (const char *p = list, *end = list + std::strlen(list); p < end; ++p) {
    int64_t value = 0;
    const auto [after, error] = std::from_chars(p, end, value);
    if (error != std::errc()) break;
    out.push_back(value);
    p = after;
  }
  return out;
}

// Much like activations: which blocks of a row stand out matters to int8x2.
std::vector<float> normals(size_t count) {
  std::mt19937 engine(1);
  std::normal_distribution<float> one;
  std::vector<float> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = one(engine) * (i / 32 % 4 == 0 ? 2.0f : 1.0f);
  return out;
}

class Bench {
 public:
  Bench(ThreadPool& pool, const Setting& setting) : pool_(pool), set_(setting) {
    for (int i = 0; i < pool.size(); ++i) scratch_.emplace_back(kKernelScratchBytes);
  }

  // Seconds of one product, the best of some.
  double time(const Encoding& encoding, const std::vector<std::byte>& w, int64_t copies,
              int64_t rows, Compute compute) {
    std::vector<float> x = normals(static_cast<size_t>(rows * set_.k));
    const size_t row_bytes = activation_bytes(compute, set_.k);
    std::vector<std::byte> packed(row_bytes * static_cast<size_t>(rows));
    for (int64_t r = 0; r < rows; ++r) {
      set_.kernels->pack(x.data() + r * set_.k, compute,
                         packed.data() + row_bytes * static_cast<size_t>(r), set_.k);
    }
    std::vector<float> y(static_cast<size_t>(rows * set_.outputs));
    MatmulArgs a = {};
    a.encoding = &encoding;
    a.row_bytes = encoding.bytes_of(static_cast<uint64_t>(set_.k));
    a.k = set_.k;
    a.x = packed.data();
    a.x_stride = set_.k;
    a.rows = rows;
    a.y = y.data();
    a.y_stride = set_.outputs;
    a.compute = compute;
    double best = 1e30;
    const double start = now();
    for (int i = 0; i < 5 || now() - start < 0.4; ++i) {
      const double begin = now();
      std::vector<double> used(static_cast<size_t>(pool_.size()));
      for (int64_t copy = 0; copy < copies; ++copy) {
        a.weights = w.data() + copy * set_.outputs * static_cast<int64_t>(a.row_bytes);
        pool_.run([&](int member) {
          MatmulArgs mine = a;
          const auto part = ThreadPool::slice(set_.outputs, member, pool_.size(), 32);
          mine.out_begin = part.begin;
          mine.out_end = part.end;
          mine.scratch = scratch_[static_cast<size_t>(member)].data();
          const double cpu_begin = cpu_now();
          set_.kernels->matmul(mine);
          used[static_cast<size_t>(member)] += cpu_now() - cpu_begin;
        });
      }
      const double took = cpu_time_ ? *std::max_element(used.begin(), used.end()) : now() - begin;
      best = std::min(best, took / static_cast<double>(copies));
    }
    return best;
  }

  void format(std::string_view name) {
    const Encoding& e = *find_encoding(name);
    const auto bytes = e.bytes_of(static_cast<uint64_t>(set_.k * set_.outputs));
    const auto copies =
        in_cache_ ? 1 : static_cast<int64_t>(1 + (uint64_t{160} << 20) / bytes);
    const auto w = weights(e, bytes * static_cast<size_t>(copies));
    std::printf("%-8s", e.name.data());
    for (const Compute compute : computes_) {
      if (compute >= Compute::kInt8 && !set_.kernels->has_integers(e)) continue;
      const double macs = static_cast<double>(set_.k * set_.outputs) / 1e9;
      for (const int64_t rows : rows_) {
        const double took = time(e, w, rows < 16 ? copies : 1, rows, compute);
        const bool reads = rows < 16;
        std::printf(" %7.1f", (reads ? static_cast<double>(bytes) / 1e9
                                     : static_cast<double>(rows) * macs) / took);
      }
      std::printf(" ");
      std::fflush(stdout);
    }
    std::printf("\n");
  }

 private:
  ThreadPool& pool_;
  Setting set_;
  std::vector<int64_t> rows_ = numbers(std::getenv("HEARTH_BENCH_ROWS"), {1, 4, 16, 512});
  std::vector<Compute> computes_ = chosen();
  bool in_cache_ = std::getenv("HEARTH_BENCH_IN_CACHE") != nullptr;
  bool cpu_time_ = std::getenv("HEARTH_BENCH_CPU_TIME") != nullptr;
  std::vector<std::vector<std::byte>> scratch_;
};

int main_of(int argc, char** argv) {
  ThreadPool pool(static_cast<int>(argc > 1 ? number(argv[1], 1) : default_threads()));
  Setting setting = {argc > 2 ? find_kernels(argv[2]) : &default_kernels()};
  if (setting.kernels == nullptr) {
    std::fprintf(stderr, "this processor cannot run %s\n", argv[2]);
    return 1;
  }
  if (argc > 3) setting.k = number(argv[3], setting.k);
  if (argc > 4) setting.outputs = number(argv[4], setting.outputs);
  const auto limits = [&] {
    std::printf("limits: read %.1f GB/s, f32 %.1f, bf16 %.1f, int8 %.1f GMAC/s\n", read_gb_s(pool),
                f32_tflops(pool) * 500, bf16_tflops(pool) * 500, int8_tops(pool) * 500);
  };
  limits();
  std::printf("%d threads, %s, k %lld, outputs %lld\n", pool.size(), setting.kernels->isa.data(),
              static_cast<long long>(setting.k), static_cast<long long>(setting.outputs));
  std::printf("Up to 15 rows: GB/s of weights; from 16 on: GMAC/s. Rows 1, 4, 16, 512 for each of");
  for (const Compute compute : chosen()) std::printf(" %s", name_of(compute).data());
  std::printf("\n");
  Bench bench(pool, setting);
  if (argc > 5) {
    for (int i = 5; i < argc; ++i) bench.format(argv[i]);
  } else {
    for (const auto* name : {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K",
                             "Q5_K", "Q6_K", "IQ4_XS"}) {
      bench.format(name);
    }
  }
  limits();
  return 0;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) { return hearth::main_of(argc, argv); }
