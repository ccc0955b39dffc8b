#include "template/go/quote.h"

#include <fmt/format.h>

#include "base/utf8.h"
#include "template/go/value.h"
#include "template/unicode.h"

namespace hearth::gotmpl {
namespace {

struct Rune {
  char32_t code;
  std::string_view bytes;
  bool valid;
};

// Calls each(rune, foreign) for the characters of a text; a byte that is no UTF-8 is one by itself.
template <class Each>
void for_runes(const Rendered& text, Each each) {
  ForeignCursor cursor(text);
  std::string_view bytes = text.text;
  for (size_t i = 0; i < bytes.size();) {
    Decoded one = decode_utf8(bytes, i);
    size_t size = one.valid ? one.bytes : 1;
    each(Rune{one.code, bytes.substr(i, size), one.valid}, cursor.at(i));
    i += size;
  }
}

std::string hex_escape(char32_t code) {
  uint32_t c = code;
  if (c < ' ' || c == 0x7F) return fmt::format("\\x{:02x}", c);
  return c < 0x10000 ? fmt::format("\\u{:04x}", c) : fmt::format("\\U{:08x}", c);
}

std::string escaped_rune(char32_t code, char quote, bool ascii_only) {
  if (code == static_cast<unsigned char>(quote) || code == '\\')
    return {'\\', static_cast<char>(code)};
  bool shows = ascii_only ? code >= ' ' && code < 0x7F : jinja::is_printable(code);
  if (shows) {
    std::string out;
    append_utf8(out, code);
    return out;
  }
  static constexpr std::string_view kControls = "\a\b\f\n\r\t\v", kLetters = "abfnrtv";
  if (code < ' ') {
    size_t at = kControls.find(static_cast<char>(code));
    if (at != std::string_view::npos) return {'\\', kLetters[at]};
  }
  return hex_escape(code);
}

std::string json_rune(const Rune& rune) {
  char32_t c = rune.code;
  if (!rune.valid) return "\\ufffd";
  if (c == '"' || c == '\\') return {'\\', static_cast<char>(c)};
  if (c == '\b') return "\\b";
  if (c == '\f') return "\\f";
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  bool escapes = c < ' ' || c == '<' || c == '>' || c == '&' || c == 0x2028 || c == 0x2029;
  return escapes ? fmt::format("\\u{:04x}", static_cast<uint32_t>(c)) : std::string(rune.bytes);
}

std::string js_rune(const Rune& rune) {
  char32_t c = rune.code;
  switch (c) {
    case '\\': return "\\\\";
    case '\'': return "\\'";
    case '"': return "\\\"";
    case '<': case '>': case '&': case '=':
      return fmt::format("\\u{:04X}", static_cast<uint32_t>(c));
    default: break;
  }
  if (c < ' ') return fmt::format("\\u{:04X}", static_cast<uint32_t>(c));
  if (c < 0x80 || jinja::is_printable(c)) return std::string(rune.bytes);
  return fmt::format("\\u{:04X}", static_cast<uint32_t>(c));
}

std::string_view html_of(char c) {
  switch (c) {
    case '\0': return "\xEF\xBF\xBD";
    case '"': return "&#34;";
    case '\'': return "&#39;";
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    default: return {};
  }
}

// Text of every byte by a function of the byte.
template <class Each>
void for_bytes(Sink& out, const Rendered& text, Each each) {
  ForeignCursor cursor(text);
  for (size_t i = 0; i < text.text.size() && !out.spent(); ++i)
    out.put(each(text.text[i]), cursor.at(i));
}

}  // namespace

void append_quoted(Sink& out, const Rendered& text, bool ascii_only) {
  out.put("\"", false);
  for_runes(text, [&](const Rune& rune, bool foreign) {
    if (rune.valid) out.put(escaped_rune(rune.code, '"', ascii_only), foreign);
    else out.put(fmt::format("\\x{:02x}", static_cast<uint8_t>(rune.bytes[0])), foreign);
  });
  out.put("\"", false);
}

std::string quoted_rune(char32_t code, bool ascii_only) {
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = kReplacement;
  return "'" + escaped_rune(code, '\'', ascii_only) + "'";
}

bool can_be_raw(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    Decoded one = decode_utf8(text, i);
    if (!one.valid || one.code == 0xFEFF || one.code == '`' || one.code == 0x7F ||
        (one.code < ' ' && one.code != '\t'))
      return false;
    i += one.bytes;
  }
  return true;
}

void append_json_text(Sink& out, const Rendered& text) {
  out.put("\"", false);
  for_runes(text, [&](const Rune& rune, bool foreign) { out.put(json_rune(rune), foreign); });
  out.put("\"", false);
}

void escape_html(Sink& out, const Rendered& text) {
  for_bytes(out, text, [](const char& c) {
    std::string_view escaped = html_of(c);
    return escaped.empty() ? std::string_view(&c, 1) : escaped;
  });
}

void escape_js(Sink& out, const Rendered& text) {
  for_runes(text, [&](const Rune& rune, bool foreign) { out.put(js_rune(rune), foreign); });
}

void escape_query(Sink& out, const Rendered& text) {
  for_bytes(out, text, [](char c) -> std::string {
    if (c == ' ') return "+";
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '_' || c == '.' || c == '~';
    return plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<uint8_t>(c));
  });
}

}  // namespace hearth::gotmpl
