// Numbers as Go's fmt and strconv print them, byte for byte. Algorithm: the shortest digits (or
// so many) come from std::to_chars, which rounds exactly; the layout around them is Go's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::gotmpl {

// The flags of one verb of printf: "%+08.3f".
struct FormatFlags {
  bool has_width = false, has_precision = false;
  bool minus = false, plus = false, sharp = false, space = false, zero = false;
  bool plus_v = false, sharp_v = false;  // %+v and %#v
  int width = 0, precision = 0;          // 0 to 1,000,000
};

// strconv.FormatFloat with 64 bits: format is one of b e E f g G x X; precision -1 for the
// shortest text that reads back as the same number.
std::string format_float(double value, char format, int precision);

// A float as a verb prints it, padded. `precision` is the verb's own where the flags have none.
std::string float_text(const FormatFlags& flags, double value, char verb, int precision);

// An integer: base 2, 8, 10 or 16.
std::string integer_text(const FormatFlags& flags, uint64_t value, int base, bool is_signed,
                         char32_t verb, bool upper);

std::string unicode_text(const FormatFlags& flags, uint64_t value);  // %U: U+0041 'A'

// The padding of a text of so many characters; empty where it is as wide already.
std::string padding(const FormatFlags& flags, size_t characters);
std::string padded(const FormatFlags& flags, std::string_view text);
size_t count_runes(std::string_view text);

}  // namespace hearth::gotmpl
