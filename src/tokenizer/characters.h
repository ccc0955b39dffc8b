// What characters are to Hugging Face's tokenizers: the sets that its steps ask for, by ICU's
// tables. U+0130's small form is the only one of two characters.
#pragma once

#include <cstdint>

namespace hearth {

bool is_white_space(char32_t code);  // White_Space
bool is_word_character(char32_t code);  // \w: Alphabetic, M, Nd, Pc, Join_Control
bool is_numeric(char32_t code);         // Nd, Nl, No
bool is_punctuation(char32_t code);     // P, and ASCII's $+<=>^`|~
bool is_mark(char32_t code);            // Mn, Mc, Me
bool is_nonspacing_mark(char32_t code);  // Mn
bool is_format_or_control(char32_t code);  // Cc, Cf, Co
bool is_chinese(char32_t code);            // the blocks that BERT puts spaces around

// The script as Hugging Face's UnicodeScripts groups them: Hiragana, Katakana and U+30FC count as
// Han; kAnyScript, which joins what is before it, is the space.
inline constexpr int kAnyScript = -1;
int script_of(char32_t code);

}  // namespace hearth
