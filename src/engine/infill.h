// Fill in the middle: what a model that was trained for it puts around the text before a gap and
// the text after it.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "container/metadata.h"
#include "tokenizer/tokenizer.h"

namespace hearth {

struct InfillTokens {
  TokenId prefix = -1, suffix = -1, middle = -1;
  // Tokens that end the middle besides the model's own: those above and the file separators.
  std::vector<TokenId> ends;
  bool suffix_first = false;  // Mistral's models take the suffix before the prefix
};

// From the keys tokenizer.ggml.fim_*_token_id (or the older prefix_token_id and so on), else from
// the names that models of the field give these tokens. kUnsupported when one of the three is
// missing.
Result<InfillTokens> infill_tokens(const Tokenizer& tokenizer, const Metadata& metadata);

// The whole prompt: BOS where the model uses one, the marks, and the two texts as plain text.
std::vector<TokenId> infill_prompt(const Tokenizer& tokenizer, const InfillTokens& tokens,
                                   std::string_view before, std::string_view after);

}  // namespace hearth
