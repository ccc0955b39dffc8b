// The member "pre_tokenizer" of a tokenizer.json.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/pre_tokenizer.h"

namespace hearth {

struct PreTokenizerPart {
  PreTokenizer steps;                 // not finished yet
  std::vector<std::string> patterns;  // of the splits, in order
};

// null: a text is one word. kUnsupported, naming the type, for pre-tokenizers that we lack.
Result<PreTokenizerPart> read_pre_tokenizer(const Json& json);

}  // namespace hearth
