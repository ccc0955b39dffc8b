#include "tokenizer/digit_groups.h"

#include <unicode/uchar.h>

#include "base/utf8.h"

namespace hearth {
namespace {

bool is_digit(char32_t code) {
  return code < 0x80 ? code >= '0' && code <= '9' : u_isdigit(static_cast<UChar32>(code)) != 0;
}

// A word character in the sense of Oniguruma's \b; of the numbers that are no decimal digits it
// takes those of Latin-1.
bool is_word(char32_t code) {
  const auto point = static_cast<UChar32>(code);
  if (code < 0x100 && u_charType(point) == U_OTHER_NUMBER) return true;
  return u_hasBinaryProperty(point, UCHAR_ALPHABETIC) || u_isdigit(point) ||
         (U_GET_GC_MASK(point) & (U_GC_M_MASK | U_GC_PC_MASK)) != 0;
}

struct Run {
  size_t end = 0, digits = 0;
};

Run run_from(std::string_view text, size_t at) {
  Run run{at, 0};
  while (run.end < text.size()) {
    const Decoded c = decode_utf8(text, run.end);
    if (!is_digit(c.code)) break;
    run.end += c.bytes;
    ++run.digits;
  }
  return run;
}

}  // namespace

std::optional<DigitGroups> find_digit_groups(std::string_view pattern) {
  if (pattern == patterns::kGroupCuts) return DigitGroups::kCuts;
  if (pattern == patterns::kGroupsOfWords) return DigitGroups::kWholeWords;
  if (pattern == patterns::kGroupsIsolated) return DigitGroups::kIsolated;
  return std::nullopt;
}

void cut_digit_groups(std::string_view text, DigitGroups groups,
                      const std::function<void(size_t begin, size_t end)>& piece) {
  size_t open = 0;
  const auto cut = [&](size_t at) {
    if (at > open) piece(open, at);
    open = at;
  };
  for (size_t at = 0; at < text.size();) {
    const Decoded c = decode_utf8(text, at);
    if (!is_digit(c.code)) {
      at += c.bytes;
      continue;
    }
    const Run run = run_from(text, at);
    const bool followed = run.end < text.size() && is_word(decode_utf8(text, run.end).code);
    if (groups == DigitGroups::kWholeWords && followed) {
      at = run.end;
      continue;
    }
    if (groups != DigitGroups::kCuts) cut(at);
    for (size_t left = run.digits; left > 0; --left) {
      if (left % 3 == 0) cut(at);
      at += decode_utf8(text, at).bytes;
    }
    if (groups != DigitGroups::kCuts) cut(run.end);
  }
  cut(text.size());
}

}  // namespace hearth
