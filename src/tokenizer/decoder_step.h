// What decoders are made of. A step is the immutable description; the stage that it starts does its
// work on one row of tokens. A token reaches a stage as pieces of text and then end(): what a step
// before has fused comes as one long token whose end is the end of all.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tokenizer/regex.h"

namespace hearth {

class DecoderStage {
 public:
  virtual ~DecoderStage() = default;
  virtual void text(std::string_view piece) = 0;
  virtual void end() = 0;
  // After the last token. `middle`: others would follow, so nothing is treated as the last.
  virtual void finish(bool middle) = 0;
  // Before the first token: others came before it.
  virtual void skip_start() {}

  // The bytes by which all stages of one run together may make the text longer; then they leave
  // it as it is. Steps of a hostile file could each double it.
  void set_budget(size_t& bytes) { budget_ = &bytes; }

 protected:
  // Whether `from` bytes may become `to`.
  bool may_grow(size_t from, size_t to) {
    if (to <= from || !budget_) return true;
    if (*budget_ < to - from) return false;
    *budget_ -= to - from;
    return true;
  }

  // Every `from` (empty: before and after every character) becomes `to`.
  std::string replaced(std::string_view text, std::string_view from, std::string_view to);

 private:
  size_t* budget_ = nullptr;
};

// The end of the chain: collects what comes out.
class DecoderSink final : public DecoderStage {
 public:
  void text(std::string_view piece) override { collected += piece; }
  void end() override {}
  void finish(bool) override {}
  std::string collected;
};

class DecoderStep {
 public:
  virtual ~DecoderStep() = default;
  // `last`: nothing follows, so that bytes may leave as they are, in UTF-8 or not.
  virtual std::unique_ptr<DecoderStage> start(DecoderStage& next, bool last) const = 0;
};

using DecoderStepPtr = std::shared_ptr<const DecoderStep>;

DecoderStepPtr make_join_step(std::string separator);  // between tokens
DecoderStepPtr make_fuse_step();
DecoderStepPtr make_literal_replace_step(std::string from, std::string to);
DecoderStepPtr make_pattern_replace_step(Regex from, std::string to);
// Up to `start` and `stop` times the character `content` at the front and the end of each token.
DecoderStepPtr make_token_strip_step(std::string content, size_t start, size_t stop);
DecoderStepPtr make_byte_level_decoder_step();
DecoderStepPtr make_byte_fallback_step();
DecoderStepPtr make_metaspace_step(std::string replacement, bool drops_first);
DecoderStepPtr make_wordpiece_step(std::string prefix, bool cleanup);
DecoderStepPtr make_suffix_step(std::string suffix);  // BPEDecoder
DecoderStepPtr make_ctc_step(std::string pad, std::string delimiter, bool cleanup);

// Drops the spaces before English punctuation and endings.
std::string without_spaces_before_endings(std::string_view text);

}  // namespace hearth
