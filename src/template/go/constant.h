// Go's constants as they are written: strings with their escapes, characters, numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::gotmpl {

// The text of a quoted or raw string with its quotes; nullopt where an escape is wrong.
std::optional<std::string> unquote(std::string_view quoted);

// The character of a constant with its quotes.
std::optional<int64_t> unquote_char(std::string_view quoted);

struct Number {
  enum class Kind : uint8_t { kInteger, kFloat, kOverflow, kImaginary } kind = Kind::kInteger;
  int64_t integer = 0;
  double number = 0;
};

// What a number is where nothing asks for a type: an int, or a float64 where it is written as
// one. nullopt for what is no number or too large for both.
std::optional<Number> parse_number(std::string_view text);

}  // namespace hearth::gotmpl
