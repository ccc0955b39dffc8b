// UTF-8 as Unicode 15 table 3-7 has it: no surrogates, nothing above U+10FFFF, no overlong forms.
// Invalid bytes are handled one "maximal subpart" at a time, as web browsers and Python's
// errors="replace" do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

inline constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t code;  // kReplacement where the bytes are invalid
  uint8_t bytes;  // bytes consumed, 1..4; 0 only at the end of the text
  bool valid;
};

// The character that starts at text[offset].
Decoded decode_utf8(std::string_view text, size_t offset);

void append_utf8(std::string& out, char32_t code);
bool is_valid_utf8(std::string_view text);
std::string replace_invalid_utf8(std::string_view text);
std::vector<char32_t> to_code_points(std::string_view text);  // invalid bytes as U+FFFD

// How many bytes at the end of `text` begin a character that more bytes could complete (0..3).
size_t incomplete_utf8_tail(std::string_view text);

// Turns a stream of byte pieces into a stream of whole characters: bytes of an unfinished
// character wait for the rest; bytes that can no longer become a character are emitted as U+FFFD.
class Utf8Stream {
 public:
  std::string push(std::string_view bytes);
  std::string finish();  // what still waits, as U+FFFD

 private:
  std::string pending_;
};

}  // namespace hearth
