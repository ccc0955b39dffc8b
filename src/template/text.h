// What the filters on text and the methods of strings share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "template/interp.h"

namespace hearth::jinja {

// Without the characters of `set` at the left or the right end.
std::string_view strip_set(std::string_view text, std::string_view set, bool left);

// str.replace; count < 0 replaces all.
Result<Rendered> replace_text(Interp& in, const Value& text, std::string_view from,
                              const Value& to, int64_t count);

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

// Words between white space; at most `count` splits where it is not negative.
std::vector<std::string_view> split_blanks(std::string_view text, int64_t count);
std::vector<std::string_view> rsplit_blanks(std::string_view text, int64_t count);

// On `width` characters with `fill` (one character); '<' adds to the right, '>' to the left.
Result<std::string> justify(Interp& in, const Value& text, int64_t width, std::string_view fill,
                            char align);

}  // namespace hearth::jinja
