#include "eval/bench.h"

#include <algorithm>
#include <chrono>

#include "kernels/limits.h"

namespace hearth {
namespace {

// Tokens per step of a prompt, as a session reads it.
constexpr int64_t kPromptChunk = 256;

class Machine {
 public:
  Machine(Runner& runner, const BenchOptions& options) : runner_(runner), options_(options) {}

  // Room for `count` sequences of `tokens` beyond the depth; the depth is filled.
  Result<void> prepare(int64_t count, int64_t tokens) {
    int64_t each = options_.depth + tokens + kKvBlock;
    cache_ = TRY(KvCache::create(runner_.model().program, options_.kv, count * each));
    sequences_.clear();
    for (int64_t i = 0; i < count; ++i) {
      sequences_.push_back(cache_->add_sequence());
      TRY(read(sequences_.back(), options_.depth));
    }
    return {};
  }

  // Reads `tokens` more tokens of the first sequence; seconds.
  Result<double> prefill(int64_t tokens) {
    auto start = std::chrono::steady_clock::now();
    TRY(read(sequences_[0], tokens));
    return since(start);
  }

  // `steps` tokens for every sequence; seconds.
  Result<double> decode(int64_t steps) {
    auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < steps; ++i) {
      Batch batch;
      std::vector<TokenId> tokens;
      tokens.reserve(sequences_.size());
      for (SequenceId s : sequences_) {
        tokens.push_back(next());
        batch.add(s, static_cast<int32_t>(cache_->length(s)), std::span(&tokens.back(), 1));
      }
      TRY(runner_.forward(batch, *cache_, ignore_));
    }
    return since(start);
  }

 private:
  static double since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  // Any tokens do; a fixed walk through the vocabulary touches many rows of the embedding.
  TokenId next() {
    walk_ = walk_ * 1664525u + 1013904223u;
    return static_cast<TokenId>((walk_ >> 8) % static_cast<uint32_t>(runner_.model().config.vocab));
  }

  Result<void> read(SequenceId sequence, int64_t tokens) {
    while (tokens > 0) {
      std::vector<TokenId> part(static_cast<size_t>(std::min(tokens, kPromptChunk)));
      for (TokenId& id : part) id = next();
      Batch batch;
      batch.add(sequence, static_cast<int32_t>(cache_->length(sequence)), part);
      TRY(runner_.forward(batch, *cache_, ignore_));
      tokens -= static_cast<int64_t>(part.size());
    }
    return {};
  }

  Runner& runner_;
  const BenchOptions& options_;
  std::unique_ptr<KvCache> cache_;
  std::vector<SequenceId> sequences_;
  uint32_t walk_ = 1;
  LogitsSink ignore_ = [](int64_t, int64_t, const float*, int64_t) {};
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

Rates rates_of(const std::vector<double>& values) {
  if (values.empty()) return {};
  auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*low, median(values), *high};
}

Limits measure(int threads) {
  ThreadPool pool(threads);
  return {read_gb_s(pool), int8_tops(pool), bf16_tflops(pool), f32_tflops(pool)};
}

Limits median_of(const std::vector<Limits>& all) {
  auto of = [&](double Limits::*field) {
    std::vector<double> values;
    for (const Limits& one : all) values.push_back(one.*field);
    return median(std::move(values));
  };
  return {of(&Limits::read_gb_s), of(&Limits::int8_tops), of(&Limits::bf16_tflops),
          of(&Limits::f32_tflops)};
}

}  // namespace

Result<BenchResult> bench(Runner& runner, const BenchOptions& options) {
  int64_t longest = options.depth + std::max(options.prompt, options.generate);
  if (longest > runner.model().config.context)
    return fail(Code::kTooLarge, "{} tokens exceed the model's context of {}", longest,
                runner.model().config.context);
  std::vector<double> prefill;
  std::vector<std::vector<double>> decode(options.batches.size());
  std::vector<Limits> limits;
  Machine machine(runner, options);
  TRY(machine.prepare(1, 8));  // touches code and pages before the first clock runs
  TRY(machine.decode(2));
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    limits.push_back(measure(runner.threads()));
    if (options.prompt > 0) {
      TRY(machine.prepare(1, options.prompt));
      prefill.push_back(static_cast<double>(options.prompt) /
                        TRY(machine.prefill(options.prompt)));
    }
    for (size_t b = 0; b < options.batches.size() && options.generate > 0; ++b) {
      TRY(machine.prepare(options.batches[b], options.generate));
      decode[b].push_back(static_cast<double>(options.batches[b] * options.generate) /
                          TRY(machine.decode(options.generate)));
    }
    if (options.on_run) options.on_run(repeat + 1, options.repeats);
  }
  BenchResult out{.limits = median_of(limits), .prefill = rates_of(prefill), .decode = {}};
  for (const auto& values : decode) out.decode.push_back(rates_of(values));
  return out;
}

}  // namespace hearth
