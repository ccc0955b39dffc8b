// Members of a tokenizer.json that say how text is cut before the model and put together after it.
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace hearth {

struct PreTokenizerPart {
  PreTokenizer steps;  // not finished yet
  std::vector<std::string> patterns;  // of the splits, in order
  bool byte_level = false;
};

// kUnsupported, naming the type, for pre-tokenizers that we lack.
Result<PreTokenizerPart> read_pre_tokenizer(const Json& json);

struct DecoderPart {
  bool byte_level = false;
  bool unescape_spaces = false;
  bool strips_leading_space = false;
};

Result<DecoderPart> read_decoder(const Json& json);

// The ids that the post-processor puts before and after a single text.
Result<void> read_post_processor(const Json& json, Vocabulary& vocabulary);

}  // namespace hearth
