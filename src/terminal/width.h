// Widths of text on a terminal, in columns, and the borders of what a reader takes for one
// character (Unicode's extended grapheme clusters, UAX #29; widths after UAX #11).
#pragma once

#include <cstddef>
#include <string_view>

namespace hearth::terminal {

// 0 for marks, joiners and control characters, 2 for what East Asian fonts and emoji make wide,
// else 1.
int width_of(char32_t code);

// Of a text in UTF-8; control characters count nothing. A cluster is as wide as its base; emoji
// by variation selector and flags have two columns.
int width_of(std::string_view text);

// The end of the cluster that begins at `at`, and the beginning of the one that ends there.
// REQUIRES: `at` is a border of one; at most text.size(). At the ends of the text they give it.
size_t next_cluster(std::string_view text, size_t at);
size_t previous_cluster(std::string_view text, size_t at);

}  // namespace hearth::terminal
