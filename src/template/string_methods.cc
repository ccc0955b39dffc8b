// The methods of strings. Those that hand out parts of a text mark them byte by byte; text that
// others make is foreign as a whole where they got foreign text (Interp::string). encode
// is not among them: templates have no bytes.
#include <algorithm>

#include "base/utf8.h"
#include "template/interp.h"
#include "template/text.h"
#include "template/unicode.h"

namespace hearth::jinja {
namespace {

const std::string& self_text(Call& call) { return call.self.text(); }

Value made(Call& call, std::string text) {
  return call.in.string(std::move(text), call.self.is_markup());
}

Result<Value> made_list(Call& call, const std::vector<std::string_view>& parts) {
  TRY(call.in.fits(parts.size() * (sizeof(Str) + sizeof(Value))));
  std::vector<Value> values;
  values.reserve(parts.size());
  for (std::string_view part : parts) values.push_back(call.in.part(call.self, part));
  return call.in.list(std::move(values));
}

template <std::string (*kMap)(std::string_view), size_t kSteps = 0>
Result<Value> mapped(Call& call) {
  call.in.heap.spend(self_text(call).size() * kSteps);
  TRY(call.in.check());
  return made(call, kMap(self_text(call)));
}

Result<Value> strip_any(Call& call, bool left, bool right) {
  std::string_view text = self_text(call);
  if (call.has(0) && !call.arg[0].is_none()) {
    std::string_view set = TRY(call.text(0));
    call.in.heap.spend(set.size() / 16);
    if (left) text = strip_set(text, set, true);
    if (right) text = strip_set(text, set, false);
  } else {
    if (left) text = strip_left(text);
    if (right) text = strip_right(text);
  }
  return call.in.part(call.self, text);
}

Result<Value> strip(Call& call) { return strip_any(call, true, true); }
Result<Value> lstrip(Call& call) { return strip_any(call, true, false); }
Result<Value> rstrip(Call& call) { return strip_any(call, false, true); }

// ---- splitting and joining

Result<Value> split_any(Call& call, bool from_right) {
  std::string_view text = self_text(call);
  int64_t count = TRY(call.integer(1, -1));
  call.in.heap.spend(text.size() / 16);
  if (!call.has(0) || call.arg[0].is_none()) {
    return made_list(call, from_right ? rsplit_blanks(text, count) : split_blanks(text, count));
  }
  std::string_view by = TRY(call.text(0));
  if (by.empty()) return fail(Code::kInvalid, "empty separator");
  std::vector<std::string_view> parts;
  while (count < 0 || static_cast<int64_t>(parts.size()) < count) {
    size_t at = from_right ? rfind_text(text, by) : find_text(text, by, 0);
    if (at == std::string_view::npos) break;
    parts.push_back(from_right ? text.substr(at + by.size()) : text.substr(0, at));
    text = from_right ? text.substr(0, at) : text.substr(at + by.size());
    if (parts.size() % 1024 == 0) TRY(call.in.fits(parts.size() * (sizeof(Str) + sizeof(Value))));
    if (from_right) call.in.heap.spend(1 + by.size() / 4);
  }
  parts.push_back(text);
  if (from_right) std::ranges::reverse(parts);
  return made_list(call, parts);
}

Result<Value> split(Call& call) { return split_any(call, false); }
Result<Value> rsplit(Call& call) { return split_any(call, true); }

Result<Value> splitlines(Call& call) {
  return made_list(call, split_lines(self_text(call), call.truth(0, false)));
}

Result<Value> partition_any(Call& call, bool from_right) {
  std::string_view text = self_text(call), by = TRY(call.text(0));
  if (by.empty()) return fail(Code::kInvalid, "empty separator");
  size_t at = from_right ? rfind_text(text, by) : find_text(text, by, 0);
  std::string_view parts[3] = {text, {}, {}};
  if (at != std::string_view::npos) {
    parts[0] = text.substr(0, at);
    parts[1] = text.substr(at, by.size());
    parts[2] = text.substr(at + by.size());
  } else if (from_right) {
    std::swap(parts[0], parts[2]);
  }
  std::vector<Value> values;
  for (std::string_view part : parts) values.push_back(call.in.part(call.self, part));
  return call.in.tuple(std::move(values));
}

Result<Value> partition(Call& call) { return partition_any(call, false); }
Result<Value> rpartition(Call& call) { return partition_any(call, true); }

Result<Value> join(Call& call) {
  Cursor walk = TRY(call.in.cursor(call.arg[0]));
  Rendered out;
  Value item;
  for (int64_t i = 0; TRY(walk.next(call.in, &item)); ++i) {
    if (i > 0) TRY(append_value(call.in, out, call.self));
    bool escapes = call.self.is_markup() && !item.is_markup();
    if (escapes) {
      out.append(escape_html(TRY(to_str(call.in, item))), item.is_foreign());
    } else if (item.is_string()) {
      TRY(append_value(call.in, out, item));
    } else {
      return type_error(fmt::format("sequence item {}: expected str instance, {} found", i,
                                    type_name(item.type())));
    }
    TRY(call.in.fits(out.bytes()));
  }
  return call.in.marked(std::move(out), call.self.is_markup());
}

// ---- searching

// The part text[start:end] that a search looks at, as bytes.
struct Window {
  std::string_view text;
  size_t from = 0, to = 0;
  bool valid = true;  // start is not behind the end of the text
  int64_t characters_before(size_t byte) const {
    int64_t count = 0;
    for (size_t i = 0; i < byte; ++i) count += (text[i] & 0xC0) != 0x80;
    return count;
  }
};

Result<Window> window(Call& call, size_t first_arg) {
  Window out{self_text(call)};
  const Str& text = call.self.as<Str>();
  int64_t size = TRY(call.in.length(call.self));
  auto place = [&](size_t i, int64_t fallback) -> Result<int64_t> {
    if (!call.has(i) || call.arg[i].is_none()) return fallback;
    int64_t index = TRY(call.integer(i, fallback));
    return index < 0 ? std::max<int64_t>(index < -size ? 0 : index + size, 0) : index;
  };
  int64_t start = TRY(place(first_arg, 0));
  int64_t end = std::min(TRY(place(first_arg + 1, size)), size);
  out.valid = start <= size && start <= end;
  start = std::min(start, size);
  auto byte_of = [&](int64_t index) {
    if (text.ascii()) return static_cast<size_t>(index);
    if (index == size) return text.text.size();
    size_t at = 0;
    for (; index > 0; --index) at += decode_utf8(text.text, at).bytes;
    return at;
  };
  out.from = byte_of(start);
  out.to = std::max(out.from, byte_of(std::max<int64_t>(end, 0)));
  call.in.heap.spend(text.text.size() / (text.ascii() ? 64 : 8));
  return out;
}

Result<int64_t> position(Call& call, bool from_right) {
  std::string_view what = TRY(call.text(0));
  Window at = TRY(window(call, 1));
  if (!at.valid) return -1;
  std::string_view part = at.text.substr(at.from, at.to - at.from);
  call.in.heap.spend((part.size() + what.size()) / (from_right ? 8 : 16));
  size_t found = from_right ? rfind_text(part, what) : find_text(part, what, 0);
  if (found == std::string_view::npos) return -1;
  return at.characters_before(at.from + found);
}

Result<Value> find(Call& call) { return Value::integer(TRY(position(call, false))); }
Result<Value> rfind(Call& call) { return Value::integer(TRY(position(call, true))); }

Result<Value> index_any(Call& call, bool from_right) {
  int64_t at = TRY(position(call, from_right));
  if (at < 0) return fail(Code::kInvalid, "substring not found");
  return Value::integer(at);
}

Result<Value> index(Call& call) { return index_any(call, false); }
Result<Value> rindex(Call& call) { return index_any(call, true); }

Result<Value> count(Call& call) {
  std::string_view what = TRY(call.text(0));
  Window at = TRY(window(call, 1));
  if (!at.valid) return Value::integer(0);
  std::string_view part = at.text.substr(at.from, at.to - at.from);
  if (what.empty()) {
    return Value::integer(at.characters_before(at.to) - at.characters_before(at.from) + 1);
  }
  int64_t total = 0;
  for (size_t i = find_text(part, what, 0); i != std::string_view::npos;
       i = find_text(part, what, i + what.size())) {
    ++total;
  }
  return Value::integer(total);
}

Result<Value> affix(Call& call, bool start) {
  Window at = TRY(window(call, 1));
  std::string_view part = at.text.substr(at.from, at.to - at.from);
  auto matches = [&](const Value& what) -> Result<bool> {
    if (!what.is_string()) {
      if (what.is_undefined()) return undefined_error(what);
      return type_error(fmt::format("{} first arg must be str or a tuple of str, not {}",
                                    call.name, type_name(what.type())));
    }
    return at.valid && (start ? part.starts_with(what.text()) : part.ends_with(what.text()));
  };
  if (!call.arg[0].is(Type::kTuple)) return Value::boolean(TRY(matches(call.arg[0])));
  for (const Value& what : call.arg[0].items()) {
    if (TRY(matches(what))) return Value::boolean(true);
  }
  return Value::boolean(false);
}

Result<Value> startswith(Call& call) { return affix(call, true); }
Result<Value> endswith(Call& call) { return affix(call, false); }

Result<Value> removeprefix(Call& call) {
  std::string_view text = self_text(call), what = TRY(call.text(0));
  if (text.starts_with(what)) text.remove_prefix(what.size());
  return call.in.part(call.self, text);
}

Result<Value> removesuffix(Call& call) {
  std::string_view text = self_text(call), what = TRY(call.text(0));
  if (text.ends_with(what)) text.remove_suffix(what.size());
  return call.in.part(call.self, text);
}

Result<Value> replace(Call& call) {
  std::string_view from = TRY(call.text(0));
  TRY(call.text(1));
  int64_t times = TRY(call.integer(2, -1));
  Value to = call.arg[1];
  if (call.self.is_markup() && !to.is_markup()) to = call.in.string(escape_html(to.text()));
  Rendered out = TRY(replace_text(call.in, call.self, from, to, times));
  return call.in.marked(std::move(out), call.self.is_markup());
}

// ---- layout

Result<Value> justify_any(Call& call, char align) {
  std::string_view fill = TRY(call.text(1, " "));
  if (to_code_points(fill.substr(0, 8)).size() != 1) {
    return type_error("The fill character must be exactly one character long");
  }
  int64_t width = TRY(call.integer(0, 0));
  return made(call, TRY(justify(call.in, call.self, width, fill, align)));
}

Result<Value> ljust(Call& call) { return justify_any(call, '<'); }
Result<Value> rjust(Call& call) { return justify_any(call, '>'); }
Result<Value> center(Call& call) { return justify_any(call, '^'); }

Result<Value> zfill(Call& call) {
  std::string text = TRY(justify(call.in, call.self, TRY(call.integer(0, 0)), "0", '>'));
  size_t zeros = text.size() - self_text(call).size();
  char first = self_text(call).empty() ? 0 : self_text(call)[0];
  if (zeros > 0 && (first == '-' || first == '+')) std::swap(text[0], text[zeros]);
  return made(call, std::move(text));
}

Result<Value> expandtabs(Call& call) {
  int64_t size = TRY(call.integer(0, 8));
  std::string out;
  int64_t column = 0;
  for (char c : self_text(call)) {
    if (c == '\t') {
      int64_t blanks = size > 0 ? size - column % size : 0;
      TRY(call.in.fits(out.size() + static_cast<size_t>(blanks)));
      out.append(static_cast<size_t>(blanks), ' ');
      column += blanks;
      continue;
    }
    out += c;
    if ((c & 0xC0) != 0x80) ++column;
    if (c == '\n' || c == '\r') column = 0;
  }
  return made(call, std::move(out));
}

Result<Value> format(Call& call) {
  Rendered out = TRY(brace_format(call.in, call.self, call.raw, nullptr));
  return call.in.marked(std::move(out), call.self.is_markup());
}

Result<Value> format_map(Call& call) {
  Rendered out = TRY(brace_format(call.in, call.self, {}, &call.arg[0]));
  return call.in.marked(std::move(out), call.self.is_markup());
}

// A table for translate: of a mapping of characters or code points, or of two strings of one
// length (and a third one with what shall go).
Result<Value> maketrans(Call& call) {
  Value made(call.in.new_dict());
  Dict& table = made.as<Dict>();
  auto code = [](char32_t c) { return Value::integer(static_cast<int64_t>(c)); };
  if (!call.has(1)) {
    if (!call.arg[0].is_dict()) return type_error("maketrans wants a mapping");
    for (const auto& [key, value] : call.arg[0].dict().entries) {
      bool one = key.is_string() && key.as<Str>().length() == 1;
      if (!one && !key.is_integral()) return type_error("keys must be characters or integers");
      TRY(call.in.set_item(table, one ? code(decode_utf8(key.text(), 0).code) : key, value));
    }
    return made;
  }
  table.foreign = call.arg[1].is_foreign();  // its characters come back as numbers
  auto from = to_code_points(TRY(call.text(0))), to = to_code_points(TRY(call.text(1)));
  if (from.size() != to.size()) {
    return fail(Code::kInvalid, "the first two arguments must have equal length");
  }
  for (size_t i = 0; i < from.size(); ++i) TRY(call.in.set_item(table, code(from[i]), code(to[i])));
  for (char32_t c : to_code_points(TRY(call.text(2)))) {
    TRY(call.in.set_item(table, code(c), Value::none()));
  }
  return made;
}

Result<Value> translate(Call& call) {
  if (!call.arg[0].is_dict()) return type_error("translate wants a mapping");
  const std::string& text = self_text(call);
  std::string out;
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    const Value* found = call.arg[0].dict().find(Value::integer(static_cast<int64_t>(next.code)));
    if (!found) {
      out.append(text, i, next.bytes);
    } else if (found->is_string()) {
      out += found->text();
    } else if (found->is_integral() && found->as_int() >= 0 && found->as_int() <= 0x10FFFF) {
      append_utf8(out, static_cast<char32_t>(found->as_int()));
    } else if (!found->is_none()) {
      return type_error("character mapping must return integer, None or str");
    }
    i += next.bytes;
    call.in.heap.spend(1);
    TRY(call.in.fits(out.size()));
  }
  return made(call, std::move(out));
}

// ---- kinds of characters: true where there are some and all are of the kind

template <bool (*kIs)(char32_t)>
Result<Value> all_are(Call& call) {
  const std::string& text = self_text(call);
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    if (!kIs(next.code)) return Value::boolean(false);
    i += next.bytes;
  }
  return Value::boolean(!text.empty());
}

Result<Value> isascii(Call& call) { return Value::boolean(call.self.as<Str>().ascii()); }

Result<Value> isprintable(Call& call) {
  if (self_text(call).empty()) return Value::boolean(true);
  return all_are<is_printable>(call);
}

Result<Value> isidentifier(Call& call) {
  const std::string& text = self_text(call);
  if (text.empty() || !is_identifier_start(decode_utf8(text, 0).code)) {
    return Value::boolean(false);
  }
  return all_are<is_identifier_part>(call);
}

template <bool kUpper>
Result<Value> has_case(Call& call) {
  const std::string& text = self_text(call);
  bool found = false;
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    i += next.bytes;
    bool wrong = (kUpper ? is_lower(next.code) : is_upper(next.code)) || is_title(next.code);
    if (wrong) return Value::boolean(false);
    found |= kUpper ? is_upper(next.code) : is_lower(next.code);
  }
  return Value::boolean(found);
}

Result<Value> istitle(Call& call) {
  const std::string& text = self_text(call);
  bool found = false, inside = false;
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    i += next.bytes;
    bool starts = is_upper(next.code) || is_title(next.code);
    if (starts ? inside : is_lower(next.code) && !inside) return Value::boolean(false);
    inside = starts || is_lower(next.code);
    found |= inside;
  }
  return Value::boolean(found);
}

constexpr Take kPos = Take::kPositional;

constexpr Builtin kRows[] = {
    {"strip", strip, 0, {"chars"}, kPos},
    {"lstrip", lstrip, 0, {"chars"}, kPos},
    {"rstrip", rstrip, 0, {"chars"}, kPos},
    {"split", split, 0, {"sep", "maxsplit"}},
    {"rsplit", rsplit, 0, {"sep", "maxsplit"}},
    {"splitlines", splitlines, 0, {"keepends"}},
    {"partition", partition, 1, {"sep"}, kPos},
    {"rpartition", rpartition, 1, {"sep"}, kPos},
    {"join", join, 1, {"iterable"}, kPos},
    {"find", find, 1, {"sub", "start", "end"}, kPos},
    {"rfind", rfind, 1, {"sub", "start", "end"}, kPos},
    {"index", index, 1, {"sub", "start", "end"}, kPos},
    {"rindex", rindex, 1, {"sub", "start", "end"}, kPos},
    {"count", count, 1, {"sub", "start", "end"}, kPos},
    {"startswith", startswith, 1, {"prefix", "start", "end"}, kPos},
    {"endswith", endswith, 1, {"suffix", "start", "end"}, kPos},
    {"removeprefix", removeprefix, 1, {"prefix"}, kPos},
    {"removesuffix", removesuffix, 1, {"suffix"}, kPos},
    {"replace", replace, 2, {"old", "new", "count"}, kPos},
    {"upper", mapped<to_upper>},
    {"lower", mapped<to_lower>},
    {"casefold", mapped<case_fold>},
    {"title", mapped<title_case, 1>},
    {"capitalize", mapped<capitalize>},
    {"swapcase", mapped<swap_case, 1>},
    {"ljust", ljust, 1, {"width", "fillchar"}, kPos},
    {"rjust", rjust, 1, {"width", "fillchar"}, kPos},
    {"center", center, 1, {"width", "fillchar"}, kPos},
    {"zfill", zfill, 1, {"width"}, kPos},
    {"expandtabs", expandtabs, 0, {"tabsize"}},
    {"format", format, 0, {}, Take::kAny},
    {"format_map", format_map, 1, {"mapping"}, kPos},
    {"maketrans", maketrans, 1, {"x", "y", "z"}, kPos},
    {"translate", translate, 1, {"table"}, kPos},
    {"isalpha", all_are<is_alpha>},
    {"isalnum", all_are<is_alnum>},
    {"isdecimal", all_are<is_decimal>},
    {"isdigit", all_are<is_digit>},
    {"isnumeric", all_are<is_numeric>},
    {"isspace", all_are<is_space>},
    {"isascii", isascii},
    {"isprintable", isprintable},
    {"isidentifier", isidentifier},
    {"islower", has_case<false>},
    {"isupper", has_case<true>},
    {"istitle", istitle},
};

}  // namespace

std::span<const Builtin> string_methods() { return kRows; }

}  // namespace hearth::jinja
