// Log probabilities in OpenAI's three forms: of chats, of completions, and vLLM's of prompts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/logprobs.h"
#include "tokenizer/tokenizer.h"

namespace hearth::api {

// Shortest text that reads back as the same double; -9999.0 for what is not finite, as JSON has no
// infinity.
void append_number(std::string& out, double value);
void append_number(std::string& out, int64_t value);

// {"content": [{"token", "logprob", "bytes", "top_logprobs"}, ...], "refusal": null}
void append_chat_logprobs(std::string& out, const Tokenizer& tokenizer,
                          std::span<const TokenLogprobs> tokens);

// [null, {"<id>": {"logprob", "rank", "decoded_token"}}, ...]: an object for each token of the
// prompt but the first. The rank of a token that is not among the likeliest is not known: null.
void append_prompt_logprobs(std::string& out, const Tokenizer& tokenizer,
                            std::span<const TokenLogprobs> tokens);

// {"tokens", "token_logprobs", "top_logprobs", "text_offset"}, four lists of one length. Keeps its
// memory from one call to the next.
class CompletionLogprobs {
 public:
  // Where the next token of a choice begins, in characters of its text.
  struct Offset {
    int64_t characters = 0;
    bool start = true;  // nothing but control tokens yet
  };

  explicit CompletionLogprobs(const Tokenizer* tokenizer) : tokenizer_(tokenizer) {}

  void clear() { entries_.clear(); }
  // Tokens of a prompt, which stand for `text`; the first has no log probability.
  void add_prompt(std::span<const TokenId> tokens, std::span<const TokenLogprobs> logprobs,
                  std::string_view text, Offset& offset);
  void add(TokenId token, const TokenLogprobs* logprobs, Offset& offset);
  void append_to(std::string& out);

 private:
  struct Entry {
    TokenId token;
    const TokenLogprobs* logprobs;  // nullptr: not known
    int64_t offset;
  };
  int64_t take(TokenId token, Offset& offset, std::string_view* text) const;
  void append_top(std::string& out, const TokenLogprobs& logprobs);

  const Tokenizer* tokenizer_;
  std::vector<Entry> entries_;
  std::vector<std::pair<std::string, double>> top_;  // of one entry, by their texts
};

}  // namespace hearth::api
