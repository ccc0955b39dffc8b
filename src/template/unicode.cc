#include "template/unicode.h"

#include <unicode/uchar.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <vector>

#include "base/utf8.h"

namespace hearth::jinja {
namespace {

bool all_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c < 0x80; });
}

char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

UNumericType numeric_type(char32_t c) {
  return static_cast<UNumericType>(
      u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NUMERIC_TYPE));
}

std::u16string to_utf16(std::string_view text) {
  std::u16string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    i += next.bytes;
    if (next.code >= 0x10000) {
      out += static_cast<char16_t>(0xD7C0 + (next.code >> 10));
      out += static_cast<char16_t>(0xDC00 + (next.code & 0x3FF));
    } else {
      out += static_cast<char16_t>(next.code);
    }
  }
  return out;
}

std::string to_utf8(std::u16string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    char32_t code = text[i];
    if (code >= 0xD800 && code < 0xDC00 && i + 1 < text.size()) {
      code = 0x10000 + ((code - 0xD800) << 10) + (text[++i] - 0xDC00);
    }
    append_utf8(out, code);
  }
  return out;
}

// Runs one of ICU's whole-string mappings (a character may become three).
template <class Map>
std::string map_text(std::string_view text, Map map) {
  std::u16string in = to_utf16(text);
  std::u16string out(in.size() * 3 + 8, u'\0');
  UErrorCode status = U_ZERO_ERROR;
  int32_t length = map(out.data(), static_cast<int32_t>(out.size()), in.data(),
                       static_cast<int32_t>(in.size()), &status);
  if (U_FAILURE(status)) return std::string(text);
  out.resize(static_cast<size_t>(length));
  return to_utf8(out);
}

// The title form of one character: its own where there is one, else its upper form.
std::string title_of(std::string_view character, char32_t code) {
  auto title = static_cast<char32_t>(u_totitle(static_cast<UChar32>(code)));
  std::string out;
  if (title != code) {
    append_utf8(out, title);
    return out;
  }
  std::string upper = to_upper(character);
  size_t first = upper.empty() ? 0 : decode_utf8(upper, 0).bytes;
  return upper.substr(0, first) + to_lower(std::string_view(upper).substr(first));
}

bool is_cased(char32_t c) { return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_CASED); }

}  // namespace

bool is_space(char32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_line_end(char32_t c) {
  return (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool is_alpha(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_L_MASK) != 0;
}

bool is_decimal(char32_t c) {
  return c < 0x80 ? c >= '0' && c <= '9' : numeric_type(c) == U_NT_DECIMAL;
}

int decimal_value(char32_t c) { return u_charDigitValue(static_cast<UChar32>(c)); }

bool is_digit(char32_t c) {
  return is_decimal(c) || (c >= 0x80 && numeric_type(c) == U_NT_DIGIT);
}

bool is_numeric(char32_t c) {
  return is_digit(c) || (c >= 0x80 && numeric_type(c) == U_NT_NUMERIC);
}

bool is_alnum(char32_t c) { return is_alpha(c) || is_numeric(c); }

bool is_lower(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z';
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_LOWERCASE);
}

bool is_upper(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z';
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_UPPERCASE);
}

bool is_title(char32_t c) { return c >= 0x80 && u_istitle(static_cast<UChar32>(c)); }

bool is_printable(char32_t c) {
  if (c < 0x80) return c >= 32 && c < 127;
  constexpr uint32_t kHidden = U_GC_C_MASK | U_GC_Z_MASK;
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & kHidden) == 0;
}

bool is_identifier_start(char32_t c) {
  if (c < 0x80) return is_alpha(c) || c == '_';
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_XID_START);
}

bool is_identifier_part(char32_t c) {
  if (c < 0x80) return is_alpha(c) || c == '_' || is_decimal(c);
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_XID_CONTINUE);
}

std::string to_upper(std::string_view text) {
  std::string out(text);
  if (!all_ascii(text)) {
    return map_text(text, [](auto* to, int32_t room, const auto* from, int32_t n, auto* status) {
      return u_strToUpper(to, room, from, n, "", status);
    });
  }
  std::ranges::transform(out, out.begin(), ascii_upper);
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  if (!all_ascii(text)) {
    return map_text(text, [](auto* to, int32_t room, const auto* from, int32_t n, auto* status) {
      return u_strToLower(to, room, from, n, "", status);
    });
  }
  std::ranges::transform(out, out.begin(), ascii_lower);
  return out;
}

std::string case_fold(std::string_view text) {
  if (all_ascii(text)) return to_lower(text);
  return map_text(text, [](auto* to, int32_t room, const auto* from, int32_t n, auto* status) {
    return u_strFoldCase(to, room, from, n, U_FOLD_CASE_DEFAULT, status);
  });
}

std::string title_case(std::string_view text) {
  std::string out;
  bool inside = false;
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    std::string_view character = text.substr(i, next.bytes);
    i += next.bytes;
    out += inside ? to_lower(character) : title_of(character, next.code);
    inside = is_cased(next.code);
  }
  return out;
}

std::string capitalize(std::string_view text) {
  if (text.empty()) return {};
  Decoded first = decode_utf8(text, 0);
  return title_of(text.substr(0, first.bytes), first.code) + to_lower(text.substr(first.bytes));
}

std::string swap_case(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    std::string_view character = text.substr(i, next.bytes);
    i += next.bytes;
    if (is_upper(next.code)) {
      out += to_lower(character);
    } else if (is_lower(next.code)) {
      out += to_upper(character);
    } else {
      out += character;
    }
  }
  return out;
}

std::string_view strip_left(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    Decoded next = decode_utf8(text, i);
    if (!next.valid || !is_space(next.code)) break;
    i += next.bytes;
  }
  return text.substr(i);
}

size_t last_character(std::string_view text) {
  size_t start = text.size() - 1;
  while (start > 0 && text.size() - start < 4 && (text[start] & 0xC0) == 0x80) --start;
  // Bytes that are no UTF-8 stand alone.
  return start + decode_utf8(text, start).bytes == text.size() ? start : text.size() - 1;
}

std::string_view strip_right(std::string_view text) {
  while (!text.empty()) {
    size_t start = last_character(text);
    Decoded last = decode_utf8(text, start);
    if (!last.valid || !is_space(last.code)) break;
    text = text.substr(0, start);
  }
  return text;
}

}  // namespace hearth::jinja
