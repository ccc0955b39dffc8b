// Decoder: from the entries that ids stand for back to text, as the member "decoder" of a
// tokenizer.json says: a list of steps, each of which turns a row of tokens into another. Steps
// read tokens one after the other and keep what they cannot decide yet, so that the pieces of a
// stream put together are the decoding of the whole. Immutable once made; a DecoderRun is one
// stream.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/decoder_step.h"

namespace hearth {

class Decoder {
 public:
  // null: tokens are put together with spaces between them. kUnsupported names a kind that we lack.
  static Result<Decoder> from_json(const Json& json);
  // Drops spaces before punctuation and English endings, as transformers does to a decoded text
  // where tokenizer_config.json says "clean_up_tokenization_spaces".
  void add_cleanup();

  static constexpr size_t kStepsMax = 64;

 private:
  friend class DecoderRun;
  Result<void> add_json(const Json& json, int depth);

  std::vector<std::shared_ptr<const DecoderStep>> steps_;
};

// One stream of tokens. The Decoder must outlive it.
class DecoderRun {
 public:
  // `middle`: other tokens came before the first.
  DecoderRun(const Decoder& decoder, bool middle);
  DecoderRun(const DecoderRun&) = delete;
  DecoderRun& operator=(const DecoderRun&) = delete;
  // Appends what is certain after one more token.
  void push(std::string_view token, std::string& out);
  // Appends the rest. `middle`: other tokens would follow.
  void finish(bool middle, std::string& out);

  static constexpr size_t kGrowthMax = size_t{1} << 22;

 private:
  size_t growth_left_ = kGrowthMax;
  DecoderSink sink_;
  std::vector<std::unique_ptr<DecoderStage>> stages_;  // last one first
};

}  // namespace hearth
