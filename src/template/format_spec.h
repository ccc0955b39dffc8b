// Spec: how a number or a text is laid out, as format() and the % operator read it.
#pragma once

#include <string>
#include <string_view>

#include "template/interp.h"

namespace hearth::jinja {

inline constexpr int64_t kPrecisionMax = 4096;

struct Spec {
  std::string fill = " ";
  char align = 0;  // < > = ^
  char sign = 0;   // + - or a blank, where one is given
  bool alternate = false;
  char group = 0;
  int64_t width = 0;
  int64_t precision = -1;
  char type = 0;
};

// A run of digits at text[at], or `none`. Python takes decimal digits of every script.
Result<int64_t> read_number(std::string_view text, size_t& at, int64_t none);
// The same for the % operator, which takes ASCII only.
Result<int64_t> read_ascii_number(std::string_view text, size_t& at, int64_t none);

// `text` on the spec's width; `prefix` (sign, 0x) stays in front where the fill goes between.
Result<std::string> pad(Interp& in, const Spec& spec, std::string prefix, std::string text,
                        char default_align);
Result<std::string> format_int(Interp& in, const Integer& value, const Spec& spec);
Result<std::string> format_float(Interp& in, double value, const Spec& spec);
Result<std::string> format_text(Interp& in, std::string_view text, const Spec& spec);

}  // namespace hearth::jinja
