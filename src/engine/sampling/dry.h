// Sequence breakers of the DRY step: texts (a newline, a quote) over which no repeated passage is
// followed, as the token sequences that may spell them.
#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "tokenizer/tokenizer.h"

namespace hearth {

// A token that holds a breaker, or begins one, and what must follow it: nothing, or the tokens of
// the rest. At most kDryTailMax tokens, so that looking for them stays linear.
using DryBreakers = std::unordered_map<TokenId, std::vector<std::vector<TokenId>>>;
inline constexpr size_t kDryTailMax = 20;

// Walks the vocabulary once per text. kTooLarge for more than 64 texts; of a text only the first
// 40 bytes count, empty ones do not.
Result<DryBreakers> dry_breakers(const Tokenizer& tokenizer, std::span<const std::string> texts);

}  // namespace hearth
