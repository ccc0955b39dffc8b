// Speed of a model on this machine, beside what the machine can do: prompt reading, generation,
// and generation for several sequences at once. Limits are measured between the repeats, so that
// a noisy neighbour shows in both.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/runner.h"

namespace hearth {

struct BenchOptions {
  int64_t prompt = 512;            // tokens; 0: skip
  int64_t generate = 128;          // tokens per sequence; 0: skip
  std::vector<int64_t> batches = {1};
  int64_t depth = 0;               // tokens in the cache before each run
  int repeats = 5;
  KvType kv = KvType::kF16;
  std::function<void(int done, int total)> on_run;
};

// The machine's own limits (kernels/limits.h); 0 where the processor has no such unit.
struct Limits {
  double read_gb_s = 0, int8_tops = 0, bf16_tflops = 0, f32_tflops = 0;
};

struct Rates {  // tokens per second, all rows of a batch counted
  double min = 0, median = 0, max = 0;
};

struct BenchResult {
  Limits limits;  // medians
  Rates prefill;
  std::vector<Rates> decode;  // per batch
};

// kTooLarge when depth and tokens exceed the model's context.
Result<BenchResult> bench(Runner& runner, const BenchOptions& options);

}  // namespace hearth
