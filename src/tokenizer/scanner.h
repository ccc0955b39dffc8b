// Scanners: the hottest pre-tokenizer patterns written by hand, about four times as fast as
// PCRE2's compiled ones, which remain their oracle (scanner_test.cc compares them on random text).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace hearth {

// The end of the word that starts at text[at]. REQUIRES: valid UTF-8, at < text.size() on a
// character. The words that follow one another this way cover the text without gaps.
using Scanner = size_t (*)(std::string_view text, size_t at);

// The scanner that does the work of these patterns one after the other (each isolating its
// matches in the pieces of the one before), or nullptr.
Scanner find_scanner(std::span<const std::string_view> patterns);

// Patterns that more than one file names, as their authors write them.
namespace patterns {

inline constexpr std::string_view kNewline = R"([\r\n])";
// White space at the end of a line, and the same, for pieces without newlines inside, with a guard
// that keeps the search linear where a run of spaces does not end the piece.
inline constexpr std::string_view kTrailingSpaceSlow = R"(\s+$)";
inline constexpr std::string_view kTrailingSpace = R"((?<!\s)\s+$)";
inline constexpr std::string_view kNumber = R"(\p{N})";
inline constexpr std::string_view kThreeDigits = "[0-9][0-9][0-9]";
inline constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+)"
    R"([\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+)"
    R"([\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+)"
    R"([\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

}  // namespace patterns
}  // namespace hearth
