// Filters on text.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "template/interp.h"
#include "template/text.h"
#include "template/unicode.h"

namespace hearth::jinja {
namespace {

// What soft_str() makes of the subject: text stays what it is, all else is printed.
Result<Value> soft(Call& call) { return as_string(call.in, call.self); }

Result<Value> mapped(Call& call, std::string (*map)(std::string_view)) {
  Value text = TRY(soft(call));
  call.in.heap.spend(text.text().size() / 8);
  return call.in.string(map(text.text()), text.is_markup());
}

Result<Value> upper(Call& call) { return mapped(call, to_upper); }
Result<Value> lower(Call& call) { return mapped(call, to_lower); }
Result<Value> capitalized(Call& call) { return mapped(call, capitalize); }

// A word begins after blanks, dashes and opening brackets.
Result<Value> title(Call& call) {
  Value subject = TRY(soft(call));
  const std::string& text = subject.text();
  call.in.heap.spend(text.size());
  TRY(call.in.check());
  std::string out;
  auto breaks = [](char32_t c) {
    return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    bool gap = breaks(decode_utf8(text, i).code);
    while (end < text.size() && breaks(decode_utf8(text, end).code) == gap) {
      end += decode_utf8(text, end).bytes;
    }
    std::string_view part = std::string_view(text).substr(i, end - i);
    size_t first = decode_utf8(part, 0).bytes;
    out += to_upper(part.substr(0, first)) + to_lower(part.substr(first));
    i = end;
  }
  return call.in.string(std::move(out));
}

Result<Value> trim(Call& call) {
  Value subject = TRY(soft(call));
  std::string_view text = subject.text();
  if (call.has(0) && !call.arg[0].is_none()) {
    std::string_view set = TRY(call.text(0));
    text = strip_set(strip_set(text, set, true), set, false);
  } else {
    text = strip_left(strip_right(text));
  }
  return call.in.part(subject, text);
}

Result<Value> replace(Call& call) {
  Value text = TRY(soft(call));
  std::string from = TRY(to_str(call.in, call.arg[0]));
  Value to = TRY(as_string(call.in, call.arg[1]));
  int64_t count = call.arg[2].is_none() ? -1 : TRY(call.integer(2, -1));
  return call.in.marked(TRY(replace_text(call.in, text, from, to, count)));
}

Result<Value> indent(Call& call) {
  if (call.self.is_undefined()) return undefined_error(call.self);
  if (!call.self.is_string()) return type_error("indent wants a string");
  std::string by;
  if (call.has(0) && call.arg[0].is_string()) {
    by = call.arg[0].text();
  } else {
    int64_t width = TRY(call.integer(0, 4));
    if (width > (1 << 20)) return fail(Code::kTooLarge, "indent is too wide");
    by.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  }
  std::string text = call.self.text() + "\n";
  std::string out = call.truth(1, false) ? by : "";
  bool blank = call.truth(2, false), first = true;
  for (std::string_view line : split_lines(text, false)) {
    if (!first) {
      out += '\n';
      if (blank || !line.empty()) out += by;
    }
    first = false;
    out += line;
    TRY(call.in.fits(out.size()));
  }
  return call.in.string(std::move(out), call.self.is_markup());
}

Result<Value> string(Call& call) { return soft(call); }

Result<Value> safe(Call& call) {
  Rendered out;
  TRY(append_value(call.in, out, call.self));
  return call.in.marked(std::move(out), true);
}

Result<Value> escape(Call& call) {
  if (call.self.is_markup()) return call.self;
  if (call.self.is_string()) call.in.heap.spend(call.self.text().size() / 8);
  return call.in.string(escape_html(TRY(to_str(call.in, call.self))), true);
}

Result<Value> force_escape(Call& call) {
  return call.in.string(escape_html(TRY(to_str(call.in, call.self))), true);
}

std::string quote_url(std::string_view text, bool query) {
  std::string out;
  for (char c : text) {
    bool plain = is_alnum(static_cast<unsigned char>(c)) && static_cast<unsigned char>(c) < 0x80;
    if (plain || c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !query)) {
      out += c;
    } else if (c == ' ' && query) {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Result<Value> urlencode(Call& call) {
  const Value& self = call.self;
  bool walks = self.is_sequence() || self.is_dict() || self.is(Type::kIterator) ||
               self.is(Type::kView) || self.is(Type::kRange) || self.is_undefined();
  if (!walks) return call.in.string(quote_url(TRY(to_str(call.in, self)), false));
  Value source = self;
  if (self.is_dict()) source = Value(call.in.heap.make<View>(0, self, View::Kind::kItems));
  std::string out;
  for (const Value& pair : TRY(call.in.to_vector(source))) {
    std::vector<Value> parts = TRY(call.in.to_vector(pair));
    if (parts.size() != 2) return fail(Code::kInvalid, "urlencode wants pairs");
    if (!out.empty()) out += '&';
    out += quote_url(TRY(to_str(call.in, parts[0])), true) + '=';
    out += quote_url(TRY(to_str(call.in, parts[1])), true);
  }
  return call.in.string(std::move(out));
}

Result<Value> wordcount(Call& call) {
  Value subject = TRY(soft(call));
  const std::string& text = subject.text();
  int64_t count = 0;
  bool inside = false;
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    i += next.bytes;
    bool word = next.code == '_' || is_alnum(next.code);
    count += word && !inside;
    inside = word;
  }
  return Value::integer(count);
}

// The template of a format: {{ "%s, %s" | format(a, b) }}.
Result<Value> format(Call& call) {
  Value subject = TRY(soft(call));
  if (!call.raw.positional.empty() && !call.raw.named.empty()) {
    return fail(Code::kInvalid, "format takes positions or names, not both");
  }
  Value values = call.in.tuple(call.raw.positional);
  if (!call.raw.named.empty()) {
    values = Value(call.in.new_dict());
    for (auto& [name, value] : call.raw.named) values.as<Dict>().set(name, value);
  }
  return call.in.marked(TRY(percent_format(call.in, subject, values)), subject.is_markup());
}

Result<Value> truncate(Call& call) {
  int64_t length = TRY(call.integer(0, 255));
  std::string end(TRY(call.text(2, "...")));
  int64_t leeway = call.arg[3].is_none() ? 5 : TRY(call.integer(3, 5));
  auto end_length = static_cast<int64_t>(to_code_points(end).size());
  if (length < end_length || leeway < 0) return fail(Code::kInvalid, "truncate: length too short");
  int64_t size = TRY(call.in.length(call.self));
  if (size <= length || size - length <= leeway) return call.self;
  if (!call.self.is_string()) return type_error("truncate wants a string");
  Value cut = TRY(call.in.slice(call.self, Value(), Value::integer(length - end_length), Value()));
  std::string text = cut.text();
  if (!call.truth(1, false)) {
    if (size_t space = text.rfind(' '); space != std::string::npos) text.resize(space);
  }
  return call.in.string(text + end);
}

Result<Value> center(Call& call) {
  Value subject = TRY(soft(call));
  return call.in.string(TRY(justify(call.in, subject, TRY(call.integer(0, 80)), " ", '^')),
                        subject.is_markup());
}

// Without comments and tags; the first one that does not end ends the search.
std::string without_tags(std::string_view text) {
  std::string out;
  size_t at = 0;
  for (size_t start; (start = text.find('<', at)) != std::string_view::npos;) {
    bool comment = text.substr(start).starts_with("<!--");
    size_t end = comment ? find_text(text, "-->", start + 4) : text.find('>', start);
    if (end == std::string_view::npos) break;
    out += text.substr(at, start - at);
    at = end + (comment ? 3 : 1);
  }
  return out + std::string(text.substr(at));
}

// The character of an entity that starts at text[at], which moves behind it; 0 where there is none.
char32_t entity(std::string_view text, size_t& at) {
  constexpr std::pair<std::string_view, char32_t> kNamed[] = {
      {"lt;", '<'}, {"gt;", '>'}, {"amp;", '&'}, {"quot;", '"'}, {"apos;", '\''}, {"nbsp;", 0xA0}};
  std::string_view rest = text.substr(at + 1, 12);
  for (const auto& [name, code] : kNamed) {
    if (!rest.starts_with(name)) continue;
    at += 1 + name.size();
    return code;
  }
  if (!rest.starts_with('#')) return 0;
  bool hex = rest.size() > 1 && (rest[1] == 'x' || rest[1] == 'X');
  std::string_view digits = rest.substr(hex ? 2 : 1);
  uint32_t code = 0;
  auto read = std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
  bool valid = read.ec == std::errc{} && code != 0 && code <= 0x10FFFF;
  if (!valid) return 0;
  size_t end = static_cast<size_t>(read.ptr - text.data());
  at = end + (text.substr(end).starts_with(';') ? 1 : 0);
  return code;
}

// Tags and comments go, runs of blanks become one, entities are read.
Result<Value> striptags(Call& call) {
  std::string text = TRY(to_str(call.in, call.self));
  call.in.heap.spend(text.size() / 8);
  TRY(call.in.fits(text.size() * 2));
  text = without_tags(text);
  std::string words, out;
  for (std::string_view word : split_blanks(text, -1)) {
    if (!words.empty()) words += ' ';
    words += word;
  }
  for (size_t i = 0; i < words.size();) {
    char32_t code = words[i] == '&' ? entity(words, i) : 0;
    if (code) append_utf8(out, code);
    else out += words[i++];
  }
  return call.in.string(std::move(out));
}

Result<Value> xmlattr(Call& call) {
  if (!call.self.is_dict()) return type_error("xmlattr wants a mapping");
  std::string out;
  for (const auto& [key, value] : call.self.dict().entries) {
    if (value.is_none() || value.is_undefined()) continue;
    std::string name = TRY(to_str(call.in, key));
    if (name.find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
      return fail(Code::kInvalid, "invalid character in attribute name");
    }
    std::string text = TRY(to_str(call.in, value));
    if (!value.is_markup()) text = escape_html(text);
    out += (out.empty() ? "" : " ") + escape_html(name) + "=\"" + text + '"';
  }
  if (call.truth(0, true) && !out.empty()) out.insert(0, " ");
  return call.in.string(std::move(out));
}

Result<Value> filesizeformat(Call& call) {
  double bytes = 0;
  if (call.self.is_number()) {
    bytes = TRY(real_of(call.self));
  } else {
    auto parsed = call.self.is_string() ? parse_float(call.self.text()) : std::nullopt;
    if (!parsed) return type_error("filesizeformat wants a number");
    bytes = *parsed;
  }
  bool binary = call.truth(0, false);
  double base = binary ? 1024 : 1000;
  if (bytes == 1) return call.in.string("1 Byte");
  if (bytes < base) return call.in.string(fmt::format("{} Bytes", static_cast<int64_t>(bytes)));
  constexpr std::string_view kLetters = "kMGTPEZY";
  double unit = base;
  for (size_t i = 0; i < kLetters.size(); ++i) {
    unit *= base;
    if (bytes >= unit && i + 1 < kLetters.size()) continue;
    std::string prefix(1, binary && i == 0 ? 'K' : kLetters[i]);
    return call.in.string(
        fmt::format("{:.1f} {}{}", base * bytes / unit, prefix, binary ? "iB" : "B"));
  }
  return call.self;
}

constexpr Builtin kRows[] = {
    {"upper", upper},
    {"lower", lower},
    {"capitalize", capitalized},
    {"title", title},
    {"trim", trim, 0, {"chars"}},
    {"replace", replace, 2, {"old", "new", "count"}},
    {"indent", indent, 0, {"width", "first", "blank"}},
    {"string", string},
    {"safe", safe},
    {"escape", escape},
    {"e", escape},
    {"forceescape", force_escape},
    {"urlencode", urlencode},
    {"wordcount", wordcount},
    {"format", format, 0, {}, Take::kAny},
    {"truncate", truncate, 0, {"length", "killwords", "end", "leeway"}},
    {"center", center, 0, {"width"}},
    {"striptags", striptags},
    {"xmlattr", xmlattr, 0, {"autospace"}},
    {"filesizeformat", filesizeformat, 0, {"binary"}},
};

}  // namespace

std::span<const Builtin> text_filters() { return kRows; }

}  // namespace hearth::jinja
