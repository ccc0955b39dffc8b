// Characters as Python's str sees them. ICU holds the tables; ASCII never asks it.
#pragma once

#include <string>
#include <string_view>

namespace hearth::jinja {

bool is_space(char32_t c);  // str.isspace, and \s of a pattern
bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
int decimal_value(char32_t c);  // REQUIRES: is_decimal(c)
bool is_digit(char32_t c);
bool is_numeric(char32_t c);
bool is_alnum(char32_t c);
bool is_lower(char32_t c);
bool is_upper(char32_t c);
bool is_title(char32_t c);
bool is_printable(char32_t c);  // repr() shows it as it is
bool is_identifier_start(char32_t c);
bool is_identifier_part(char32_t c);
bool is_line_end(char32_t c);  // str.splitlines ends a line here

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string case_fold(std::string_view text);
std::string title_case(std::string_view text);  // str.title()
std::string capitalize(std::string_view text);
std::string swap_case(std::string_view text);

// Where the last character begins. REQUIRES: not empty.
size_t last_character(std::string_view text);

// Without the white space at the start or the end.
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);

}  // namespace hearth::jinja
