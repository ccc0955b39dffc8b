#include "base/utf8.h"

namespace hearth {
namespace {

// What may follow a lead byte: how many bytes in all, and the range of the second one.
struct Lead {
  uint8_t bytes, second_min, second_max;
};

constexpr Lead lead_of(uint8_t b) {
  if (b < 0x80) return {1, 0, 0};
  if (b < 0xC2) return {0, 0, 0};
  if (b < 0xE0) return {2, 0x80, 0xBF};
  if (b == 0xE0) return {3, 0xA0, 0xBF};
  if (b == 0xED) return {3, 0x80, 0x9F};
  if (b < 0xF0) return {3, 0x80, 0xBF};
  if (b == 0xF0) return {4, 0x90, 0xBF};
  if (b < 0xF4) return {4, 0x80, 0xBF};
  if (b == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// How many bytes at `offset` follow the table, and how many the character needs (0: none can).
struct Scan {
  uint8_t good, needed;
};

Scan scan(std::string_view text, size_t offset) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[offset + i]); };
  Lead lead = lead_of(byte(0));
  uint8_t good = 1;
  while (good < lead.bytes && offset + good < text.size()) {
    uint8_t low = good == 1 ? lead.second_min : 0x80, high = good == 1 ? lead.second_max : 0xBF;
    if (byte(good) < low || byte(good) > high) break;
    ++good;
  }
  return {good, lead.bytes};
}

}  // namespace

Decoded decode_utf8(std::string_view text, size_t offset) {
  if (offset >= text.size()) return {kReplacement, 0, false};
  Scan s = scan(text, offset);
  if (s.needed == 0 || s.good < s.needed) return {kReplacement, s.good, false};
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[offset + i]); };
  if (s.needed == 1) return {byte(0), 1, true};
  char32_t code = byte(0) & (0xFF >> (s.needed + 1));
  for (size_t i = 1; i < s.needed; ++i) code = (code << 6) | (byte(i) & 0x3F);
  return {code, s.needed, true};
}

void append_utf8(std::string& out, char32_t code) {
  if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = kReplacement;
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

bool is_valid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    if (static_cast<uint8_t>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    Scan s = scan(text, i);
    if (s.needed == 0 || s.good < s.needed) return false;
    i += s.good;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    Decoded d = decode_utf8(text, i);
    append_utf8(out, d.code);
    i += d.bytes;
  }
  return out;
}

std::vector<char32_t> to_code_points(std::string_view text) {
  std::vector<char32_t> out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    Decoded d = decode_utf8(text, i);
    out.push_back(d.code);
    i += d.bytes;
  }
  return out;
}

size_t incomplete_utf8_tail(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    size_t at = text.size() - back;
    uint8_t b = static_cast<uint8_t>(text[at]);
    if (b < 0x80) return 0;
    if (b >= 0xC0) {
      Scan s = scan(text, at);
      return s.needed > back && s.good == back ? back : 0;
    }
  }
  return 0;
}

std::string Utf8Stream::push(std::string_view bytes) {
  pending_.append(bytes);
  size_t tail = incomplete_utf8_tail(pending_);
  std::string out = replace_invalid_utf8(
      std::string_view(pending_).substr(0, pending_.size() - tail));
  pending_.erase(0, pending_.size() - tail);
  return out;
}

std::string Utf8Stream::finish() {
  std::string out = replace_invalid_utf8(pending_);
  pending_.clear();
  return out;
}

}  // namespace hearth
