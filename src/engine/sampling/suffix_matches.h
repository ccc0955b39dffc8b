// Where the end of a sequence was seen before.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace hearth {

// For each index i: how many tokens just before i are equal to as many at the end of the sequence.
// In linear time: the Z function of the sequence read backwards (Gusfield, "Algorithms on Strings,
// Trees, and Sequences", 1997).
std::vector<int32_t> suffix_matches(std::span<const TokenId> tokens);

}  // namespace hearth
