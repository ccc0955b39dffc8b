// Session: one conversation on a Runner, from token ids to a stream of text. It keeps what its
// cache already holds, so that the next prompt that begins alike pays only for what is new.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/answer.h"
#include "engine/beam.h"
#include "engine/completion.h"
#include "engine/runner.h"

namespace hearth {

struct GenerateEvents {
  // Text as it becomes certain (whole characters, nothing of a stop string). May be empty. With
  // several answers, that of the first; with best_of and beams, all of it at the end.
  std::function<void(std::string_view text)> on_text;
  std::function<void(int64_t done, int64_t total)> on_prompt;  // prompt tokens computed so far
  const std::atomic<bool>* cancel = nullptr;
};

// Prompt tokens per step: long enough to use decoded weights well, short enough that Ctrl-C and
// the progress line feel immediate.
constexpr int64_t kPromptChunk = 256;

class Session {
 public:
  // Room for `context` tokens; a prompt is read in steps of `chunk`, which changes no bit of what
  // follows. The runner is shared with nobody while a call runs.
  static Result<Session> create(Runner& runner, std::shared_ptr<const Tokenizer> tokenizer,
                                int64_t context, KvType kv, int64_t chunk = kPromptChunk);

  int64_t context() const { return context_; }

  // Generates after `prompt`. When it leaves no room for a token: kTooLarge, with the lengths, or
  // what is left of it where params.overflow lets it slide; the result says how many tokens went.
  // A cancelled call returns what there is, with kCancelled as its reason.
  Result<Completion> complete(std::span<const TokenId> prompt, const SamplingParams& params,
                              const GenerateEvents& events);
  // The first of its choices, with the timings of all.
  Result<Generation> generate(std::span<const TokenId> prompt, const SamplingParams& params,
                              const GenerateEvents& events);

 private:
  struct Request;
  struct Lane;
  Session(Runner& runner, std::shared_ptr<const Tokenizer> tokenizer, int64_t context,
          int64_t chunk)
      : runner_(&runner), tokenizer_(std::move(tokenizer)), context_(context), chunk_(chunk) {}
  Result<void> read_prompt(Request& request);
  Result<void> step(std::span<const TokenId> tokens, bool all_logits, Request& request);
  Result<void> sample_answers(Request& request);
  Result<void> run_lanes(std::span<Lane> lanes, Request& request);
  Result<void> make_room(Lane& lane, Request& request);
  Result<void> search_beams(Request& request);

  Runner* runner_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  int64_t context_, chunk_;
  std::unique_ptr<KvCache> cache_;
  SequenceId sequence_ = 0;
  std::vector<TokenId> cached_;  // what the cache holds of sequence_
  std::vector<float> logits_;    // after the last token of the prompt
};

}  // namespace hearth
