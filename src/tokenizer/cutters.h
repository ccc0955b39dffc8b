// Ways to cut a text that no pattern and no set of characters says. Immutable; any thread may call.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "tokenizer/digit_groups.h"

namespace hearth {

using PieceSink = std::function<void(size_t begin, size_t end)>;
// Hands over the pieces of a text (valid UTF-8) in order, none of them empty; what no piece covers
// is dropped.
using Cutter = std::function<void(std::string_view text, const PieceSink& piece)>;

Cutter cut_by_digit_groups(DigitGroups groups);
Cutter cut_by_length(size_t characters);  // REQUIRES: characters > 0
// Stretches of one script; spaces belong to what is before them, and at the front to nothing.
Cutter cut_by_script();
// Stretches of word characters, and of characters that are neither that nor white space.
Cutter cut_words();

}  // namespace hearth
