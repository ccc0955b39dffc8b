#include "tokenizer/byte_level.h"

#include <array>
#include <charconv>

#include "base/utf8.h"

namespace hearth {
namespace {

constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<uint16_t, 256> codes{};
  std::array<int16_t, 0x144> bytes{};
  constexpr Alphabet() {
    bytes.fill(-1);
    uint16_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const auto code = stands_for_itself(byte) ? static_cast<uint16_t>(byte) : next++;
      codes[static_cast<size_t>(byte)] = code;
      bytes[code] = static_cast<int16_t>(byte);
    }
  }
};

constexpr Alphabet kAlphabet;

}  // namespace

char32_t byte_to_alphabet(uint8_t byte) { return kAlphabet.codes[byte]; }

int alphabet_to_byte(char32_t code) {
  return code < kAlphabet.bytes.size() ? kAlphabet.bytes[code] : -1;
}

void append_byte_level(std::string& out, std::string_view bytes) {
  for (const char c : bytes) append_utf8(out, byte_to_alphabet(static_cast<uint8_t>(c)));
}

bool append_from_byte_level(std::string& out, std::string_view entry) {
  const size_t before = out.size();
  for (size_t at = 0; at < entry.size();) {
    const Decoded decoded = decode_utf8(entry, at);
    const int byte = decoded.valid ? alphabet_to_byte(decoded.code) : -1;
    if (byte < 0) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(byte));
    at += decoded.bytes;
  }
  return true;
}

int byte_of_entry(std::string_view entry) {
  if (entry.size() != 6 || !entry.starts_with("<0x") || entry[5] != '>') return -1;
  int byte = -1;
  const char* end = entry.data() + 5;
  const auto [stop, error] = std::from_chars(entry.data() + 3, end, byte, 16);
  return error == std::errc{} && stop == end && byte >= 0 ? byte : -1;
}

}  // namespace hearth
