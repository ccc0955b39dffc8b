// Session: one conversation on a Runner, from token ids to a stream of text. It keeps what its
// cache already holds, so that the next prompt that begins alike pays only for what is new.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/runner.h"
#include "engine/sampler.h"

namespace hearth {

enum class FinishReason : uint8_t { kStop, kLength, kCancelled };
std::string_view name_of(FinishReason reason);  // "stop", "length", "cancelled"

struct Timings {
  int64_t prompt_tokens = 0;   // all of the prompt
  int64_t cached_tokens = 0;   // of those, found in the cache
  int64_t generated_tokens = 0;
  double prompt_s = 0, generate_s = 0;
};

struct Generation {
  std::vector<TokenId> tokens;  // without the one that ended it
  std::string text;             // without a stop string
  FinishReason reason = FinishReason::kStop;
  Timings timings;
};

struct GenerateEvents {
  // Text as it becomes certain (whole characters, nothing of a stop string). May be empty.
  std::function<void(std::string_view text)> on_text;
  std::function<void(int64_t done, int64_t total)> on_prompt;  // prompt tokens computed so far
  const std::atomic<bool>* cancel = nullptr;
};

// Holds back text that may turn out to be the beginning of a stop string.
class StopFilter {
 public:
  explicit StopFilter(const std::vector<std::string>& stops) : stops_(&stops) {}
  // The text that is certain after these bytes; stopped() tells whether a stop string is complete.
  std::string push(std::string_view text);
  std::string finish();  // what was held back
  bool stopped() const { return stopped_; }

 private:
  const std::vector<std::string>* stops_;
  std::string held_;
  bool stopped_ = false;
};

class Session {
 public:
  // Room for `context` tokens. The runner is shared with nobody while a call runs.
  static Result<Session> create(Runner& runner, std::shared_ptr<const Tokenizer> tokenizer,
                                int64_t context, KvType kv);

  int64_t context() const { return context_; }

  // Generates after `prompt`. kTooLarge, with the lengths, when it leaves no room for a token.
  // A cancelled call returns what there is, with kCancelled as its reason.
  Result<Generation> generate(std::span<const TokenId> prompt, const SamplingParams& params,
                              const GenerateEvents& events);

 private:
  Session(Runner& runner, std::shared_ptr<const Tokenizer> tokenizer, int64_t context)
      : runner_(&runner), tokenizer_(std::move(tokenizer)), context_(context) {}
  Result<void> read_prompt(std::span<const TokenId> prompt, const GenerateEvents& events,
                           Timings& timings);
  Result<void> step(std::span<const TokenId> tokens, bool wants_logits,
                    const GenerateEvents& events);

  Runner* runner_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  int64_t context_;
  std::unique_ptr<KvCache> cache_;
  SequenceId sequence_ = 0;
  std::vector<TokenId> cached_;  // what the cache holds
  std::vector<float> logits_;    // after the last token
};

}  // namespace hearth
