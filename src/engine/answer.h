// Answer: one sequence while it is generated: its sampler, its text, and when it ends.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/sampler.h"
#include "engine/stop.h"

namespace hearth {

enum class FinishReason : uint8_t { kStop, kLength, kCancelled };
std::string_view name_of(FinishReason reason);  // "stop", "length", "cancelled"

struct Timings {
  int64_t prompt_tokens = 0;   // all of the prompt that there was room for
  int64_t dropped_tokens = 0;  // of the prompt, where the context slid over them
  int64_t cached_tokens = 0;   // of those, found in the cache
  int64_t pinned_tokens = 0;   // of the prompt, pinned in the cache for a while
  int64_t generated_tokens = 0;
  double prompt_s = 0, generate_s = 0;
};

struct Generation {
  std::vector<TokenId> tokens;  // without the one that ended it
  std::string text;             // without a stop string
  FinishReason reason = FinishReason::kStop;
  std::string stop_text;   // the stop string that ended it
  TokenId stop_token = -1;  // the token that ended it
  std::vector<TokenLogprobs> logprobs;  // one per token, where they were asked for
  double mean_logprob = 0;  // known with logprobs, best_of and beams
  double score = 0;         // of a beam: its log probability over length^penalty
  int64_t dropped_tokens = 0;  // of prompt and answer, which the context slid over
  Timings timings;
};

using TextSink = std::function<void(std::string_view text)>;

class Answer {
 public:
  // `index` numbers the answers of one request; `limit`: tokens at most.
  Answer(std::shared_ptr<const SamplerPlan> plan, std::shared_ptr<const Tokenizer> tokenizer,
         std::span<const TokenId> prompt, uint64_t index, int64_t limit);

  // Chooses a token from the logits, which are edited; `emit` gets the text that became certain.
  Result<void> take(std::span<float> logits, const TextSink& emit);
  bool done() const { return done_; }
  TokenId last() const { return out_.tokens.back(); }  // REQUIRES: a token was taken
  int64_t count() const { return static_cast<int64_t>(out_.tokens.size()); }

  // It ended at a token, which is not part of it.
  bool stopped_at_token() const { return out_.stop_token >= 0; }
  // Of last(), where they were asked for; else nullptr.
  std::span<const TokenLogprobs> last_logprobs() const {
    return std::span(out_.logprobs).last(out_.logprobs.empty() ? 0 : 1);
  }

  void drop(int64_t tokens) { out_.dropped_tokens += tokens; }

  // Ends it with what is there; `reason` where it had not ended by itself.
  Generation finish(FinishReason reason, const TextSink& emit);

 private:
  bool ends(TokenId id) const;
  void add_text(const std::string& text, const TextSink& emit);
  void end(FinishReason reason) { done_ = true, out_.reason = reason; }

  std::shared_ptr<const SamplerPlan> plan_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Sampler sampler_;
  StreamDecoder decoder_;
  StopFilter filter_;
  int64_t limit_;
  std::vector<TokenId> history_;  // prompt and answer
  std::vector<float> raw_;        // the logits before the chain, where logprobs need them
  Generation out_;
  bool done_ = false;
};

}  // namespace hearth
