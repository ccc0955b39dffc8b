#include "eval/perplexity.h"

#include <algorithm>
#include <cmath>

namespace hearth {
namespace {

// Positions per step. With a reference, the logits of one step are held: 64 x vocabulary.
constexpr int64_t kStepRows = 64;

// Mean and standard error of a stream of numbers.
struct Moments {
  double sum = 0, squares = 0;
  int64_t count = 0;
  void add(double x) {
    sum += x;
    squares += x * x;
    ++count;
  }
  double mean() const { return sum / static_cast<double>(count); }
  double error() const {
    if (count < 2) return 0;
    double variance = squares / static_cast<double>(count) - mean() * mean();
    return std::sqrt(std::max(0.0, variance) / static_cast<double>(count - 1));
  }
};

size_t best_of(const float* logits, int64_t vocab) {
  return static_cast<size_t>(std::max_element(logits, logits + vocab) - logits);
}

struct Compared {
  std::vector<double> divergences;
  int64_t same = 0;
};

// sum p log(p / q), p of the reference.
double kl(const float* p, double p_sum, const float* q, double q_sum, int64_t vocab) {
  double total = 0;
  for (int64_t i = 0; i < vocab; ++i) {
    double log_p = p[i] - p_sum;
    if (log_p > -40) total += std::exp(log_p) * (log_p - (q[i] - q_sum));
  }
  return std::max(0.0, total);
}

class Scorer {
 public:
  Scorer(Runner& runner, const PerplexityOptions& options) : runner_(runner), options_(options) {}

  // One window: `tokens` of options.ctx, the first already replaced by BOS where wanted.
  Result<void> window(std::span<const TokenId> tokens) {
    auto cache = TRY(KvCache::create(runner_.model().program, options_.kv, options_.ctx));
    SequenceId sequence = cache->add_sequence();
    std::unique_ptr<KvCache> other;
    if (options_.reference != nullptr) {
      other = TRY(KvCache::create(runner_.model().program, options_.reference_kv, options_.ctx));
      other->add_sequence();
    }
    int64_t first_scored = options_.ctx / 2;
    for (int64_t at = 0; at + 1 < options_.ctx;) {
      int64_t end = at < first_scored ? first_scored : options_.ctx - 1;
      bool scored = at >= first_scored;
      int64_t count = std::min(scored ? kStepRows : first_scored, end - at);
      auto part = tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(count));
      TRY(step(part, tokens.subspan(static_cast<size_t>(at + 1)), at, scored, *cache, sequence,
               other.get()));
      at += count;
    }
    return {};
  }

  Moments nll, reference_nll;
  Compared compared;

 private:
  Result<void> step(std::span<const TokenId> part, std::span<const TokenId> next, int64_t at,
                    bool scored, KvCache& cache, SequenceId sequence, KvCache* other) {
    Batch batch;
    batch.add(sequence, static_cast<int32_t>(at), part, scored);
    if (!scored) batch.rows.back().wants_logits = false;
    int64_t vocab = runner_.model().config.vocab;
    if (other != nullptr) {
      held_.resize(static_cast<size_t>(kStepRows * vocab));
      TRY(options_.reference->forward(
          batch, *other, [&](int64_t first, int64_t rows, const float* logits, int64_t) {
            std::copy_n(logits, rows * vocab, held_.begin() + first * vocab);
          }));
    }
    return runner_.forward(
        batch, cache, [&](int64_t first, int64_t rows, const float* logits, int64_t stride) {
          for (int64_t r = 0; r < rows; ++r)
            score(logits + r * stride, next[static_cast<size_t>(first + r)], first + r, vocab,
                  other != nullptr);
        });
  }

  void score(const float* logits, TokenId target, int64_t row, int64_t vocab, bool compare) {
    double total = runner_.kernels().log_sum_exp(logits, vocab);
    nll.add(total - logits[target]);
    if (!compare) return;
    const float* exact = held_.data() + row * vocab;
    double exact_total = runner_.kernels().log_sum_exp(exact, vocab);
    reference_nll.add(exact_total - exact[target]);
    compared.divergences.push_back(kl(exact, exact_total, logits, total, vocab));
    compared.same += best_of(exact, vocab) == best_of(logits, vocab) ? 1 : 0;
  }

  Runner& runner_;
  const PerplexityOptions& options_;
  std::vector<float> held_;
};

Divergence summary(Compared& compared) {
  auto& all = compared.divergences;
  std::sort(all.begin(), all.end());
  Divergence out;
  for (double value : all) out.mean += value / static_cast<double>(all.size());
  out.p99 = all[std::min(all.size() - 1, all.size() * 99 / 100)];
  out.max = all.back();
  out.same_top = static_cast<double>(compared.same) / static_cast<double>(all.size());
  return out;
}

}  // namespace

Result<PerplexityResult> perplexity(Runner& runner, std::span<const TokenId> tokens,
                                    TokenId bos, const PerplexityOptions& options) {
  if (options.ctx < 4 || options.ctx > (1 << 24))
    return fail(Code::kInvalid, "ctx is {}, which must be from 4 to 16777216", options.ctx);
  int64_t windows = static_cast<int64_t>(tokens.size()) / options.ctx;
  if (windows < 1)
    return fail(Code::kInvalid, "the text has {} tokens, and one window needs {}; take a longer "
                                "text or a smaller --ctx", tokens.size(), options.ctx);
  if (options.chunks > 0) windows = std::min(windows, options.chunks);
  Scorer scorer(runner, options);
  std::vector<TokenId> window;
  for (int64_t w = 0; w < windows; ++w) {
    auto part = tokens.subspan(static_cast<size_t>(w * options.ctx),
                               static_cast<size_t>(options.ctx));
    window.assign(part.begin(), part.end());
    if (bos >= 0) window.front() = bos;
    TRY(scorer.window(window));
    if (options.on_chunk) options.on_chunk(w + 1, windows, std::exp(scorer.nll.mean()));
  }
  PerplexityResult out;
  out.ppl = std::exp(scorer.nll.mean());
  out.standard_error = scorer.nll.error() * out.ppl;
  out.tokens = scorer.nll.count;
  if (options.reference != nullptr) {
    out.divergence = summary(scorer.compared);
    out.reference_ppl = std::exp(scorer.reference_nll.mean());
  }
  return out;
}

}  // namespace hearth
