#include "tokenizer/characters.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

namespace hearth {
namespace {

bool in_category(char32_t code, uint32_t mask) {
  return (U_GET_GC_MASK(static_cast<UChar32>(code)) & mask) != 0;
}

}  // namespace

bool is_white_space(char32_t code) {
  return u_hasBinaryProperty(static_cast<UChar32>(code), UCHAR_WHITE_SPACE);
}

bool is_word_character(char32_t code) {
  return u_hasBinaryProperty(static_cast<UChar32>(code), UCHAR_ALPHABETIC) ||
         in_category(code, U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK) || code == 0x200C ||
         code == 0x200D;
}

bool is_numeric(char32_t code) { return in_category(code, U_GC_N_MASK); }

bool is_punctuation(char32_t code) {
  if (code >= 0x80) return in_category(code, U_GC_P_MASK);
  return (code >= '!' && code <= '/') || (code >= ':' && code <= '@') ||
         (code >= '[' && code <= '`') || (code >= '{' && code <= '~');
}

bool is_mark(char32_t code) { return in_category(code, U_GC_M_MASK); }
bool is_nonspacing_mark(char32_t code) { return in_category(code, U_GC_MN_MASK); }

bool is_format_or_control(char32_t code) {
  return in_category(code, U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK);
}

bool is_chinese(char32_t code) {
  constexpr char32_t kBlocks[][2] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF},
                                     {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF},
                                     {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};
  if (code < 0x3400) return false;
  for (const auto& [low, high] : kBlocks)
    if (code >= low && code <= high) return true;
  return false;
}

int script_of(char32_t code) {
  if (code == ' ') return kAnyScript;
  if (code == 0x30FC) return USCRIPT_HAN;
  UErrorCode error = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(static_cast<UChar32>(code), &error);
  return script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA ? int{USCRIPT_HAN}
                                                                  : int{script};
}

}  // namespace hearth
