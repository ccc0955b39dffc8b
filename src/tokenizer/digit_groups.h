// Digits in groups of three, counted from the right. The patterns that say so look ahead over the
// whole run of digits at each of its places, which is quadratic; here the run is counted once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace hearth {

enum class DigitGroups : uint8_t {
  kCuts,        // cuts before each group that is followed by whole groups only
  kIsolated,    // the same, and the run is cut off from what is around it
  kWholeWords,  // kIsolated, for runs that no word character follows; other runs stay as they are
};

// What a pattern means if it is one of those, else nothing.
std::optional<DigitGroups> find_digit_groups(std::string_view pattern);

// The pieces of `text` (valid UTF-8) in order, none of them empty.
void cut_digit_groups(std::string_view text, DigitGroups groups,
                      const std::function<void(size_t begin, size_t end)>& piece);

namespace patterns {

inline constexpr std::string_view kGroupCuts = R"((?=(\d{3})+(?!\d)))";
inline constexpr std::string_view kGroupsOfWords = R"(\d{1,3}(?=(?:\d{3})*\b))";
inline constexpr std::string_view kGroupsIsolated = R"(\p{Nd}{1,3}(?=(?:\p{Nd}{3})*(?!\p{Nd})))";

}  // namespace patterns
}  // namespace hearth
